//! Deliveries that an instrument's failed check puts in doubt.

use crate::records::Delivery;
use crate::units::InstrumentCode;

/// Returns whether a delivery may have been weighed or measured with an instrument: a bag, lot or reading names it, or nothing of the delivery
/// names any instrument.
pub fn is_in_doubt(delivery: &Delivery, instrument: &InstrumentCode) -> bool {
    let scales = delivery.bags.iter().filter_map(|it| it.bag.scale.as_ref());
    let lots = delivery.lots.iter().filter_map(|it| it.lot.scale.as_ref());
    let meters = delivery.readings.iter().filter_map(|it| it.reading.meter.as_ref());
    let mut named = scales.chain(lots).chain(meters).peekable();
    named.peek().is_none() || named.any(|it| it == instrument)
}
