//! Decisions about documents and devices: erasure, copied phones, orders.

use farmtally_core::ErrorCode;
use farmtally_core::client::{Lifecycle, SyncOutcome};
use farmtally_core::decisions::{Notice, Order};
use farmtally_core::protocol::RefusalCode;
use farmtally_core::rules::Check;
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::Fault::{None as Through, RequestLost, ResponseLost};
use farmtally_tests::{Market, Person, bytes_of, copy_folder, fingerprint};

fn contains(all: &[u8], word: &str) -> bool {
    all.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn a_notice_is_on_every_phone_until_the_next_of_its_code() {
    let mut market = Market::open(29);
    let asha = market.hires("Asha", "clerk");
    let publish = |text: &str| {
        let file = ReferenceFile::parse(&format!(r#"{{"notices": [{{"code": "hours", "text": "{text}"}}]}}"#));
        market.server.update_reference(market.organisation, &file.expect("a notice")).expect("published");
        asha.syncs_wholly();
        asha.client.reference().latest::<Notice>("hours").map(|notice| notice.text.clone())
    };
    assert_eq!(publish("The yard opens at seven").as_deref(), Some("The yard opens at seven"));
    assert_eq!(publish(" ").as_deref(), Some(""));
    let refused = ReferenceFile::parse(r#"{"notices": [{"code": " ", "text": "The yard is closed"}]}"#);
    let refused = refused.expect_err("no code").to_string();
    assert!(refused.ends_with("/notices/0/code: must not be empty (malformed)"), "{refused}");
}

#[test]
fn the_office_finds_by_what_stands_on_paper_and_sees_what_stops_a_phone() {
    let mut market = Market::open(19);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "+91 80 1234 5678");
    let load = asha.opens("KA07A1111");
    let delivery = asha.weighs(farmer.farmer_id, None, &[20_000]);
    asha.syncs_wholly();
    let find = |text: &str| {
        let found = market.server.find(market.organisation, text).expect("an answer");
        found.into_iter().map(|it| (it.kind.name, it.document_id, it.number)).collect::<Vec<_>>()
    };
    let receipt = delivery.receipt_number.as_ref().expect("a receipt").to_string();
    let is_delivery = [("delivery", delivery.delivery_id.into(), receipt.clone())];
    assert_eq!(find(&receipt), is_delivery);
    assert_eq!(find(&format!(" {} ", receipt.to_lowercase())), is_delivery);
    assert_eq!(find(&load.number), [("load", load.load_id.into(), load.number.clone())]);
    for text in [farmer.code.as_str(), "lakshmi", "VEMAG", "devi vem"] {
        assert_eq!(find(text), [("farmer", farmer.farmer_id.into(), farmer.code.clone())], "{text}");
    }
    for text in ["", "-", "\"", "nobody", "KOLAR-1-1-1", "lakshmi* OR x"] {
        assert_eq!(find(text), [], "{text}");
    }

    let states = || {
        let devices = market.server.devices(market.organisation).expect("a list");
        devices.into_iter().map(|it| format!("{} {}", it.user, it.state)).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["Asha ", "Ravi "]);
    market.server.suspend(market.organisation, "Asha", true).expect("suspended");
    let code = ravi.client.session().expect("a session").device_code;
    market.server.order(market.organisation, code, Order::Wipe).expect("ordered");
    assert_eq!(states(), ["Asha suspended: Asha", "Ravi ordered: wipe"]);
    market.server.suspend(market.organisation, "Asha", false).expect("lifted");
    ravi.syncs().expect("a sync");
    assert_eq!(states(), ["Asha ", "Ravi wiped 2019-05-09 06:30 UTC+05:30, ordered: wipe"]);
}

#[test]
fn a_person_who_is_forgotten_is_nowhere_any_more_and_every_chain_still_holds() {
    let mut market = Market::open(2);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Zipporah Quill", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let copy = market.backs_up("copy of the server's data");
    // Ravi changes the name before he receives the erasure.
    let view = ravi.client.farmer(farmer).expect("a farmer");
    let details = farmtally_core::records::farmer::ContactDetails { name: "Zipporah Quillon".into(), ..view.contact };
    ravi.client.edit_farmer(farmer, view.basis, &details).expect("edited");

    assert_eq!(market.server.erase_farmer(market.organisation, farmer).expect("erased"), 1);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let late = market.hires("Bela", "field_manager");
    late.syncs_wholly();
    for (who, folder) in
        [("server", market.server_folder()), ("Asha", asha.folder.clone()), ("Ravi", ravi.folder.clone())]
    {
        assert!(!contains(&bytes_of(&folder), "Zipporah"), "{who} still has the name");
    }
    assert_eq!(ravi.client.sync_status().expect("a status").backlog.oldest_at, None, "the late edit was answered");
    for person in [&asha, &ravi, &late] {
        assert_eq!(person.sum().gross_g.0, 20_000, "weights stay");
        person.client.delivery(delivery).expect("the delivery stays");
    }
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&late.database()));
    let again = market.server.erase_farmer(market.organisation, farmer);
    assert_eq!(again.expect_err("there is nothing left to erase").code(), ErrorCode::NotFound);

    // A server that is set back to before the erasure erases again before it answers.
    assert!(contains(&bytes_of(&copy), "Zipporah"));
    market.sets_back(&copy, true);
    assert!(!contains(&bytes_of(&market.server_folder()), "Zipporah"));
    for person in [&asha, &ravi, &late] {
        person.syncs_wholly();
    }
    market.server.end_recovery(market.organisation).expect("ended");
    let newest = market.hires("Gita", "field_manager");
    newest.syncs_wholly();
    let phones = [&asha, &ravi, &newest].map(|person| person.folder.clone());
    for folder in phones.iter().chain([&market.server_folder()]) {
        assert!(!contains(&bytes_of(folder), "Zipporah"), "{}", folder.display());
    }
    assert_eq!(fingerprint(&newest.database()), fingerprint(&market.server_database()));
}

#[test]
fn both_copies_of_a_phone_continue_under_keys_of_their_own() {
    let mut market = Market::open(3);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let twin_folder = market.path_of("twin");
    copy_folder(&asha.folder, &twin_folder);
    let twin = market.revives("Twin", &twin_folder);
    let one = asha.weighs(farmer, None, &[20_000]).delivery_id;
    let other = twin.weighs(farmer, None, &[30_000]).delivery_id;
    asha.syncs_wholly();
    let before = asha.client.session().expect("a session");
    twin.syncs_wholly();
    asha.syncs_wholly();
    let (first, second) = (twin.client.session().expect("a session"), asha.client.session().expect("a session"));
    assert!(
        first.device_id != before.device_id
            && second.device_id != before.device_id
            && first.device_id != second.device_id
    );
    assert!(first.grant_id.is_some(), "the first to take a new key continues");
    assert_eq!(second.grant_id, None, "the second only uploads, until the office looks at the review");

    let centres = ["KOLAR".parse().expect("a code")];
    let role = farmtally_core::permission::Role::FieldManager;
    market.server.grant(market.organisation, second.device_code, "Asha", role, &centres).expect("granted");
    asha.syncs_wholly();
    let last = asha.weighs(farmer, None, &[40_000]).delivery_id;
    twin.weighs(farmer, None, &[50_000]);
    for person in [&asha, &twin, &ravi, &asha, &twin] {
        person.syncs_wholly();
    }
    for id in [one, other, last] {
        ravi.client.delivery(id).expect("nothing was lost");
    }
    assert_eq!(ravi.sum().gross_g.0, 140_000);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&twin.database()));
    assert!(market.server.held(market.organisation).expect("a list").is_empty());
    let receipts = |person: &Person| person.client.delivery(last).expect("it").receipt_number;
    assert_eq!(receipts(&asha), receipts(&ravi));
}

