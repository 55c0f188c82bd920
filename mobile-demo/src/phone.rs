//! A person with a phone, and what they do with it.
//!
//! Owns the words of the story for calls of [`FieldClient`]. Every call blocks, and what it returned from is on the phone's disk.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use farmtally_core::Error;
use farmtally_core::client::{
    DeliveryEdit, DeliveryView, DraftEdit, FarmerInput, FarmerView, FieldClient, LoadView, OpenLoad, StartDraft,
    SyncReport,
};
use farmtally_core::environment::Environment;
use farmtally_core::records::BagSource;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::store::rows::Sum;
use farmtally_core::sync::HttpTransport;
use farmtally_core::units::{BagType, BagWeight, DeliveryId, FarmerId, Grams, LoadId};

use crate::clock::DayClock;
use crate::market::{Market, plate};
use crate::screen::Screen;

/// How crates are called out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long one takes on the day's clock.
    pub(crate) crate_time: Duration,
    /// How many are written to the disk at once.
    pub(crate) crates_at_once: usize,
}

/// One run of sync, as it was measured.
pub(crate) struct Synced {
    /// Whose.
    pub(crate) name: &'static str,
    /// What it did.
    pub(crate) report: SyncReport,
    /// How long it took, in milliseconds.
    pub(crate) ms: u64,
    /// Deliveries recorded here since the run before.
    pub(crate) deliveries: u32,
}

/// Somebody with a phone.
pub(crate) struct Phone {
    /// The person's name.
    pub(crate) name: &'static str,
    /// The phone's core.
    pub(crate) client: FieldClient,
    transport: HttpTransport,
    folder: PathBuf,
    environment: Environment,
    clock: Arc<DayClock>,
    market: Market,
    pace: Pace,
    recorded: Cell<u32>,
}

impl Phone {
    /// A new phone, enrolled at a server.
    #[expect(clippy::too_many_arguments, reason = "called once; a struct of the same fields would say no more")]
    pub(crate) fn enrol(
        name: &'static str,
        folder: PathBuf,
        environment: Environment,
        clock: &Arc<DayClock>,
        market: &Market,
        pace: Pace,
        url: &str,
        code: &str,
    ) -> anyhow::Result<Self> {
        let transport = HttpTransport::open()?;
        let client = FieldClient::open(&folder, environment.clone())?;
        client.enrol(&transport, url, code, "demo phone")?;
        let (clock, market) = (Arc::clone(clock), market.clone());
        Ok(Self { name, client, transport, folder, environment, clock, market, pace, recorded: Cell::new(0) })
    }

    /// The app ends without a word and is started again.
    pub(crate) fn restarts(self) -> anyhow::Result<Self> {
        let Self { name, client, transport, folder, environment, clock, market, pace, recorded } = self;
        drop(client);
        let client = FieldClient::open(&folder, environment.clone())?;
        Ok(Self { name, client, transport, folder, environment, clock, market, pace, recorded })
    }

    /// Registers a farmer.
    pub(crate) fn registers(&self, details: &ContactDetails, accept: &[Check]) -> Result<FarmerView, Error> {
        self.clock.pass(Duration::from_millis(500));
        let input = FarmerInput { centre: self.market.centre.clone(), details: details.clone() };
        self.client.register_farmer(&input, accept)
    }

    /// Opens a load on a lorry, counted from 0.
    pub(crate) fn opens(&self, lorry: usize) -> anyhow::Result<LoadView> {
        let (centre, commodity) = (self.market.centre.clone(), self.market.commodity.clone());
        let input = OpenLoad { centre, commodity, lorry: plate(lorry + 1)?, driver: None };
        self.client.open_load(&input).with_context(|| format!("{} cannot open a load", self.name))
    }

    /// Joins a load by the code that the other phone shows.
    pub(crate) fn joins(&self, load: &LoadView) -> anyhow::Result<LoadView> {
        self.client.join_load(&load.join_code).with_context(|| format!("{} cannot join a load", self.name))
    }

    /// Asks to close a load with what is known here to be on it.
    pub(crate) fn closes(&self, load: LoadId) -> anyhow::Result<LoadView> {
        let view = self.client.load(load)?;
        let closing = self.client.request_close(view.basis, &view.manifest_hash);
        closing.with_context(|| format!("{} cannot close the load", self.name))
    }

