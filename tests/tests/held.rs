//! Held work: the document continues without it, later work does not wait, and the office approves or rejects it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use farmtally_core::client::{Choice, InboxKind, Lifecycle, SyncOutcome, Topic};
use farmtally_core::decisions::Order;
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle;
use farmtally_core::records::Delivery;
use farmtally_core::rules::Check;
use farmtally_core::units::{DeliveryId, DeviceCode, DocumentId, FarmerId};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::serve;
use farmtally_tests::Fault::ResponseLost;
use farmtally_tests::{Forger, Market, Person, bytes_of, fingerprint, verdict_code};
use futures_util::FutureExt;

fn code(person: &Person) -> DeviceCode {
    person.client.session().expect("a session").device_code
}

fn grant(market: &Market, person: &Person, role: Role) {
    let centres = ["KOLAR".parse().expect("a code")];
    market.server.grant(market.organisation, code(person), person.name.as_str(), role, &centres).expect("granted");
}

/// Held items of the phone's inbox: code, and the gross weight that the record would have.
fn held(person: &Person) -> Vec<(String, Option<i64>)> {
    let items = person.inbox().into_iter().filter_map(|item| match item.kind {
        InboxKind::Held { code, .. } => {
            let record = person.client.held_record(item.basis.document_id).expect("readable");
            let gross = record.map(|record| record.downcast::<Delivery>().expect("a delivery").gross().0);
            Some((code.to_string(), gross))
        }
        _ => None,
    });
    items.collect()
}

/// The office's page, over HTTP.
fn page(market: &Market) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = std::sync::Arc::clone(&market.server);
    let running = runtime.block_on(serve(server, Ipv4Addr::LOCALHOST.into(), 0)).expect("it listens");
    let mut stream = TcpStream::connect(running.address()).expect("connected");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("asked");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("a page");
    page
}

/// Asha's amendment was held, because it named a grant that does not exist.
struct Story {
    market: Market,
    asha: Person,
    ravi: Person,
    delivery: DeliveryId,
}

impl Story {
    /// A delivery of 20 kg that everybody has, then an amendment by 1 kg that the server holds.
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
        asha.syncs_wholly();
        asha.amends(delivery, 1_000).expect("amended");
        asha.disowns();
        asha.syncs_wholly();
        assert_eq!(held(&asha), [("not_allowed".to_owned(), Some(21_000))]);
        Self { market, asha, ravi, delivery }
    }

    fn gross(person: &Person, delivery: DeliveryId) -> i64 {
        person.client.delivery(delivery).expect("a delivery").totals.gross_g.0
    }
}

/// Makes the newest change in the outbox one that the server must hold: it names a grant that does not exist.
trait Disowns {
    fn disowns(&self);
}

impl Disowns for Person {
    fn disowns(&self) {
        let db = rusqlite::Connection::open(self.database()).expect("it opens");
        let sql = "UPDATE outbox SET grant_id = zeroblob(16) WHERE outbox = (SELECT max(outbox) FROM outbox)";
        assert_eq!(db.execute(sql, []).expect("changed"), 1);
    }
}

#[test]
fn listeners_are_notified_of_held_changes() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    asha.amends(delivery, 1_000).expect("amended");
    asha.disowns();
    let events = asha.client.events();
    let next = |after| events.next(after).now_or_never().flatten().expect("something newer");
    let before = next(0).sequence;
    asha.syncs_wholly();
    let topics = next(before).topics;
    assert_eq!(held(&asha).len(), 1);
    assert!(topics.contains(&Topic::Inbox) && topics.contains(&Topic::Deliveries), "{topics:?}");
}

