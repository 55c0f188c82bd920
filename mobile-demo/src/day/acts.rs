//! The story, act by act.
//!
//! Owns who does what in which order; `steps.rs` how. Invariant: the deliveries that stand in the end are the lots of the plan, so they add up to the published
//! total; the one delivery beyond it ends voided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use farmtally_core::permission::Role;
use farmtally_core::units::{DeliveryId, FarmerId, LoadId};

use crate::clock::DayClock;
use crate::office::Office;
use crate::phone::{Pace, Phone, Synced};
use crate::plan::{Plan, Who};
use crate::screen::{Screen, count, grouped};

/// The made-up delivery beyond the split: crates in grams, and the one that was forgotten.
const EXTRA_CRATES_G: [i64; 8] = [20_000, 19_500, 21_000, 20_400, 18_900, 20_100, 19_800, 20_300];
const FORGOTTEN_CRATE_G: i64 = 20_000;
/// Crates that are called out before the app ends in the middle of weighing.
const CRATES_BEFORE_CRASH: usize = 5;
pub(super) struct Story<'a> {
    pub(super) screen: &'a Screen,
    pub(super) office: &'a Office,
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a Arc<DayClock>,
    pub(super) seed: u64,
    pub(super) farmers: BTreeMap<usize, FarmerId>,
    pub(super) loads: BTreeMap<(Who, usize), LoadId>,
    pub(super) synced: Vec<Synced>,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        screen: &'a Screen,
        office: &'a Office,
        plan: &'a Plan,
        clock: &'a Arc<DayClock>,
        seed: u64,
    ) -> Self {
        let (farmers, loads, synced) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { screen, office, plan, clock, seed, farmers, loads, synced }
    }

    /// Plays all acts; returns the phones of Asha and Ravi as they are in the end.
    pub(super) fn play(&mut self, pace: Pace) -> anyhow::Result<(Phone, Phone)> {
        let (asha, ravi) = self.morning(pace)?;
        let (asha, extra) = self.first_lorry(asha, &ravi)?;
        self.screen.heading("3  A moment of network");
        for phone in [&asha, &ravi, &asha] {
            self.syncs(phone)?;
        }
        self.apart(&asha, &ravi, extra)?;
        self.screen.heading("5  Network again");
        self.clock.pass(Duration::from_secs(30 * 60));
        for phone in [&asha, &ravi, &asha] {
            self.syncs(phone)?;
        }
        self.tell_bytes();
        Ok((asha, ravi))
    }

    /// All runs of sync, in their order.
    pub(super) fn into_synced(self) -> Vec<Synced> {
        self.synced
    }

    fn morning(&mut self, pace: Pace) -> anyhow::Result<(Phone, Phone)> {
        self.screen.heading("1  Morning, with network");
        let asha = self.office.hires("Asha", Role::FieldManager, 1, pace)?;
        let ravi = self.office.hires("Ravi", Role::Dispatcher, 2, pace)?;
        self.tell("Asha (field manager) and Ravi (dispatcher) enrol: each a folder, a key and a code from the office.");
        let expected: Vec<usize> =
            self.plan.is_expected.iter().enumerate().filter(|(_, expected)| **expected).map(|(at, _)| at).collect();
        let bar = self.screen.bar("farmers", expected.len());
        for farmer in &expected {
            self.farmer(*farmer, &asha)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let newcomers = self.plan.is_expected.len() - expected.len();
        self.tell(format_args!(
            "Asha registers {}; {} will come unannounced.",
            count(expected.len() as u64, "farmer", "farmers"),
            grouped(newcomers as u64)
        ));
        self.syncs(&asha)?;
        self.syncs(&ravi)?;
        Ok((asha, ravi))
    }

    /// The first lorry, loaded by both. Asha's app ends in the middle of the delivery that both will change later.
    fn first_lorry(&mut self, asha: Phone, ravi: &Phone) -> anyhow::Result<(Phone, DeliveryId)> {
        self.screen.heading("2  Without network: one lorry, two phones");
        let load = self.opens(0, &asha, ravi)?;
        let farmer = self.farmer(0, &asha)?;
        let (before, after) = EXTRA_CRATES_G.split_at(CRATES_BEFORE_CRASH);
        let draft = asha.calls_out(asha.starts(farmer, load)?, before)?;
        let asha = asha.restarts()?;
        let kept = asha.client.drafts()?.into_iter().next().context("the draft is lost")?;
        ensure!(
            kept.delivery_id == draft.delivery_id && kept.bags == draft.bags,
            "the draft is not as it was before Asha's app ended"
        );
        self.tell(format_args!(
            "Asha's app is ended in the middle of weighing and started again: the draft is there with all {}.",
            count(kept.bags.len() as u64, "crate", "crates")
        ));
        let extra = asha.records(&asha.calls_out(kept, after)?)?;
        self.tell(format_args!(
            "Asha records it, {} g. It is made up, beyond the published total; remember it.",
            grouped(extra.totals.gross.0)
        ));
        let (by_asha, by_ravi) = self.weigh_all(0..self.plan.late, &asha, ravi)?;
        self.tell(format_args!(
            "Onto the same lorry Asha weighs {} deliveries, Ravi {}.",
            grouped(by_asha),
            grouped(by_ravi)
        ));
        Ok((asha, extra.delivery_id))
    }

    /// What two people do who cannot know of each other.
    fn apart(&mut self, asha: &Phone, ravi: &Phone, extra: DeliveryId) -> anyhow::Result<()> {
        self.screen.heading("4  Without network again: each without knowledge of the other");
        let load = *self.loads.get(&(Who::Asha, 0)).context("no first load")?;
        let closing = asha.closes(load)?;
        self.tell(format_args!(
            "Asha asks to close load {}: {}, {} g on the manifest.",
            closing.load.header.number(),
            count(closing.manifest.len() as u64, "delivery", "deliveries"),
            grouped(closing.sum.gross.0)
        ));
        let late = self.plan.lots.get(self.plan.late).context("no late lot")?;
        let farmer = self.farmer_of(late, self.plan.late, ravi)?;
        let delivery = ravi.weighs(farmer, load, &late.crates_g)?;
        let receipt = delivery.receipt_number.unwrap_or_default();
        self.tell(format_args!("Ravi still puts one more delivery on it, {receipt}: his phone cannot know."));

        self.clock.pass(Duration::from_secs(60));
        let amended = asha.amends(extra, FORGOTTEN_CRATE_G)?;
        let receipt = amended.receipt_number.unwrap_or_default();
        self.tell(format_args!("Asha amends the made-up delivery {receipt}: a crate was forgotten."));
        ravi.voids(extra)?;
        self.tell(format_args!("Ravi voids {receipt}: the farmer took it back."));

        for (who, phone) in [(Who::Asha, asha), (Who::Ravi, ravi)] {
            let opened = phone.opens(1)?;
            self.loads.insert((who, 1), opened.load.load_id);
            let (lorry, number) = (&opened.load.lorry, opened.load.header.number());
            self.tell(format_args!(
                "{} opens load {number} on lorry {lorry}, without knowing of the other's.",
                phone.name
            ));
        }
        let (by_asha, by_ravi) = self.weigh_all(self.plan.late + 1..self.plan.lots.len(), asha, ravi)?;
        self.tell(format_args!(
            "Asha weighs {} deliveries, Ravi {}; neither phone knows the other's.",
            grouped(by_asha),
            grouped(by_ravi)
        ));
        Ok(())
    }
}