#[test]
fn work_that_was_not_logged_is_sealed_again_unchanged_after_a_new_key() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Rekey).expect("ordered");
    for (number, faults) in [vec![RequestLost], vec![Through, ResponseLost], vec![Through, Through]].iter().enumerate()
    {
        asha.weighs(farmer, None, &[10_000 + i64::try_from(number).expect("small")]);
        asha.network.plan(faults);
        drop(asha.syncs());
    }
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.sum().gross_g.0, 30_003);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    let devices: i64 = db.query_row("SELECT count(*) FROM devices", [], |row| row.get(0)).expect("a count");
    assert_eq!(devices, 3, "one new id, though the first answer was lost");
    // The order that marks the old device as lost applies to the new one too.
    market.server.order(market.organisation, device, Order::Lost).expect("marked");
    asha.syncs_wholly();
    assert_eq!(asha.client.access(), farmtally_core::client::Access::Locked);
}

#[test]
fn an_order_is_carried_out_though_a_refused_bundle_keeps_the_sync_from_completing() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    asha.weighs(farmer, None, &[20_000]);
    asha.network.plan(&[RequestLost]);
    asha.syncs().expect("a sync");
    // Bad flash: the sealed bundle differs from what was signed.
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let sql = "SELECT bundle_seq, bytes FROM bundles WHERE is_answered = 0";
    let (sequence, mut bytes): (i64, Vec<u8>) =
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("one");
    *bytes.last_mut().expect("a signature") ^= 1;
    db.execute("UPDATE bundles SET bytes = ?2 WHERE bundle_seq = ?1", (sequence, bytes)).expect("damaged");
    drop(db);
    asha.network.plan(&[]);
    assert_eq!(asha.syncs().expect("a sync").outcome, SyncOutcome::Partial);
    let refused = asha.client.sync_status().expect("a status").backlog.refused;
    assert_eq!(refused, Some(RefusalCode::BundleSignatureWrong));

    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Rekey).expect("ordered");
    asha.syncs_wholly();
    let session = asha.client.session().expect("a session");
    assert_ne!(session.device_code, device, "a new key and a new id");
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    assert_eq!(asha.sum().gross_g.0, 20_000, "sealed again under the new key, nothing is lost");
}

