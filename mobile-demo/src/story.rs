//! The market day, act by act.
//!
//! The deliveries that count at the end are those of the plan, so they add up to the published total. The one made-up delivery is voided.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use farmtally_core::Error;
use farmtally_core::client::SyncOutcome;
use farmtally_core::permission::Role;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::{BagWeight, DeliveryId, FarmerId, Grams, LoadId, Money};
use indicatif::{HumanCount, ProgressBar};

use crate::desk;
use crate::market::{DayClock, Farmer, Market};
use crate::office::Office;
use crate::phone::Phone;
use crate::plan::{Lot, Person, Plan};
use crate::{grouped, say};

/// Crates of the made-up delivery that are weighed before Asha's app ends, and after it.
const CRATES_BEFORE_G: [i64; 5] = [20_000, 19_500, 21_000, 20_400, 18_900];
const CRATES_AFTER_G: [i64; 3] = [20_100, 19_800, 20_300];
const FORGOTTEN_CRATE_G: i64 = 20_000;
/// Paise that the office leases, and that are paid.
const LEASED_MINOR: i64 = 500_000;
const ADVANCE_MINOR: i64 = 300_000;
/// Time for all crates together, so that the day's clock does not pass midnight; then the longest time for one crate.
const WEIGHING_TIME: Duration = Duration::from_secs(8 * 3_600);
const CRATE_TIME: Duration = Duration::from_secs(15);
/// Loads that are shown one by one.
const LOADS_SHOWN: usize = 12;

/// The day while it is played.
pub(crate) struct Story<'a> {
    office: &'a Office,
    plan: &'a Plan,
    clock: &'a DayClock,
    asha: Phone,
    ravi: Phone,
    farmers: BTreeMap<usize, FarmerId>,
    /// Loads by the person who weighs for them, and their number in the plan; each person opens a load 1 of their own.
    loads: BTreeMap<(Person, usize), LoadId>,
    /// First delivery of the first load, which both phones know when they part.
    first: Option<DeliveryId>,
    bar: ProgressBar,
}

impl<'a> Story<'a> {
    /// Enrols the two phones.
    pub(crate) fn begin(
        office: &'a Office,
        plan: &'a Plan,
        market: &'a Market,
        clock: &'a Arc<DayClock>,
    ) -> anyhow::Result<Self> {
        let crate_time = (WEIGHING_TIME / plan.crates.max(1)).min(CRATE_TIME);
        let enrol = |name, role| {
            Phone::enrol(name, role, office, market, clock, crate_time).with_context(|| format!("{name} cannot enrol"))
        };
        let (asha, ravi) = (enrol("Asha", Role::FieldManager)?, enrol("Ravi", Role::Dispatcher)?);
        let bar = ProgressBar::new((plan.first.len() + 1 + plan.rest.len()) as u64);
        Ok(Self { office, plan, clock, asha, ravi, farmers: BTreeMap::new(), loads: BTreeMap::new(), first: None, bar })
    }

    /// Plays all acts. Returns the phones of Asha and Ravi.
    pub(crate) fn play(mut self) -> anyhow::Result<[Phone; 2]> {
        self.heading("1  Morning, with network");
        self.morning()?;
        self.heading("2  Without network: one lorry, two phones");
        let (mut story, made_up) = self.first_load()?;
        story.heading("3  A moment of network");
        story.sync_all()?;
        story.heading("4  Without network again: neither knows what the other does");
        story.apart(made_up)?;
        story.heading("5  Network again");
        story.clock.advance(Duration::from_secs(30 * 60));
        story.sync_all()?;
        story.heading("6  At the desk");
        story.at_the_desk()?;
        story.bar.finish_and_clear();
        Ok([story.asha, story.ravi])
    }

    fn morning(&mut self) -> anyhow::Result<()> {
        self.print(
            "Asha (field manager) and Ravi (dispatcher) enrol: each with a folder, a key and a code from the office.",
        );
        let Plan { expected_farmers, farmers, .. } = self.plan;
        for farmer in expected_farmers {
            self.farmer(*farmer, Person::Asha)?;
        }
        let newcomers = farmers - expected_farmers.len();
        self.print(format_args!(
            "Asha registers {} farmers; {newcomers} will come unannounced.",
            expected_farmers.len()
        ));
        self.sync(&self.asha)?;
        self.sync(&self.ravi)
    }

    /// The first load, by both. Asha's app ends while the made-up delivery is weighed, which both change later.
    fn first_load(mut self) -> anyhow::Result<(Self, DeliveryId)> {
        let load = self.open_and_join(0, Person::Asha)?;
        let farmer = self.farmer(0, Person::Asha)?;
        let draft = self.asha.add(self.asha.start(farmer, load)?, &weights(&CRATES_BEFORE_G)?)?;
        self.asha = self.asha.restart()?;
        let kept = self.asha.client.drafts()?.into_iter().next().context("the draft is lost")?;
        ensure!(kept.delivery_id == draft.delivery_id && kept.bags == draft.bags, "the draft has changed");
        self.print(format_args!(
            "Asha's app is ended in the middle of weighing and started again: the draft is there with all {} crates.",
            kept.bags.len()
        ));
        let made_up = self.asha.record(&self.asha.add(kept, &weights(&CRATES_AFTER_G)?)?)?;
        let gross = grouped(made_up.totals.gross_g.0);
        self.print(format_args!("Asha records it, {gross} g. It is made up, beyond the published total; remember it."));
        self.first = self.weigh_all(&self.plan.first)?;
        Ok((self, made_up.delivery_id))
    }

