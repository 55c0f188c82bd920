//! Money in a schedule: the office leases, people pay advances, and nobody ever pays out more than was leased.

use std::collections::BTreeMap;

use farmtally_core::Error;
use farmtally_core::decisions::Lease;
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::{Advance, Kind, Simple};
use farmtally_core::rules::Check;
use farmtally_core::units::{DeviceCode, UserId};
use rand::RngExt;
use rusqlite::Connection;

use super::action::any_farmer;
use super::decisions::Promised;
use super::monitor::server_reader;
use super::oracle::FactKind;
use super::world::{CallOutcome, World};
use crate::samples::minor;

/// The office leases some money to a phone's user.
pub(super) fn leases(world: &mut World, who: usize) {
    let Some(session) = world.phones[who].client().session() else { return };
    let amount = [500, 2_000, 10_000][world.rng.random_range(0..3)];
    let until = "2399-12-31".parse().expect("a date");
    let (device, user) = (session.device_code, session.user_id);
    let result = world.server.handle().lease(world.server.organisation, device, user, minor(amount), until);
    let may_be_done = result.is_ok() || world.server.machine.is_dead() || world.server.machine.is_full();
    if may_be_done {
        *world.leased.entry((device, user)).or_default() += amount;
    }
    let what = format!("leases {amount} to {}", world.phones[who].name);
    if let Some(lease) = world.observe_office(&what, result) {
        world.expects_decision(Promised::exactly::<Lease>(lease));
    }
}

/// A phone's user pays an advance in cash: any amount, all that is left, or one more.
pub(super) fn pays(world: &mut World, who: usize) {
    let Some(farmer) = any_farmer(world, who) else { return };
    let client = world.phones[who].client();
    let Ok(allowance) = client.allowance() else { return };
    let (left, date) = (allowance.left_minor.minor(), client.date());
    let amount = match world.rng.random_range(0..4_u32) {
        0 => left.max(1),
        1 => left + 1,
        _ => world.rng.random_range(1..1_500),
    };
    let content = Advance {
        farmer_id: farmer.farmer_id,
        amount_minor: minor(amount),
        method: PaymentMethod::Cash,
        date,
        reason_code: "sowing".into(),
        reference: String::new(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    };
    let centre = world.centre(who);
    let result = world.phones[who].client().record_advance(Some(&centre), content, &Check::ALL);
    if let Err(Error::AllowanceExceeded { left: shown, .. }) = &result {
        assert!(amount > left && shown.minor() == left, "{amount} of {left} was refused");
        world.counts("met: an allowance that was used up");
    }
    let outcome = world.observe(who, &format!("pays an advance of {amount}, {left} are left"), result);
    if let CallOutcome::Done(view) = outcome {
        assert!(amount <= left, "{amount} of {left} was paid");
        let kind = Kind::of::<Simple<Advance>>();
        let made = FactKind::Made { record: view.record_id, kind, farmer: farmer.farmer_id };
        world.expect_durable(who, made, |_| Ok(()));
    }
}

/// Sums of all money that was paid out, by user and device code.
fn paid_out(db: &Connection) -> BTreeMap<(DeviceCode, UserId), i64> {
    let sql = "SELECT device_code, user_id, sum(paid_out_minor) FROM simple_records
         WHERE paid_out_minor IS NOT NULL GROUP BY device_code, user_id";
    let mut statement = db.prepare(sql).expect("a table");
    let sums = statement.query_map([], |row| Ok(((DeviceCode(row.get(0)?), row.get(1)?), row.get(2)?)));
    sums.expect("rows").collect::<Result<_, _>>().expect("a row")
}

impl World {
    /// Whether a phone with this code may have paid out what its own files do not say, because it was copied or set back.
    fn is_copied(&self, code: DeviceCode) -> bool {
        self.codes_set_back.contains(&code) || self.phones_of_codes.get(&code).is_some_and(|phones| phones.len() > 1)
    }

    /// Checks that a phone counts each advance that it shows of its own, and nothing beyond the leases.
    pub(super) fn checks_paid_out(&self, who: usize) {
        let phone = &self.phones[who];
        let Some(session) = phone.client().session().filter(|it| !self.is_copied(it.device_code)) else { return };
        let sql = "SELECT user_id, amount_minor FROM paid_out WHERE device_id = ?1";
        let mut statement = phone.looks().prepare(sql).expect("a table");
        let counted = statement.query_map([session.device_id], |row| Ok((row.get(0)?, row.get(1)?)));
        let counted: BTreeMap<UserId, i64> = counted.expect("rows").collect::<Result<_, _>>().expect("a row");
        for (user, amount) in &counted {
            let leased = self.leased.get(&(session.device_code, *user)).copied().unwrap_or_default();
            assert!(*amount <= leased, "{} paid out {amount} of {leased}", phone.name);
        }
        for ((code, user), shown) in paid_out(phone.looks()) {
            let counted = counted.get(&user).copied().unwrap_or_default();
            assert!(code != session.device_code || shown <= counted, "{} counts {counted} of {shown}", phone.name);
        }
    }

    /// Checks that no user paid out more than was leased on a phone, except on a phone that was copied or set back.
    pub(super) fn checks_leases(&mut self) {
        for who in self.unwiped() {
            self.checks_paid_out(who);
        }
        for ((code, user), sum) in paid_out(server_reader(&self.server, &mut self.server_reader)) {
            let leased = self.leased.get(&(code, user)).copied().unwrap_or_default();
            assert!(sum <= leased || self.is_copied(code), "{user} paid out {sum} of {leased} on {code}");
        }
    }
}