#[test]
fn a_draft_of_an_older_copy_does_not_replace_the_delivery() {
    let mut market = Market::open(6);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let draft = asha.starts(Some(farmer), None);
    let draft = asha.adds_bag(&draft, 20_000);
    let older = market.path_of("an older copy");
    copy_folder(&asha.folder, &older);
    let draft = asha.adds_bag(&draft, 30_000);
    asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    ravi.amends(draft.delivery_id, 5_000).expect("amended");
    ravi.syncs_wholly();

    let copy = market.revives("Asha again", &older);
    let shown = copy.client.delivery(draft.delivery_id).expect("a draft");
    assert_eq!(shown.lifecycle, Lifecycle::Draft);
    copy.syncs_wholly();
    let recorded = copy.client.delivery(draft.delivery_id).expect("a delivery");
    assert_eq!((recorded.lifecycle, recorded.bags.len()), (Lifecycle::Recorded, 3));
    assert_eq!(copy.client.record_delivery(shown.basis, &Check::ALL).expect_err("another").code(), ErrorCode::Stale);
    // What was weighed on the copy is not lost either.
    let drafts = copy.client.today(&"KOLAR".parse().expect("a code"), None).expect("a day").drafts;
    assert_eq!(drafts.len(), 1);
    assert_eq!(drafts[0].bags.len(), 1);
}

#[test]
fn a_draft_that_stepped_aside_steps_aside_again_for_its_own_delivery() {
    let mut market = Market::open(38);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
    let copies = ["an older copy", "the same copy again"].map(|name| market.path_of(name));
    for copy in &copies {
        copy_folder(&asha.folder, copy);
    }
    asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    asha.syncs_wholly();
    // The draft of the first copy gets a new id, because its delivery arrived, and is recorded.
    let [first, second] = copies;
    let first = market.revives("Asha again", &first);
    first.syncs_wholly();
    let aside = first.client.drafts().expect("drafts").remove(0);
    first.client.record_delivery(aside.basis, &Check::ALL).expect("recorded");
    first.syncs_wholly();
    // The second copy reads both deliveries in one frame.
    let second = market.revives("Asha once more", &second);
    second.network.plan(&[Through, Through, RequestLost]);
    assert_eq!(second.syncs().expect("a report").outcome, SyncOutcome::Offline);
    for delivery in [draft.delivery_id, aside.delivery_id] {
        assert_eq!(second.client.delivery(delivery).expect("a delivery").lifecycle, Lifecycle::Recorded);
    }
    assert_eq!(second.client.drafts().expect("drafts").len(), 1);
}

#[test]
fn contact_details_that_cannot_be_read_are_erased_as_well() {
    let mut market = Market::open(31);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Zipporah Quill", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    for path in [market.server_database(), asha.database()] {
        let db = rusqlite::Connection::open(path).expect("it opens");
        let sql = "UPDATE documents SET saved = x'00' WHERE document_id IN (SELECT contact_id FROM contacts)";
        assert_eq!(db.execute(sql, []).expect("damaged"), 1);
    }
    assert_eq!(market.server.erase_farmer(market.organisation, farmer).expect("erased"), 1);
    market.restarts_server();
    asha.syncs_wholly();
    assert_eq!(asha.client.sync_status().expect("a status").set_aside, 0);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    for path in [market.server_database(), asha.database()] {
        let db = rusqlite::Connection::open(path).expect("it opens");
        let words: i64 = db.query_row("SELECT count(*) FROM words", [], |row| row.get(0)).expect("a count");
        assert_eq!(words, 0);
    }
}
