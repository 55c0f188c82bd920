//! What screens show. Weights are integers in grams, instants in milliseconds, codes are text.

mod delivery;
mod event;
mod farmer;
mod inbox;
mod load;
mod reference;
mod session;
mod sync;
mod today;

pub(crate) use delivery::{Check, DeliveryPage, DeliveryView};
pub(crate) use event::Event;
pub(crate) use farmer::{FarmerRow, FarmerView};
pub(crate) use inbox::{Conflict, InboxPage};
pub(crate) use load::{LoadRow, LoadView};
pub(crate) use reference::Reference;
pub(crate) use session::{Access, PhoneUser, Session};
pub(crate) use sync::{FrameProgress, SyncProgress, SyncReport, SyncState, SyncStatus};
pub(crate) use today::{Sum, Today};
