//! The steps that the acts are made of: weighing the plan's lots, opening loads, registering farmers, syncing, and telling of it.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use farmtally_core::Error;
use farmtally_core::client::SyncOutcome;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::{FarmerId, LoadId};

use super::acts::Story;
use crate::farmers::{farmer_name, farmer_phone, farmer_village, other_spelling};
use crate::phone::Phone;
use crate::plan::{Lot, Who};
use crate::screen::{count, grouped};

/// Loads that are told of one by one.
const LOADS_TOLD: usize = 12;

impl Story<'_> {
    /// Weighs lots of the plan in their order; returns how many each of the two weighed.
    pub(super) fn weigh_all(&mut self, lots: Range<usize>, asha: &Phone, ravi: &Phone) -> anyhow::Result<(u64, u64)> {
        let bar = self.screen.bar("deliveries", lots.len());
        let (mut by_asha, mut by_ravi) = (0, 0);
        for (index, lot) in self.plan.lots.iter().enumerate().take(lots.end).skip(lots.start) {
            let (phone, other, weighed) = match lot.weigher {
                Who::Asha => (asha, ravi, &mut by_asha),
                Who::Ravi => (ravi, asha, &mut by_ravi),
            };
            *weighed += 1;
            let load = match self.loads.get(&(lot.weigher, lot.load)) {
                Some(load) => *load,
                None => self.opens(lot.load, phone, other)?,
            };
            let farmer = self.farmer_of(lot, index, phone)?;
            phone.weighs(farmer, load, &lot.crates_g)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((by_asha, by_ravi))
    }

    /// One opens a load, the other joins by the code that the first one's phone shows.
    pub(super) fn opens(&mut self, lorry: usize, phone: &Phone, other: &Phone) -> anyhow::Result<LoadId> {
        let opened = phone.opens(lorry)?;
        other.joins(&opened)?;
        let load = opened.load.load_id;
        self.loads.extend([((Who::Asha, lorry), load), ((Who::Ravi, lorry), load)]);
        if lorry < LOADS_TOLD {
            self.tell(format_args!(
                "{} opens load {} on lorry {}; {} joins by the code on its screen.",
                phone.name,
                opened.load.header.number(),
                opened.load.lorry,
                other.name
            ));
        } else if lorry + 1 == self.plan.loads {
            self.tell(format_args!("… and so on, until lorry {}.", opened.load.lorry));
        }
        Ok(load)
    }

    /// The farmer of a lot, registered now if this phone does not know him, and once more if he is the one who is registered twice.
    pub(super) fn farmer_of(&mut self, lot: &Lot, index: usize, phone: &Phone) -> anyhow::Result<FarmerId> {
        let known = self.farmer(lot.farmer, phone)?;
        if index == self.plan.twin { self.again(lot.farmer, phone) } else { Ok(known) }
    }

    pub(super) fn farmer(&mut self, farmer: usize, phone: &Phone) -> anyhow::Result<FarmerId> {
        if let Some(known) = self.farmers.get(&farmer) {
            return Ok(*known);
        }
        let registered = phone.registers(&self.details(farmer), &[Check::FarmerLooksAlike]);
        let registered = registered.with_context(|| format!("{} cannot register a farmer", phone.name))?.farmer_id;
        self.farmers.insert(farmer, registered);
        Ok(registered)
    }

    /// Registers somebody again, after the phone asked.
    pub(super) fn again(&mut self, farmer: usize, phone: &Phone) -> anyhow::Result<FarmerId> {
        let first = self.details(farmer);
        let details = ContactDetails { name: other_spelling(&first.name), ..first.clone() };
        match phone.registers(&details, &[]) {
            Err(Error::Confirm { checks }) if checks == [Check::FarmerLooksAlike] => {}
            other => bail!("{} was not asked about a farmer who looks alike: {other:?}", phone.name),
        }
        let second = phone.registers(&details, &[Check::FarmerLooksAlike])?;
        self.tell(format_args!(
            "{} registers {:?}; the phone asks, because {:?} has the same number. {} says yes all the same.",
            phone.name, details.name, first.name, phone.name
        ));
        self.tell(format_args!("  That farmer's next delivery goes under the second registration, {}.", second.code));
        Ok(second.farmer_id)
    }

    pub(super) fn details(&self, farmer: usize) -> ContactDetails {
        ContactDetails {
            name: farmer_name(farmer, self.seed),
            village: farmer_village(farmer, self.seed),
            phone: farmer_phone(farmer, self.seed),
        }
    }

    pub(super) fn syncs(&mut self, phone: &Phone) -> anyhow::Result<()> {
        self.clock.pass(Duration::from_secs(60));
        let synced = phone.syncs(self.screen)?;
        let progress = synced.report.progress;
        self.tell(format_args!(
            "{} syncs   up {:>11} B   down {:>11} B   {:>3} requests   {:>6} ms   sent {:>6}   received {:>6}",
            synced.name,
            grouped(progress.bytes_up),
            grouped(progress.bytes_down),
            progress.requests,
            grouped(synced.ms),
            grouped(progress.logged),
            grouped(progress.received),
        ));
        ensure!(
            synced.report.outcome == SyncOutcome::Complete,
            "the sync is not complete: {:?}",
            synced.report.outcome
        );
        self.synced.push(synced);
        Ok(())
    }

    /// What a delivery costs on the network, from the run that sent most.
    pub(super) fn tell_bytes(&self) {
        let Some(largest) = self.synced.iter().max_by_key(|synced| synced.deliveries) else { return };
        let bytes = largest.report.progress.bytes_up;
        if let Some(each) = bytes.checked_div(u64::from(largest.deliveries)) {
            self.screen.say(format_args!(
                "         {} sent {} at once: {each} bytes up for each, requests and farmers included.",
                largest.name,
                count(u64::from(largest.deliveries), "delivery", "deliveries"),
            ));
        }
    }

    pub(super) fn tell(&self, text: impl Display) {
        self.screen.say(format_args!("  {}  {text}", self.clock.time_of_day()));
    }
}
