//! A simulated phone: folder, disk, clock, and the app on it, which is killed and started again.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use farmtally_core::Error;
use farmtally_core::client::FieldClient;
use farmtally_core::units::{CentreCode, DeliveryId};

use rusqlite::Connection;

use super::clock::SkewedClock;
use super::oracle::reader;
use crate::disk::{Image, Machine};

/// A simulated phone.
pub struct Phone {
    /// Name in the trace.
    pub name: String,
    /// Role of its user, which is also the user's name.
    pub role: String,
    /// Centre where its user works.
    pub centre: CentreCode,
    /// Folder of its files.
    pub folder: PathBuf,
    /// Its disk.
    pub machine: Arc<Machine>,
    /// Its clock.
    pub clock: Arc<SkewedClock>,
    /// Oracle: weights of bags in grams, by delivery that is not recorded yet.
    pub drafts: BTreeMap<DeliveryId, Vec<i64>>,
    /// Older copies of its files.
    pub copies: Vec<Copy>,
    /// Whether it was ordered to wipe itself, and did.
    pub wipe: Wipe,
    /// Whether it was ever enrolled.
    pub is_enrolled: bool,
    pub(super) client: Option<FieldClient>,
    /// Connection to the database, kept while the app runs.
    reader: OnceCell<Connection>,
    rng: u64,
}

/// State of a wipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wipe {
    /// No wipe was ordered.
    Never,
    /// The office ordered a wipe, or tried to.
    Ordered,
    /// The phone wiped itself.
    Done,
}

/// A copy of a phone's files.
#[derive(Clone)]
pub struct Copy {
    /// Files of its disk.
    pub image: Image,
    /// Drafts at that time.
    pub drafts: BTreeMap<DeliveryId, Vec<i64>>,
    /// Number of facts of all phones at that time.
    pub facts: usize,
}

impl Phone {
    /// A phone whose app is not running.
    pub fn new(
        name: String,
        role: String,
        centre: CentreCode,
        folder: PathBuf,
        machine: Arc<Machine>,
        clock: Arc<SkewedClock>,
        rng: u64,
    ) -> Self {
        Self {
            name,
            role,
            centre,
            folder,
            machine,
            clock,
            drafts: BTreeMap::new(),
            copies: Vec::new(),
            wipe: Wipe::Never,
            is_enrolled: false,
            client: None,
            reader: OnceCell::new(),
            rng,
        }
    }

    /// The running app.
    pub fn client(&self) -> &FieldClient {
        self.client.as_ref().expect("an app that runs")
    }

    /// The path of the phone's database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("field.db")
    }

    /// A connection to the phone's database beside the app, for checks.
    pub fn looks(&self) -> &Connection {
        self.reader.get_or_init(|| reader(&self.database()))
    }

    /// Whether the phone wiped itself.
    pub fn is_wiped(&self) -> bool {
        self.wipe == Wipe::Done
    }

    /// Ends the app.
    pub fn ends(&mut self) {
        self.reader = OnceCell::new();
        self.client = None;
    }

    /// Starts the app, with a new seed at each start. Sets `role` to the current user's.
    pub fn starts(&mut self) -> Result<(), Error> {
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.client = Some(FieldClient::open(&self.folder, self.clock.environment(self.rng))?);
        self.is_enrolled |= self.client().session().is_some();
        // The user may differ from before, if the files are older or the phone died while it changed hands.
        let reference = self.client().reference();
        let user = self.client().session().and_then(|it| reference.user(it.user_id));
        self.role = user.map_or_else(|| self.role.clone(), |user| user.name.clone());
        Ok(())
    }
}
