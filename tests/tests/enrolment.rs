//! Enrolment of phones, with and without faults, and refused attempts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::SigningKey;
use farmtally_core::protocol::message::{self, EnrolRequest, Enrolment, Problem};
use farmtally_core::store::sql::{Error as SqlError, Reader};
use farmtally_core::sync::{WireRequest, WireResponse};
use farmtally_core::{Error, ErrorCode, client};
use farmtally_sync_server::storage::{SqliteStorage, Storage};
use farmtally_tests::watched::{Call, Watch, Watched};
use farmtally_tests::{ADDRESS, Fault, Market, Person};

const DAY: i64 = 24 * 3_600;

fn enrols(person: &Person, code: &str) -> Result<client::Session, Error> {
    person.client.enrol(&person.network, ADDRESS, code, "test phone")
}

/// Redeems a code without the app.
fn redeems(market: &Market, code: &str, key: &SigningKey) -> WireResponse {
    let body = message::pack(&EnrolRequest::new(code, key, "by hand")).expect("it packs");
    let server_url = ADDRESS.to_owned();
    market.server.respond(&WireRequest { method: "POST", server_url, path: "/v1/enrol", authorization: None, body })
}

fn enrolment(response: &WireResponse) -> Enrolment {
    assert_eq!(response.status, 200);
    message::unpack(&response.body).expect("an enrolment")
}

fn refusal(response: &WireResponse) -> (u16, Problem) {
    (response.status, message::unpack(&response.body).expect("a problem"))
}

fn devices(market: &Market) -> i64 {
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    db.query_row("SELECT count(*) FROM devices", [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_code_lets_one_phone_in_and_no_second() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.meets("Asha"), market.meets("Ravi"));
    let code = market.code("Asha", "field_manager", "KOLAR");

    enrols(&asha, &code).expect("enrolled");
    let error = enrols(&ravi, &code).expect_err("a used code");
    assert_eq!(error.code(), ErrorCode::InvalidInput);
    assert!(error.to_string().contains("used already"), "{error}");
    assert!(ravi.client.session().is_none());
    let again = enrols(&asha, &code).expect_err("enrolled already");
    assert_eq!(again.code(), ErrorCode::NotAllowed);
    assert_eq!(devices(&market), 1);
}

#[test]
fn a_phone_whose_answer_was_lost_asks_again_and_is_the_same_device() {
    for (fault, code_of_first) in [
        (Fault::ResponseLost, Some(ErrorCode::Interrupted)),
        (Fault::ResponseCut, Some(ErrorCode::Interrupted)),
        (Fault::ResponseBent, Some(ErrorCode::Interrupted)),
        (Fault::RequestLost, Some(ErrorCode::Offline)),
        (Fault::Duplicated, None),
    ] {
        let mut market = Market::open(2);
        let asha = market.meets("Asha");
        let code = market.code("Asha", "field_manager", "KOLAR");
        asha.network.plan(&[fault]);
        let first = enrols(&asha, &code);
        assert_eq!(first.as_ref().err().map(Error::code), code_of_first, "{fault:?}: {first:?}");

        let asha = asha.restarts();
        // A code that was redeemed in time stays redeemed, however late the phone retries.
        if fault != Fault::RequestLost {
            market.clock.pass(30 * DAY);
        }
        if first.is_err() {
            asha.network.plan(&[]);
            enrols(&asha, &code).expect("enrolled");
        }
        assert_eq!(devices(&market), 1, "{fault:?}");
        assert!(asha.client.session().expect("a session").grant_id.is_some());
    }
}

#[test]
fn the_same_code_and_key_are_answered_alike_and_another_key_is_refused() {
    let market = Market::open(3);
    let code = market.code("Asha", "field_manager", "KOLAR");
    let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));

    let first = enrolment(&redeems(&market, &code, &key));
    let second = enrolment(&redeems(&market, &code, &key));
    assert_eq!(first.certificate, second.certificate);
    let (status, problem) = refusal(&redeems(&market, &code, &other));
    assert_eq!((status, problem.code.as_str()), (422, "invalid_input"));
    assert_eq!(devices(&market), 1);
}

#[test]
fn a_proof_with_another_key_is_refused_and_leaves_the_code_good() {
    let market = Market::open(4);
    let code = market.code("Asha", "field_manager", "KOLAR");
    let (key, thief) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let mut forged = EnrolRequest::new(&code, &thief, "by hand");
    forged.public_key = key.verifying_key().to_bytes();
    let body = message::pack(&forged).expect("it packs");
    let server_url = ADDRESS.to_owned();
    let request = WireRequest { method: "POST", server_url, path: "/v1/enrol", authorization: None, body };
    assert_eq!(refusal(&market.server.respond(&request)).0, 422);
    enrolment(&redeems(&market, &code, &key));
}