#[test]
fn the_document_continues_without_what_is_held_and_shows_it_beside() {
    let Story { market, asha, ravi, delivery } = Story::new(1);
    assert_eq!(Story::gross(&asha, delivery), 20_000, "as everybody sees it");
    // Later work does not build on the held change, so it is logged.
    asha.amends(delivery, 2_000).expect("amended");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((Story::gross(&asha, delivery), Story::gross(&ravi, delivery)), (22_000, 22_000));
    assert_eq!(held(&asha), [("not_allowed".to_owned(), Some(23_000))]);

    let document = DocumentId::from(delivery);
    market.server.approve(market.organisation, document, None).expect("approved");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((Story::gross(&asha, delivery), Story::gross(&ravi, delivery)), (23_000, 23_000));
    assert_eq!(held(&asha), []);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    let again = market.server.approve(market.organisation, document, None).expect_err("nothing is held");
    assert!(again.to_string().contains("not held"), "{again}");
}

#[test]
fn what_builds_on_a_held_change_shares_its_verdict_and_nothing_else_does() {
    let mut market = Market::open(2);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    asha.amends(delivery, 1_000).expect("amended");
    asha.disowns();
    asha.amends(delivery, 2_000).expect("amended");
    let other = asha.weighs(farmer, None, &[30_000]).delivery_id;
    asha.syncs_wholly();
    let codes: Vec<String> = held(&asha).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["not_allowed", "follows_held"]);
    ravi.syncs_wholly();
    assert_eq!(Story::gross(&ravi, other), 30_000, "what came behind waits for nothing");

    // Approving the first approves the second, which builds on it.
    let first =
        market.server.held(market.organisation).expect("a list").into_iter().find(|it| it.code == "not_allowed");
    let first = first.expect("held").entry.change;
    let approved = market.server.approve(market.organisation, delivery.into(), Some(first)).expect("approved");
    assert_eq!(approved.len(), 2);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((Story::gross(&asha, delivery), Story::gross(&ravi, delivery)), (23_000, 23_000));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
}

#[test]
fn what_is_held_or_came_back_is_a_matter_of_its_author_and_their_centre() {
    let mut market = Market::open(60);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let device = asha.client.session().expect("a session").device_code;
    for (name, centre) in [("Bela", "MALUR"), ("Chandra", "KOLAR")] {
        let centres = [centre.parse().expect("a code")];
        market.server.grant(market.organisation, device, name, Role::Clerk, &centres).expect("granted");
    }
    asha.syncs_wholly();
    market.server.order(market.organisation, device, Order::Lost).expect("marked");
    let first = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.weighs(farmer, None, &[21_000]);
    asha.syncs_wholly();
    market.server.order(market.organisation, device, Order::Resume).expect("found");
    market.server.reject(market.organisation, first.into(), None, "weigh it again").expect("rejected");
    asha.syncs_wholly();
    let item = asha.inbox().into_iter().find(|item| matches!(item.kind, InboxKind::Rejected { .. })).expect("a note");
    let choice = item.choices[0].clone();
    assert_eq!(asha.inbox().len(), 2, "one is held, one came back");
    let hands_to = |name: &str| {
        let user = asha.client.users().into_iter().find(|user| user.name == name).expect("a user").user_id;
        asha.client.switch_user(user).expect("handed over");
    };
    hands_to("Bela");
    assert_eq!(asha.inbox(), []);
    assert_eq!(asha.client.resolve(item.basis, &choice).expect_err("not hers").code(), ErrorCode::Stale);
    hands_to("Chandra");
    assert_eq!(asha.inbox().len(), 2, "of the same centre");
    hands_to("Asha");
    asha.client.resolve(item.basis, &choice).expect("put away");
    asha.client.resolve(item.basis, &choice).expect("twice is once");
    assert_eq!(asha.inbox().len(), 1);
}

#[test]
fn a_rejected_amendment_is_gone_and_its_author_is_notified() {
    let Story { market, asha, ravi, delivery } = Story::new(3);
    let returned = market.server.reject(market.organisation, delivery.into(), None, "weigh it again");
    assert_eq!(returned.expect("rejected").len(), 1);
    asha.syncs_wholly();
    assert_eq!(held(&asha), []);
    let item = asha.inbox().into_iter().next().expect("a note");
    let InboxKind::Rejected { number, reason, draft_id: draft, .. } = item.kind else { panic!("{item:?}") };
    assert_eq!((reason.as_str(), draft), ("weigh it again", None));
    asha.client.resolve(item.basis, &Choice::Dismiss { number }).expect("put away");
    assert!(asha.inbox().is_empty());
    // What she does next is independent of the rejected change.
    asha.amends(delivery, 3_000).expect("amended");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((Story::gross(&asha, delivery), Story::gross(&ravi, delivery)), (23_000, 23_000));
    assert_eq!(asha.client.sync_status().expect("a status").backlog.oldest_at, None);
}

