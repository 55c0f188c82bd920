//! Stories in which the field does not go by the book, each with real phones and the real server: what is detected, what is reviewed or
//! held, and that nothing is lost.
//!
//! A story ends where the office would decide something that this version cannot decide yet; a comment says what that is.

mod lorries;
mod office;
mod phones;
mod server;
mod weighing;

use std::collections::BTreeSet;

use farmtally_core::Error;
use farmtally_core::client::{DeliveryView, DraftEdit, InboxKind, RecordRef};
use farmtally_core::records::BagCount;
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, DocumentId, FarmerId};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::weight;
use farmtally_tests::{Market, Person, fingerprint};

/// Asha, who weighs, Ravi, who runs the centre, and a farmer whom both phones know.
struct Team {
    market: Market,
    asha: Person,
    ravi: Person,
    farmer: FarmerId,
}

impl Team {
    fn open(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111").farmer_id;
        let team = Self { market, asha, ravi, farmer };
        team.syncs();
        team
    }

    /// Both sync until nothing is left to send or receive; then all replicas are equal.
    fn syncs(&self) {
        for person in [&self.asha, &self.ravi, &self.asha, &self.ravi] {
            person.syncs_wholly();
        }
        let server = fingerprint(&self.market.server_database());
        for person in [&self.asha, &self.ravi] {
            assert_eq!(fingerprint(&person.database()), server, "{}", person.name);
            let backlog = person.client.sync_status().expect("a status").backlog;
            assert_eq!((backlog.unsent, backlog.sent, backlog.held), (0, 0, 0), "{}", person.name);
        }
    }

    /// Both phones have these totals of the day: deliveries, voided ones, bags, grams.
    fn sum_to(&self, deliveries: u64, voided: u64, bags: u64, grams: i64) {
        for person in [&self.asha, &self.ravi] {
            let sum = person.sum();
            let found = (sum.deliveries, sum.voided, sum.bags, sum.gross_g.0);
            assert_eq!(found, (deliveries, voided, bags, grams), "{}", person.name);
        }
    }

    /// Both phones have these reviews of a code, each with the records that it names.
    fn reviewed(&self, code: &str, expected: &[&[DocumentId]]) {
        let expected: BTreeSet<BTreeSet<DocumentId>> = expected.iter().map(|it| it.iter().copied().collect()).collect();
        for person in [&self.asha, &self.ravi] {
            assert_eq!(reviews(person, code), expected, "{}", person.name);
        }
    }

    /// The server holds nothing.
    fn holds_nothing(&self) {
        assert_eq!(self.market.server.held(self.market.organisation).expect("a list"), []);
    }

    fn publishes(&self, reference: &str) {
        let file = ReferenceFile::parse(reference).expect("reference data");
        self.market.server.update_reference(self.market.organisation, &file).expect("published");
    }
}

/// The records that each review of a code names, as a phone shows them.
fn reviews(person: &Person, code: &str) -> BTreeSet<BTreeSet<DocumentId>> {
    let items = person.inbox().into_iter();
    let of_code =
        items.filter(|it| matches!(&it.kind, InboxKind::Review { code: found, .. } if found.as_str() == code));
    of_code.map(|it| it.records.into_iter().map(RecordRef::document).collect()).collect()
}

/// Codes with which the server holds changes of a phone.
fn held_codes(person: &Person) -> Vec<String> {
    let code = |kind| match kind {
        InboxKind::Held { code, .. } => Some(code.to_string()),
        _ => None,
    };
    person.inbox().into_iter().filter_map(|item| code(item.kind)).collect()
}

/// A draft with these bags, weighed one by one, not recorded yet.
fn weighed(person: &Person, farmer: FarmerId, grams: &[i64]) -> DeliveryView {
    let draft = person.starts(Some(farmer), None);
    grams.iter().fold(draft, |draft, grams| person.adds_bag(&draft, *grams))
}

/// The checks that a phone asks about when a draft is recorded; panics if it is recorded.
fn asked(person: &Person, draft: &DeliveryView) -> Vec<Check> {
    match person.client.record_delivery(draft.basis, &[]) {
        Err(Error::Confirm { checks }) => checks,
        other => panic!("{other:?}"),
    }
}

/// Edits that weigh a lot of a hundred bags, as a heap of its own.
fn lot(grams: i64) -> [DraftEdit; 3] {
    let lot = DraftEdit::AddLot { gross: weight(grams), vehicle: None, source: None, grade: None, scale: None };
    let counts = vec![BagCount { bag_type: BagType::default(), grade: None, count: 100 }];
    [lot, DraftEdit::SetBagCounts(counts), DraftEdit::SetSecondHeap(true)]
}
