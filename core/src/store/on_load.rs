//! What follows from the deliveries on a load: its rule set, and what arrived of it.

use super::records::get;
use super::rows::{ListOrder, parts_on};
use super::simple::{SimpleFilter, list};
use super::sql::Reader;
use super::{Error, decisions};
use crate::decisions::RuleSet;
use crate::records::simple::SimpleState;
use crate::records::{Delivery, Kind, Load, Simple, WeighbridgeTicket};
use crate::rules::{Loss, loss};
use crate::scope::Scope;
use crate::units::{Grams, LoadId};

/// What was weighed of a load after it had left, beside what is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variance {
    /// Weight of what the lorry carried, with its bags, by the latest ticket that was not withdrawn.
    pub received_g: Grams,
    /// What is missing of the deliveries, or in excess, by the rule set of the first one.
    pub loss: Loss,
}

/// Returns the rule set of the first delivery on a load; `None` for an empty load, or a rule set that is not stored.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn rule_set_of(db: &mut dyn Reader, load_id: LoadId) -> Result<Option<RuleSet>, Error> {
    let on = parts_on(db, load_id)?;
    let Some(first) = on.first() else { return Ok(None) };
    let Some(found) = get::<Delivery>(db, first.delivery_id)? else { return Ok(None) };
    decisions::latest(db, &found.record.rule_set.to_string())
}

/// Returns the variance of a load of this scope; `None` until it was weighed after it had left.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn variance(db: &mut dyn Reader, scope: &Scope, load: &Load) -> Result<Option<Variance>, Error> {
    let Some(left_at) = load.left_at() else { return Ok(None) };
    let (about, state) = (Some(load.load_id.into()), Some(SimpleState::Open));
    let filter = SimpleFilter { about, state, ..SimpleFilter::default() };
    let kind = Kind::of::<Simple<WeighbridgeTicket>>();
    let tickets = list(db, kind, std::slice::from_ref(scope), &filter, ListOrder::NewestFirst, None, 1)?;
    let Some(ticket) = tickets.first() else { return Ok(None) };
    let ticket = get::<Simple<WeighbridgeTicket>>(db, *ticket)?.map(|found| found.record);
    let Some(ticket) = ticket.filter(|ticket| ticket.made.at > left_at) else { return Ok(None) };
    let (policy, rounding) = rule_set_of(db, load.load_id)?.map_or_else(Default::default, |it| (it.loss, it.rounding));
    let on_load: Vec<_> = parts_on(db, load.load_id)?.into_iter().map(|it| (it.delivery_id, it.gross_g)).collect();
    let received_g = ticket.content.net_g();
    Ok(Some(Variance { received_g, loss: loss(&on_load, received_g, &policy, rounding) }))
}