    /// Changes of two people who cannot know of each other's.
    fn apart(&mut self, made_up: DeliveryId) -> anyhow::Result<()> {
        let load = *self.loads.get(&(Person::Asha, 0)).context("no first load")?;
        let closing = self.asha.request_close(load)?;
        self.print(format_args!(
            "Asha asks to close load {}: {} deliveries, {} g on the manifest.",
            closing.number,
            closing.sum.deliveries,
            grouped(closing.sum.gross_g.0)
        ));
        let (_, late) = self.weigh(&self.plan.late, load)?;
        self.print(format_args!("Ravi still puts one more delivery on it, {late}: his phone cannot know."));

        self.clock.advance(Duration::from_secs(60));
        let amended = self.asha.amend(made_up, BagWeight::try_from(Grams(FORGOTTEN_CRATE_G))?)?;
        let receipt = amended.receipt_number.context("no receipt")?;
        self.print(format_args!("Asha amends the made-up delivery {receipt}: a crate was forgotten."));
        self.ravi.void(made_up)?;
        self.print(format_args!("Ravi voids {receipt}: the farmer took it back."));

        if let Some(first) = self.first {
            desk::declare(&self.asha, first, 40)?;
            desk::declare(&self.ravi, first, 41)?;
            self.print("Asha notes that the first farmer declared 40 crates, Ravi that it was 41.");
        }

        for person in [Person::Asha, Person::Ravi] {
            let opened = self.phone(person).open_load(1)?;
            self.loads.insert((person, 1), opened.load_id);
            let (number, lorry) = (opened.number, opened.lorry);
            self.print(format_args!(
                "{person:?} opens load {number} on lorry {lorry}, without knowing of the other's."
            ));
        }
        self.weigh_all(&self.plan.rest)?;
        Ok(())
    }

    /// What follows the weighing: a conflict is resolved, moisture read, a lorry weighed, and papers printed.
    fn at_the_desk(&self) -> anyhow::Result<()> {
        let Some(first) = self.first else { return Ok(()) };
        let load = *self.loads.get(&(Person::Asha, 0)).context("no first load")?;
        let values = desk::settle_declared(&self.ravi)?.join(" or ");
        self.print(format_args!("Ravi settles how many crates were declared: {values}; the first one stays."));
        let net = desk::from_to(desk::read_moisture(&self.ravi, first)?);
        self.print(format_args!("Ravi reads a moisture of 94.50 % (the target is 94): net {net}."));
        if let Some(other) = self.loads.get(&(Person::Ravi, 1)) {
            let moved = desk::split(&self.ravi, first, *other)?;
            self.print(format_args!("Ravi puts {moved} crates of the first delivery on his second load."));
        }
        let net = grouped(desk::weigh_load(&self.ravi, load)?.0);
        self.print(format_args!("The weighbridge's ticket of the first load: {net} g net."));
        self.sync_all()?;
        desk::sign(&self.asha, first)?;
        self.print("The first farmer signs on Asha's screen.");
        let money = |minor: i64| Money::try_from(minor);
        self.office.lease(&self.asha, money(LEASED_MINOR)?)?;
        self.sync(&self.asha)?;
        let left = desk::advance(&self.asha, first, money(ADVANCE_MINOR)?)?;
        self.print(format_args!(
            "The office leases 5,000 rupees to Asha; she pays the farmer an advance of 3,000: {} are left.",
            grouped(left.minor() / 100)
        ));
        match desk::advance(&self.asha, first, money(ADVANCE_MINOR)?) {
            Err(Error::AllowanceExceeded { .. }) => {
                self.print("Another 3,000 are refused by her phone, which needs no network for that.");
            }
            other => bail!("more was paid than leased: {other:?}"),
        }
        let draft = self.asha.start(self.asha.client.delivery(first)?.farmer_id.context("no farmer")?, load)?;
        let warned = desk::warnings(&self.asha, &draft)?.join(", ");
        self.print(format_args!("Asha tries the scale, and her screen warns: {warned}. She leaves it."));
        self.sync_all()?;
        self.print("Asha prints the first receipt and the manifest of the first load.");
        desk::print(&self.asha, first, load)?;
        self.sync_all()
    }

    /// Weighs deliveries, and returns the first one.
    fn weigh_all(&mut self, lots: &[Lot]) -> anyhow::Result<Option<DeliveryId>> {
        let mut first = None;
        for lot in lots {
            let load = match self.loads.get(&(lot.weigher, lot.load)) {
                Some(load) => *load,
                None => self.open_and_join(lot.load, lot.weigher)?,
            };
            let (delivery, _) = self.weigh(lot, load)?;
            first.get_or_insert(delivery);
        }
        let by_asha = lots.iter().filter(|lot| lot.weigher == Person::Asha).count();
        self.print(format_args!("Asha weighs {by_asha} deliveries, Ravi {}.", lots.len() - by_asha));
        Ok(first)
    }

