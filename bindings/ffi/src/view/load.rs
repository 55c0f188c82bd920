use farmtally_core::client::{self, Basis};
use farmtally_core::store::rows;
use farmtally_core::units::LoadId;

use super::{Conflict, Sum, SyncState};

/// All that a screen shows of a load.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LoadView {
    /// Its id
    pub load_id: LoadId,
    /// Hand it in with the next change
    pub basis: Basis,
    /// The number that people read out
    pub number: String,
    /// The lorry that counts
    pub lorry: String,
    /// The driver's name
    pub driver: Option<String>,
    /// open or closing
    pub state: String,
    /// Codes of the installations that load, the opener's first
    pub loaders: Vec<String>,
    /// What the deliveries on it add up to, as far as they are on this phone
    pub totals: Sum,
    /// Names what is on it; hand it in with the request to close
    pub manifest_hash: String,
    /// Show it as text or QR code, so that others can join without network
    pub join_code: String,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<String>,
}

impl From<client::LoadView> for LoadView {
    fn from(it: client::LoadView) -> Self {
        Self {
            load_id: it.load.load_id,
            basis: it.basis,
            number: it.load.header.number().to_string(),
            lorry: it.load.lorry.to_string(),
            state: it.load.state().name().to_owned(),
            driver: it.load.driver,
            loaders: it.load.loaders.iter().map(|loader| loader.device.to_string()).collect(),
            totals: it.sum.into(),
            manifest_hash: it.manifest_hash,
            join_code: it.join_code,
            sync: it.sync.into(),
            conflicts: it.load.conflicts.into_iter().map(Conflict::from).collect(),
            reviews: it.reviews,
        }
    }
}

/// A load in a list.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LoadRow {
    /// Its id
    pub load_id: LoadId,
    /// The number that people read out
    pub number: String,
    /// The lorry
    pub lorry: String,
    /// open or closing
    pub state: String,
}

impl From<rows::LoadRow> for LoadRow {
    fn from(it: rows::LoadRow) -> Self {
        let state = it.state.name().to_owned();
        Self { load_id: it.load_id, number: it.number, lorry: it.lorry.to_string(), state }
    }
}