#[test]
fn a_delivery_that_is_sent_back_becomes_a_draft_with_its_bags_and_its_receipt() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let sent = asha.weighs(farmer, None, &[20_000, 21_000]);
    asha.disowns();
    let later = asha.weighs(farmer, None, &[22_000]);
    asha.syncs_wholly();
    assert!(matches!(asha.client.delivery(sent.delivery_id), Err(Error::NotFound { .. })), "it counts nowhere");
    assert_eq!(asha.sum().gross_g.0, 22_000);
    market.server.reject(market.organisation, sent.delivery_id.into(), None, "wrong farmer").expect("rejected");
    asha.syncs_wholly();

    let draft = asha.client.drafts().expect("drafts").into_iter().next().expect("a draft");
    assert_eq!((draft.totals, draft.farmer_id), (sent.totals, sent.farmer_id));
    let again = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!((again.receipt_number, again.replaces), (sent.receipt_number, Some(sent.delivery_id)));
    assert_eq!(again.lifecycle, Lifecycle::Recorded);
    let next = asha.weighs(farmer, None, &[23_000]);
    assert!(next.receipt_number > later.receipt_number, "the count continues where it was");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.sum().gross_g.0, 41_000 + 22_000 + 23_000);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
}

#[test]
fn what_can_be_no_record_can_be_sent_back_but_not_approved() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let sql = "UPDATE outbox SET change = x'00' WHERE outbox = (SELECT max(outbox) FROM outbox)";
    assert_eq!(db.execute(sql, []).expect("changed"), 1);
    drop(db);
    asha.syncs_wholly();
    let entry = market.server.held(market.organisation).expect("a list").remove(0);
    assert_eq!((entry.entry.document(), entry.code.as_str()), (delivery.into(), "malformed"));
    for named in [None, Some(entry.entry.change)] {
        let approved = market.server.approve(market.organisation, entry.entry.document(), named);
        let error = approved.expect_err("no record").to_string();
        for text in ["it cannot be approved", "its bytes are not a change", "`held reject`", "stays held"] {
            assert!(error.contains(text), "{named:?}: {text}: {error}");
        }
    }
    market.server.reject(market.organisation, entry.entry.document(), Some(entry.entry.change), "").expect("rejected");
    asha.syncs_wholly();
    assert!(market.server.held(market.organisation).expect("a list").is_empty());
    assert_eq!(asha.client.sync_status().expect("a status").backlog.held, 0);
}

#[test]
fn a_decision_reaches_a_phone_that_lost_every_answer_until_then() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.disowns();
    asha.network.plan(&[ResponseLost]);
    asha.syncs().expect("a sync");
    market.server.approve(market.organisation, delivery.into(), None).expect("approved");
    asha.syncs_wholly();
    assert_eq!(Story::gross(&asha, delivery), 20_000);
    assert_eq!(asha.client.sync_status().expect("a status").backlog, farmtally_core::client::Backlog::default());
    grant(&market, &asha, Role::Clerk);
    asha.syncs_wholly();
    assert_eq!(asha.tries_to_open("KA07A1111").expect_err("the newest grant counts").code(), ErrorCode::NotAllowed);
}

#[test]
fn times_on_the_page_name_the_zone_of_the_organisation() {
    let story = Story::new(21);
    let (html, zone) = (page(&story.market), story.market.server.zone(story.market.organisation).expect("a zone"));
    for head in ["Recorded", "Since", "Last contact"] {
        assert!(html.contains(&format!("<th>{head} ({zone})</th>")), "{head} ({zone}): {html}");
    }
}

