//! What is added to a recorded delivery: readings, prints of its receipt.

use super::change::{require_few_readings, require_readable};
use crate::Error;
use crate::client::{Basis, DeliveryView, FieldClient, ReadingInput};
use crate::records::Reading;
use crate::records::delivery::{self, PrintMedium};
use crate::rules::ActionCode;

impl FieldClient {
    /// Adds readings to a recorded delivery: all, or none if one is refused. The rule set says which of several counts.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is voided, or by role, also once its load left; [`Error::Invalid`] for a grade or factor that the rules do
    /// not have; [`Error::TooLarge`] for too many readings; [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn add_readings(&self, basis: Basis, readings: &[ReadingInput]) -> Result<DeliveryView, Error> {
        if readings.is_empty() {
            return Err(Error::invalid("readings", "nothing was read"));
        }
        let readings: Vec<Reading> = readings.iter().map(Reading::from).collect();
        self.change_delivery(basis, ActionCode::AddReadings, |action, _, delivery| {
            require_few_readings(delivery.readings.len() + readings.len())?;
            for reading in &readings {
                require_readable(action.author.reference.rule_set(delivery.rule_set), reading)?;
            }
            Ok(delivery::add_readings(action.stamp, &readings))
        })
    }

    /// Records that the receipt was printed or sent. The first print is the receipt, each later one a copy.
    ///
    /// # Errors
    /// [`Error::Refused`] by role; [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn record_print(&self, basis: Basis, medium: PrintMedium) -> Result<DeliveryView, Error> {
        self.change_delivery(basis, ActionCode::Print, |action, _, _| Ok(delivery::print(action.stamp, medium)))
    }
}