    /// Begins a delivery.
    pub(crate) fn starts(&self, farmer: FarmerId, load: LoadId) -> anyhow::Result<DeliveryView> {
        let draft = self.client.start_draft(StartDraft {
            centre: self.market.centre.clone(),
            commodity: self.market.commodity.clone(),
            farmer_id: Some(farmer),
            load_id: Some(load),
            replaces: None,
        });
        draft.with_context(|| format!("{} cannot begin a delivery", self.name))
    }

    /// Calls out crates; as many at once as the pace says are one write to the disk.
    pub(crate) fn calls_out(&self, mut draft: DeliveryView, crates_g: &[i64]) -> anyhow::Result<DeliveryView> {
        for burst in crates_g.chunks(self.pace.crates_at_once.max(1)) {
            self.clock.pass(self.pace.crate_time.saturating_mul(u32::try_from(burst.len()).unwrap_or(u32::MAX)));
            let edits = burst.iter().map(|grams| {
                let gross = weight(*grams)?;
                Ok(DraftEdit::AddBag { gross, bag_type: BagType::default(), source: BagSource::Scale })
            });
            draft = self.client.edit_draft(draft.basis, &edits.collect::<anyhow::Result<Vec<_>>>()?)?;
        }
        Ok(draft)
    }

    /// Records a draft; says yes to everything unusual.
    pub(crate) fn records(&self, draft: &DeliveryView) -> anyhow::Result<DeliveryView> {
        self.recorded.set(self.recorded.get() + 1);
        let recorded = self.client.record_delivery(draft.basis, &Check::ALL);
        recorded.with_context(|| format!("{} cannot record a delivery", self.name))
    }

    /// Weighs a farmer's crates and records them.
    pub(crate) fn weighs(&self, farmer: FarmerId, load: LoadId, crates_g: &[i64]) -> anyhow::Result<DeliveryView> {
        let draft = self.calls_out(self.starts(farmer, load)?, crates_g)?;
        self.records(&draft)
    }

    /// Adds a forgotten crate to a recorded delivery.
    pub(crate) fn amends(&self, delivery: DeliveryId, grams: i64) -> anyhow::Result<DeliveryView> {
        let basis = self.client.delivery(delivery)?.basis;
        let gross = weight(grams)?;
        let edit = DeliveryEdit::AddBag { gross, bag_type: BagType::default(), source: BagSource::Manual };
        let amended = self.client.amend_delivery(basis, &reason("bag_forgotten"), &[edit]);
        amended.with_context(|| format!("{} cannot amend the delivery", self.name))
    }

    /// Voids a recorded delivery.
    pub(crate) fn voids(&self, delivery: DeliveryId) -> anyhow::Result<DeliveryView> {
        let basis = self.client.delivery(delivery)?.basis;
        let voided = self.client.void_delivery(basis, &reason("returned"));
        voided.with_context(|| format!("{} cannot void the delivery", self.name))
    }

    /// Syncs over HTTP, with a bar that counts what the server took.
    pub(crate) fn syncs(&self, screen: &Screen) -> anyhow::Result<Synced> {
        let backlog = self.client.sync_status()?.backlog;
        let length = usize::try_from(backlog.unsent + backlog.sent).unwrap_or(0);
        let bar = screen.bar(&format!("{} syncs", self.name), length);
        let started = Instant::now();
        let report = self.client.sync(&self.transport, &|progress| {
            bar.set_position(progress.logged);
            bar.set_message(format!("{} requests, {} received", progress.requests, progress.received));
        });
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        bar.finish_and_clear();
        let report = report.with_context(|| format!("{} cannot sync", self.name))?;
        Ok(Synced { name: self.name, report, ms, deliveries: self.recorded.take() })
    }

    /// What the phone's deliveries of the day add up to.
    pub(crate) fn day_sum(&self) -> Result<Sum, Error> {
        self.client.day_sum(&self.market.centre, &self.market.season, self.market.date)
    }

    /// How many farmers the phone knows.
    pub(crate) fn farmers(&self) -> Result<usize, Error> {
        Ok(self.client.farmers(&self.market.centre, "", u32::MAX)?.len())
    }
}

fn weight(grams: i64) -> anyhow::Result<BagWeight> {
    Ok(BagWeight::try_from(Grams(grams))?)
}

fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), text: String::new() }
}
