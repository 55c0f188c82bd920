//! A person with a phone, and the calls of [`FieldClient`] that an app makes.
//!
//! Every call blocks; when it returns, its result is on the phone's disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use farmtally_core::Error;
use farmtally_core::client::{
    DeliveryEdit, DeliveryView, DraftEdit, FarmerInput, FarmerView, FieldClient, LoadEdit, LoadView, OpenLoad,
    StartDraft, SyncReport, Today,
};
use farmtally_core::permission::Role;
use farmtally_core::records::BagSource;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::sync::HttpTransport;
use farmtally_core::units::{BagType, BagWeight, DeliveryId, FarmerId, LoadId};

use crate::market::{DayClock, Market, plate};
use crate::office::Office;

/// A person with a phone.
pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) client: FieldClient,
    transport: HttpTransport,
    folder: PathBuf,
    clock: Arc<DayClock>,
    market: Market,
    /// Time that weighing one crate takes on the day's clock.
    crate_time: Duration,
}

impl Phone {
    /// Opens a new phone in its own folder and enrols it with a code from the office.
    pub(crate) fn enrol(
        name: &'static str,
        role: Role,
        office: &Office,
        market: &Market,
        clock: &Arc<DayClock>,
        crate_time: Duration,
    ) -> anyhow::Result<Self> {
        let (folder, transport) = (office.folder.join(name), HttpTransport::open()?);
        let client = FieldClient::open(&folder, clock.environment())?;
        client.enrol(&transport, &office.url(), &office.enrolment_code(name, role)?, "demo phone")?;
        Ok(Self { name, client, transport, folder, clock: Arc::clone(clock), market: market.clone(), crate_time })
    }

    /// Drops the app without a shutdown, and starts it again.
    pub(crate) fn restart(self) -> anyhow::Result<Self> {
        drop(self.client);
        let client = FieldClient::open(&self.folder, self.clock.environment())?;
        Ok(Self { client, ..self })
    }

    /// Registers a farmer; `accept` lists the checks that the person confirms.
    pub(crate) fn register(&self, details: ContactDetails, accept: &[Check]) -> Result<FarmerView, Error> {
        self.clock.advance(Duration::from_millis(500));
        self.client
            .register_farmer(&FarmerInput { centre: self.market.centre.clone(), details, tags: Vec::new() }, accept)
    }

    /// Opens a load on the lorry of this number, from 0.
    pub(crate) fn open_load(&self, lorry: usize) -> anyhow::Result<LoadView> {
        let (centre, commodity) = (self.market.centre.clone(), self.market.commodity.clone());
        let opened = self.client.open_load(&OpenLoad {
            centre,
            commodity,
            lorry: plate(lorry)?,
            driver: None,
            destination: None,
            is_planned: false,
        });
        opened.with_context(|| format!("{} cannot open a load", self.name))
    }

    /// Joins a load by the code that the other phone shows; needs no network.
    pub(crate) fn join_load(&self, code: &str) -> anyhow::Result<LoadView> {
        self.client.join_load(code).with_context(|| format!("{} cannot join a load", self.name))
    }

    /// Asks the office to close a load with the deliveries that this phone knows.
    pub(crate) fn request_close(&self, load: LoadId) -> anyhow::Result<LoadView> {
        let load = self.client.load(load)?;
        let closing = self.client.change_load(
            load.basis,
            &LoadEdit::RequestClose { manifest_hash: load.manifest_hash.clone() },
            &[],
        );
        closing.with_context(|| format!("{} cannot close a load", self.name))
    }

    pub(crate) fn start(&self, farmer: FarmerId, load: LoadId) -> anyhow::Result<DeliveryView> {
        let (centre, commodity) = (self.market.centre.clone(), self.market.commodity.clone());
        let (farmer_id, load_id) = (Some(farmer), Some(load));
        let draft = self.client.start_draft(StartDraft { centre, commodity, farmer_id, load_id, replaces: None });
        draft.with_context(|| format!("{} cannot start a delivery", self.name))
    }

    /// Adds crates to a draft: each one is on the disk before the next is weighed.
    pub(crate) fn add(&self, mut draft: DeliveryView, crates: &[BagWeight]) -> anyhow::Result<DeliveryView> {
        for gross in crates {
            self.clock.advance(self.crate_time);
            let bag = DraftEdit::AddBag {
                gross: *gross,
                bag_type: BagType::default(),
                source: Some(BagSource::Scale),
                grade: None,
                scale: None,
            };
            draft = self.client.edit_draft(draft.basis, &[bag])?;
        }
        Ok(draft)
    }

    /// Records a draft; accepts every check.
    pub(crate) fn record(&self, draft: &DeliveryView) -> anyhow::Result<DeliveryView> {
        let recorded = self.client.record_delivery(draft.basis, &Check::ALL);
        recorded.with_context(|| format!("{} cannot record a delivery", self.name))
    }

    /// Adds a forgotten crate to a recorded delivery.
    pub(crate) fn amend(&self, delivery: DeliveryId, gross: BagWeight) -> anyhow::Result<DeliveryView> {
        let bag = DeliveryEdit::AddBag {
            gross,
            bag_type: BagType::default(),
            source: Some(BagSource::Manual),
            grade: None,
            scale: None,
        };
        let amended =
            self.client.amend_delivery(self.client.delivery(delivery)?.basis, &reason("bag_forgotten"), &[bag]);
        amended.with_context(|| format!("{} cannot amend a delivery", self.name))
    }

    pub(crate) fn void(&self, delivery: DeliveryId) -> anyhow::Result<DeliveryView> {
        let voided = self.client.void_delivery(self.client.delivery(delivery)?.basis, &reason("returned"));
        voided.with_context(|| format!("{} cannot void a delivery", self.name))
    }

    /// The market day as on the phone's first screen.
    pub(crate) fn today(&self) -> Result<Today, Error> {
        self.client.today(&self.market.centre, Some(self.market.date))
    }

    pub(crate) fn sync(&self) -> anyhow::Result<SyncReport> {
        self.client.sync(&self.transport, &|_| ()).with_context(|| format!("{} cannot sync", self.name))
    }
}

pub(crate) fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), text: String::new() }
}