#[test]
fn the_office_sees_what_is_held_and_what_waits_on_its_page() {
    let story = Story::new(20);
    let entry = story.market.server.held(story.market.organisation).expect("held").remove(0);
    let html = page(&story.market);
    for shown in [
        &entry.entry.document().to_string(),
        &entry.entry.change.to_string(),
        "not_allowed",
        "Asha",
        "no two verified copies",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    story
        .market
        .server
        .approve(story.market.organisation, entry.entry.document(), Some(entry.entry.change))
        .expect("approved");
    assert!(!page(&story.market).contains(&entry.entry.change.to_string()));

    // An amendment that reaches the server without its delivery.
    let farmer = story.ravi.registers("Meena", "Vemagal", "").farmer_id;
    let delivery = story.ravi.weighs(farmer, None, &[20_000]).delivery_id;
    story.ravi.amends(delivery, 21_000).expect("amended");
    let db = rusqlite::Connection::open(story.ravi.database()).expect("it opens");
    db.execute("DELETE FROM outbox WHERE document_id = ?1 AND outbox = (SELECT min(outbox) FROM outbox WHERE document_id = ?1)", [delivery])
        .expect("taken out");
    story.ravi.syncs().expect("a sync");
    let html = page(&story.market);
    assert!(html.contains("Waiting for others") && html.contains(&delivery.to_string()), "{html}");
}

#[test]
fn somebody_of_whom_only_held_work_tells_can_be_forgotten_too() {
    let mut market = Market::open(47);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Zipporah Quill", "Vemagal", "").farmer_id;
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    assert_eq!(db.execute("UPDATE outbox SET grant_id = zeroblob(16)", []).expect("changed"), 2);
    drop(db);
    asha.syncs_wholly();
    let held = || -> Vec<DocumentId> {
        let lane = market.server.held(market.organisation).expect("a list");
        lane.into_iter().map(|it| it.entry.document()).collect()
    };
    let erase = |id: DocumentId| market.server.erase_farmer(market.organisation, FarmerId::from(id));
    let contact = held().into_iter().find(|id| *id != farmer.into()).expect("the contact details");
    assert_eq!(erase(contact).expect_err("not a farmer").code(), ErrorCode::NotFound);
    assert_eq!(erase(farmer.into()).expect("erased"), 1);
    assert_eq!(held(), [farmer.into()]);
    asha.syncs_wholly();
    let scattered = asha.restarts();
    for folder in [market.server_folder(), scattered.folder.clone()] {
        assert!(!bytes_of(&folder).windows(8).any(|it| it == b"Zipporah"), "{}", folder.display());
    }
    assert_eq!(erase(farmer.into()).expect_err("nothing is left").code(), ErrorCode::NotFound);
}

#[test]
fn a_record_outside_of_its_kinds_home_cannot_be_approved() {
    let mut market = Market::open(31);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let mut forger = Forger::with_phone_of(&asha, &market);
    let [_, contact] = forger.outbox().try_into().expect("two entries");
    for (number, scope) in [(201, "org"), (202, "c/KOLAR/2019")] {
        let (document, scope) = (DocumentId::from([number; 16]), scope.parse().expect("a scope"));
        let verdicts =
            forger.seals_and_uploads(vec![bundle::BundleEntry { document_id: document, scope, ..contact.clone() }]);
        assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["out_of_scope"]);
        let approved = market.server.approve(market.organisation, document, None);
        assert_eq!(approved.expect_err("nobody may").code(), ErrorCode::InvalidInput);
        market.server.reject(market.organisation, document, None, "").expect("sent back");
    }
}

#[test]
fn what_waits_for_an_upgrade_of_the_server_is_shown_as_waiting() {
    let mut market = Market::open(32);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    assert_eq!(db.execute("UPDATE outbox SET kind = 200", []).expect("changed"), 2);
    drop(db);
    let report = asha.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Partial);
    let backlog = asha.client.sync_status().expect("a status").backlog;
    assert_eq!((backlog.unsent, backlog.sent, backlog.deferred, backlog.missing), (0, 0, 2, 0));
}
