//! Changes of a load: what they write, and what is unusual about them.

use super::manifest::hash_of;
use crate::Error;
use crate::client::Author;
use crate::client::action::Action;
use crate::client::delivery::checked;
use crate::decisions::Lorry;
use crate::limits::{MAX_MANIFEST, MAX_ODOMETER_KM};
use crate::records::delivery::Reason;
use crate::records::load::{self, CloseRequest, LoadState, LoadStep, ManifestLine};
use crate::records::{Load, Put};
use crate::rules::{ActionCode, Check, check_text};
use crate::store::drafts;
use crate::units::{LoadId, LorryPlate};

/// A change of a load.
#[derive(Clone, Debug)]
pub enum LoadEdit {
    /// Begins loading a planned load.
    Open,
    /// Sets the lorry, to that of a known plate.
    SetLorry(LorryPlate),
    /// Sets the driver's name.
    SetDriver(String),
    /// Sets the name of the destination. On the way, [`Self::Divert`] also says why it changes.
    SetDestination(String),
    /// Records a stop at a place.
    AddStop {
        /// Name of the place.
        place: String,
    },
    /// Records a seal on the lorry.
    AddSeal {
        /// Number on the seal.
        seal: String,
    },
    /// Asks the office, perhaps again, to close the load with the deliveries on it that are here. Deliveries in no manifest count as late.
    RequestClose {
        /// [`LoadView::manifest_hash`](super::LoadView::manifest_hash) as shown.
        manifest_hash: String,
    },
    /// Records that the lorry left with the load.
    Depart {
        /// Reading of the odometer in kilometres, if it was read.
        odometer_km: Option<u32>,
    },
    /// Orders another destination on the way.
    Divert {
        /// Name of the new destination.
        destination: String,
        /// Reason that the person gave.
        reason: Reason,
    },
    /// Records that the lorry arrived at its destination.
    Arrive {
        /// Reading of the odometer in kilometres, if it was read.
        odometer_km: Option<u32>,
    },
    /// Takes the load over at its destination.
    Receive,
    /// Gives up a load without deliveries before it left.
    Cancel {
        /// Reason that the person gave.
        reason: Reason,
    },
}

impl LoadEdit {
    /// Returns the action under which a view offers this change.
    pub fn action(&self) -> ActionCode {
        match self {
            Self::Open => ActionCode::Open,
            Self::SetLorry(_) | Self::SetDriver(_) | Self::SetDestination(_) => ActionCode::Correct,
            Self::AddStop { .. } => ActionCode::Stop,
            Self::AddSeal { .. } => ActionCode::Seal,
            Self::RequestClose { .. } => ActionCode::RequestClose,
            Self::Depart { .. } => ActionCode::Depart,
            Self::Divert { .. } => ActionCode::Divert,
            Self::Arrive { .. } => ActionCode::Arrive,
            Self::Receive => ActionCode::Receive,
            Self::Cancel { .. } => ActionCode::Cancel,
        }
    }
}

/// Returns what is unusual about a change. The lorry's way is a fact: it is recorded even if what belongs before it is missing.
pub(super) fn checks_of(edit: &LoadEdit, load: &Load) -> Vec<Check> {
    let is_open = load.state() == LoadState::Open;
    let findings = match edit {
        LoadEdit::Depart { .. } => {
            vec![(Check::LoadNotClosed, is_open), (Check::LoadNotSealed, load.seals().next().is_none())]
        }
        LoadEdit::Arrive { .. } => vec![(Check::LoadNotDeparted, load.state() != LoadState::Dispatched)],
        _ => Vec::new(),
    };
    findings.into_iter().filter(|(_, found)| *found).map(|(check, _)| check).collect()
}

/// Returns the puts of a change that its state permits.
pub(super) fn puts_of(
    edit: &LoadEdit,
    action: &Action<'_>,
    load: &Load,
    manifest: Vec<ManifestLine>,
) -> Result<Vec<Put>, Error> {
    let stamp = action.stamp;
    let step = |step| load::step(stamp, step);
    Ok(vec![match edit {
        LoadEdit::Open => step(LoadStep::Opened),
        LoadEdit::SetLorry(lorry) => {
            require_lorry(action.author, lorry)?;
            if load.lorry == *lorry {
                return Err(Error::invalid("lorry", "the load has this lorry already"));
            }
            load::set_lorry(stamp, lorry.clone())
        }
        LoadEdit::SetDriver(driver) => load::set_driver(stamp, required("driver", driver)?),
        LoadEdit::SetDestination(place) => load::set_destination(stamp, required("destination", place)?),
        LoadEdit::AddStop { place } => step(LoadStep::Stopped { place: required("place", place)? }),
        LoadEdit::AddSeal { seal } => {
            let seal = required("seal", seal)?;
            if load.seals().any(|known| known == seal) {
                return Err(Error::invalid("seal", "the load has this seal already"));
            }
            step(LoadStep::Sealed { seal })
        }
        LoadEdit::RequestClose { manifest_hash } => request_close(action, load.load_id, manifest, manifest_hash)?,
        LoadEdit::Depart { odometer_km } => step(LoadStep::Departed { odometer_km: checked_odometer(*odometer_km)? }),
        LoadEdit::Arrive { odometer_km } => step(LoadStep::Arrived { odometer_km: checked_odometer(*odometer_km)? }),
        LoadEdit::Receive => step(LoadStep::Received),
        LoadEdit::Cancel { reason } => step(LoadStep::Cancelled { reason: checked(reason)? }),
        LoadEdit::Divert { destination, reason } => {
            let place = load::set_destination(stamp, required("destination", destination)?);
            return Ok(vec![place, step(LoadStep::Diverted { reason: checked(reason)? })]);
        }
    }])
}

fn request_close(
    action: &Action<'_>,
    load_id: LoadId,
    manifest: Vec<ManifestLine>,
    shown_hash: &str,
) -> Result<Put, Error> {
    if drafts::all(action.db)?.iter().any(|(_, _, draft)| draft.is_for(load_id)) {
        return Err(Error::not_allowed("a draft for this load is still open: record or discard it first"));
    }
    if hash_of(&manifest) != shown_hash {
        return Err(Error::Stale);
    }
    if manifest.len() > MAX_MANIFEST {
        let reason = format!("{} deliveries, at most {MAX_MANIFEST} fit one manifest", manifest.len());
        return Err(Error::TooLarge { field: "manifest", reason });
    }
    Ok(load::request_close(&CloseRequest { stamp: action.stamp, manifest }))
}

pub(super) fn require_lorry(author: &Author, lorry: &LorryPlate) -> Result<(), Error> {
    match author.reference.latest::<Lorry>(lorry.as_str()) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("lorry", format!("no lorry {lorry} is known: check the plate"))),
    }
}

/// Returns a text of an input in its stored form.
pub(super) fn required(field: &'static str, text: &str) -> Result<String, Error> {
    check_text(text, true).map_err(|wrong| Error::invalid(field, wrong))
}

fn checked_odometer(odometer_km: Option<u32>) -> Result<Option<u32>, Error> {
    if odometer_km.is_some_and(|km| km > MAX_ODOMETER_KM) {
        return Err(Error::invalid("odometer_km", format!("an odometer shows at most {MAX_ODOMETER_KM} km")));
    }
    Ok(odometer_km)
}