    /// Weighs a delivery for `load`, whatever load the plan says, and records it. Returns it, and its receipt number.
    fn weigh(&mut self, lot: &Lot, load: LoadId) -> anyhow::Result<(DeliveryId, String)> {
        let mut farmer = self.farmer(lot.farmer, lot.weigher)?;
        if lot.is_twin {
            farmer = self.register_again(lot.farmer, lot.weigher)?;
        }
        let phone = self.phone(lot.weigher);
        let recorded = phone.record(&phone.add(phone.start(farmer, load)?, &lot.crates)?)?;
        self.bar.inc(1);
        Ok((recorded.delivery_id, recorded.receipt_number.context("no receipt")?.to_string()))
    }

    /// Opens a load of the plan on the phone of `person`; the other person joins it by the code on that phone.
    fn open_and_join(&mut self, number: usize, person: Person) -> anyhow::Result<LoadId> {
        let (phone, other) = match person {
            Person::Asha => (&self.asha, &self.ravi),
            Person::Ravi => (&self.ravi, &self.asha),
        };
        let opened = phone.open_load(number)?;
        other.join_load(&opened.join_code)?;
        if number < LOADS_SHOWN || number + 1 == self.plan.loads {
            let (name, other) = (phone.name, other.name);
            let (number, lorry) = (&opened.number, &opened.lorry);
            self.print(format_args!(
                "{name} opens load {number} on lorry {lorry}; {other} joins by the code on the screen."
            ));
        }
        self.loads.extend([((Person::Asha, number), opened.load_id), ((Person::Ravi, number), opened.load_id)]);
        Ok(opened.load_id)
    }

    /// Returns a farmer of the plan; if nobody has registered them, does so on the phone of `person`.
    fn farmer(&mut self, number: usize, person: Person) -> anyhow::Result<FarmerId> {
        if let Some(known) = self.farmers.get(&number) {
            return Ok(*known);
        }
        let Farmer { name, village, phone, .. } = Farmer::numbered(number);
        let registered = self
            .phone(person)
            .register(ContactDetails { name, village, phone, ..ContactDetails::default() }, &[])?
            .farmer_id;
        self.farmers.insert(number, registered);
        Ok(registered)
    }

    /// Registers a farmer a second time under another spelling, on the phone of `person`, although the phone asks.
    fn register_again(&self, number: usize, person: Person) -> anyhow::Result<FarmerId> {
        let Farmer { name: first_name, other_name: name, village, phone } = Farmer::numbered(number);
        let details = ContactDetails { name, village, phone, ..ContactDetails::default() };
        match self.phone(person).register(details.clone(), &[]) {
            Err(Error::Confirm { checks }) if checks == [Check::FarmerLooksAlike] => {}
            other => bail!("the phone did not ask about a farmer who looks alike: {other:?}"),
        }
        let second = self.phone(person).register(details.clone(), &[Check::FarmerLooksAlike])?;
        self.print(format_args!(
            "{person:?} registers {:?}; the phone asks, because {first_name:?} has the same number. {person:?} says yes.",
            details.name
        ));
        Ok(second.farmer_id)
    }

    /// Syncs Asha first and last, so that both have everything.
    fn sync_all(&self) -> anyhow::Result<()> {
        [&self.asha, &self.ravi, &self.asha].into_iter().try_for_each(|phone| self.sync(phone))
    }

    fn sync(&self, phone: &Phone) -> anyhow::Result<()> {
        self.clock.advance(Duration::from_secs(60));
        let started = Instant::now();
        let report = phone.sync()?;
        let (ms, progress) = (started.elapsed().as_millis(), report.progress);
        self.print(format_args!(
            "{} syncs   up {:>9} B   down {:>9} B   {:>2} requests   {ms:>5} ms   sent {:>5}   received {:>5}",
            phone.name,
            HumanCount(progress.bytes_up).to_string(),
            HumanCount(progress.bytes_down).to_string(),
            progress.requests,
            progress.logged,
            progress.received,
        ));
        ensure!(report.outcome == SyncOutcome::Complete, "the sync is not complete: {:?}", report.outcome);
        Ok(())
    }

    fn phone(&self, person: Person) -> &Phone {
        match person {
            Person::Asha => &self.asha,
            Person::Ravi => &self.ravi,
        }
    }

    fn heading(&self, text: &str) {
        self.bar.suspend(|| say(format_args!("\n{text}")));
    }

    fn print(&self, text: impl Display) {
        self.bar.suspend(|| say(format_args!("  {}  {text}", self.clock.time_of_day())));
    }
}

fn weights(grams: &[i64]) -> anyhow::Result<Vec<BagWeight>> {
    grams.iter().map(|grams| Ok(BagWeight::try_from(Grams(*grams))?)).collect()
}