#[test]
fn a_code_is_good_for_seven_days() {
    for (age, is_good) in [(7 * DAY, true), (7 * DAY + 1, false), (8 * DAY, false)] {
        let mut market = Market::open(5);
        let asha = market.meets("Asha");
        let code = market.code("Asha", "field_manager", "KOLAR");
        market.clock.pass(age);
        match enrols(&asha, &code) {
            Ok(session) => assert!(is_good && session.grant_id.is_some(), "{age} s"),
            Err(error) => {
                assert_eq!((is_good, error.code()), (false, ErrorCode::InvalidInput), "{age} s");
                assert!(error.to_string().contains("expired"), "{error}");
            }
        }
        assert_eq!(devices(&market), i64::from(is_good));
    }
}

#[test]
fn an_unknown_code_is_refused_and_the_phone_may_try_another() {
    let mut market = Market::open(6);
    let asha = market.meets("Asha");
    for wrong in ["AAAA-BBBB-CCCC-DDDD", "x", "-"] {
        let error = enrols(&asha, wrong).expect_err("an unknown code");
        assert_eq!(error.code(), ErrorCode::InvalidInput, "{wrong}");
    }
    assert_eq!(enrols(&asha, " ").expect_err("an empty code").code(), ErrorCode::InvalidInput);
    enrols(&asha, &market.code("Asha", "clerk", "KOLAR")).expect("enrolled");
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_sent() {
    let mut market = Market::open(10);
    let asha = market.meets("Asha");
    let code = market.code("Asha", "clerk", "KOLAR");
    let wrong = [
        ["", "sync.example.org", "https://", "http://:80", "ftp://sync.example.org", "https://sync example.org"],
        [
            "https://sync.example.org:99999",
            "https://a:b@sync.example.org",
            "https://sync.example.org?a",
            "https://x/#b",
            "/",
            "https:",
        ],
    ];
    for address in wrong.as_flattened() {
        let error = asha.client.enrol(&asha.network, address, &code, "test phone").expect_err(address);
        assert!(matches!(error, Error::Invalid { field: "server_url", .. }), "{address}: {error:?}");
    }
    let typed = format!(" {}/ ", ADDRESS.to_uppercase());
    asha.client.enrol(&asha.network, &typed, &code, "test phone").expect("enrolled");
}

/// While it is set, nobody can read who is suspended, nor any other reference data.
#[derive(Clone, Default)]
struct Unreadable(Arc<AtomicBool>);

impl Watch for Unreadable {
    fn sees(&self, _: &mut dyn Reader, call: Call<'_>) -> Result<(), SqlError> {
        match call {
            Call::Statement(statement, _) if self.0.load(Ordering::Relaxed) && statement.contains("FROM reference") => {
                Err(SqlError::Engine { source: "a fault of the test".into() })
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_fault_of_the_database_does_not_look_like_a_suspension() {
    let unreadable = Unreadable::default();
    let watch = unreadable.clone();
    let open = move |folder: &Path| -> Box<dyn Storage> {
        let storage = Box::new(SqliteStorage::open(&folder.join("data")).expect("it opens"));
        Box::new(Watched { storage, watch: watch.clone() })
    };
    let market = Market::open_over(open, 11);
    let [first, second] = [(); 2].map(|()| market.code("Asha", "clerk", "KOLAR"));
    enrolment(&redeems(&market, &first, &SigningKey::from_bytes(&[1; 32])));
    let key = SigningKey::from_bytes(&[2; 32]);
    unreadable.0.store(true, Ordering::Relaxed);
    let (status, problem) = refusal(&redeems(&market, &second, &key));
    assert_eq!((status, problem.code.as_str()), (500, "internal"), "{}", problem.reason);
    unreadable.0.store(false, Ordering::Relaxed);
    enrolment(&redeems(&market, &second, &key));
}

#[test]
fn a_code_may_be_typed_in_lower_case_with_blanks() {
    let mut market = Market::open(7);
    let asha = market.meets("Asha");
    let code = market.code("Asha", "clerk", "KOLAR");
    let typed = format!("  {} ", code.to_lowercase().replace('-', " "));
    assert_ne!(typed, code);
    enrols(&asha, &typed).expect("enrolled");
}

#[test]
fn a_code_of_another_organisation_leads_there() {
    let mut market = Market::open(8);
    let elsewhere = Market::open(9);
    let asha = market.meets("Asha");
    let error = enrols(&asha, &elsewhere.code("Asha", "clerk", "KOLAR")).expect_err("a code of another server");
    assert_eq!(error.code(), ErrorCode::InvalidInput);
    assert_eq!((devices(&market), devices(&elsewhere)), (0, 0));
}

#[test]
fn an_enrolment_that_could_not_be_saved_is_repeated_with_the_same_code() {
    let mut market = Market::open(371);
    let code = market.code("Asha", "clerk", "KOLAR");
    let asha = market.meets("Asha");
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let trigger = "CREATE TRIGGER full BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'full'); END";
    db.execute_batch(trigger).expect("a trigger");
    let failed = enrols(&asha, &code).expect_err("the time of the contact cannot be saved");
    assert_eq!(failed.code(), ErrorCode::Internal, "{failed}");
    db.execute_batch("DROP TRIGGER full").expect("dropped");
    enrols(&asha, &code).expect("enrolled");
    assert_eq!(devices(&market), 1);
}
