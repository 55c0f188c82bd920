//! A phone: its folder, its disk, its clock, and the app on it, which is killed and started again.

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

/// Somebody's phone.
pub struct Phone {
    /// What it is called in the trace.
    pub name: String,
    /// Its user's role, which is the user's name too.
    pub role: String,
    /// Where its user works.
    pub centre: CentreCode,
    /// Its folder.
    pub folder: PathBuf,
    /// Its disk.
    pub machine: Arc<Machine>,
    /// Its clock.
    pub clock: Arc<SkewedClock>,
    /// Bags that were called out for deliveries that are not recorded yet.
    pub drafts: BTreeMap<DeliveryId, Vec<i64>>,
    /// Older copies of its files.
    pub copies: Vec<Copy>,
    /// Whether the office ordered it to destroy what it has.
    pub wipe: Wipe,
    /// Whether it ever was somebody's.
    pub is_enrolled: bool,
    pub(super) client: Option<FieldClient>,
    /// A look into the database, for as long as the app runs.
    reader: OnceCell<Connection>,
    rng: u64,
}

/// Whether a phone destroys what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wipe {
    /// Nobody asked for it.
    Never,
    /// The office ordered it.
    Ordered,
    /// It did.
    Done,
}

/// A copy of a phone's files.
#[derive(Clone)]
pub struct Copy {
    /// The files.
    pub image: Image,
    /// What was being weighed.
    pub drafts: BTreeMap<DeliveryId, Vec<i64>>,
    /// How many facts there were.
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

    /// The app.
    pub fn client(&self) -> &FieldClient {
        self.client.as_ref().expect("an app that runs")
    }

    /// The phone's database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("field.db")
    }

    /// The phone's database, as it is now.
    pub fn looks(&self) -> &Connection {
        self.reader.get_or_init(|| reader(&self.database()))
    }

    /// Whether it destroyed what it had.
    pub fn is_wiped(&self) -> bool {
        self.wipe == Wipe::Done
    }

    /// Ends the app.
    pub fn ends(&mut self) {
        self.reader = OnceCell::new();
        self.client = None;
    }

    /// Starts the app; each start has its own chance.
    pub fn starts(&mut self) -> Result<(), Error> {
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.client = Some(FieldClient::open(&self.folder, self.clock.environment(self.rng))?);
        self.is_enrolled |= self.client().session().is_some();
        // Another user than before, if the files are older or it died while it changed hands.
        let reference = self.client().reference();
        let user = self.client().session().and_then(|it| reference.user(it.user_id));
        self.role = user.map_or_else(|| self.role.clone(), |user| user.name.clone());
        Ok(())
    }
}
