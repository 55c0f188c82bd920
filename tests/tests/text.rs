//! Names, telephone numbers and codes as people type and read them.

use farmtally_core::Error;
use farmtally_core::client::{FarmerInput, FarmerView};
use farmtally_core::decisions::Centre;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::CentreCode;
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::names::wrongly_searched;
use farmtally_tests::{ADDRESS, Market, Person};

fn kolar() -> CentreCode {
    "KOLAR".parse().expect("a code")
}

/// Registers a farmer of Vemagal, without accepting any check.
fn registers(person: &Person, name: &str, phone: &str) -> Result<FarmerView, Error> {
    let details = ContactDetails {
        name: name.into(),
        village: "Vemagal".into(),
        phone: phone.into(),
        ..ContactDetails::default()
    };
    person.client.register_farmer(&FarmerInput { centre: kolar(), details, tags: Vec::new() }, &[])
}

fn finds(person: &Person, text: &str) -> usize {
    person.farmers(text).expect("a search").items.len()
}

/// Codes of the reviews on the server, with the number of each.
fn reviews(market: &Market) -> Vec<(String, usize)> {
    let day = market.server.day(market.organisation, None).expect("a day");
    day.reviews.into_iter().map(|(code, count)| (code.as_str().to_owned(), count)).collect()
}

fn asks_about_look_alike(result: Result<FarmerView, Error>) {
    let error = result.expect_err("a question");
    assert!(matches!(&error, Error::Confirm { checks } if *checks == [Check::FarmerLooksAlike]), "{error:?}");
}

#[test]
fn names_in_thirteen_scripts_are_found_by_every_beginning_and_print_as_typed() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    assert_eq!(wrongly_searched(&market, &asha), [""; 0]);
    let shown = asha.farmers("ಸೂ").expect("a search").items;
    assert_eq!(shown[0].contact.name, "ಸೂರ\u{200d}\u{ccd}ಯ");
}

#[test]
fn a_name_registered_again_in_another_form_looks_alike() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    for (first, again) in [
        ("Adébọ\u{300}wálé", "Ade\u{301}bo\u{323}\u{300}wa\u{301}le\u{301}"),
        ("Ramésh", "Rame\u{301}sh"),
        ("मिर\u{94d}\u{91c}\u{93c}ा", "मिर\u{94d}\u{95b}ा"),
        ("Suresh", "मिर\u{94d}जा"),
        ("মি\u{9af}\u{9bc}া", "মি\u{9df}া"),
        ("Asha\u{200b} Devi", "asha  devi"),
    ] {
        registers(&asha, first, "").expect("registered");
        asks_about_look_alike(registers(&asha, again, ""));
        assert!(finds(&asha, first) > 0 && finds(&asha, again) > 0, "{first}");
    }
}

#[test]
fn two_phones_that_register_one_person_in_two_spellings_raise_a_review() {
    let mut market = Market::open(3);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "field_manager"));
    registers(&asha, "मिर\u{94d}\u{91c}\u{93c}ा", "").expect("registered");
    registers(&ravi, "मिर\u{94d}जा", "").expect("registered");
    registers(&asha, "Ramesh", "098450 11111").expect("registered");
    registers(&ravi, "R. Kumar", "+91 98450 11111").expect("registered");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(reviews(&market), [("farmer_look_alike".to_owned(), 2)]);
}

#[test]
fn a_lone_vowel_sign_or_a_sign_without_letters_is_no_word() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    registers(&asha, "मिर\u{94d}ज़ा", "").expect("registered");
    for text in ["ा", "\u{94d}", "%", "_", "'", "\u{200d}"] {
        assert_eq!(finds(&asha, text), 0, "{text:?}");
        assert_eq!(market.server.find(market.organisation, text).expect("a search"), [], "{text:?}");
    }
    assert_eq!(finds(&asha, " "), 1, "a blank text lists all");
}

#[test]
fn text_that_cannot_be_seen_is_not_stored() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    for hidden in ["\u{200b}", "\u{2060}", "\u{3164}", "\u{202e}", "\u{feff}\u{ad}", "\u{2800}", "\u{301}"] {
        let error = registers(&asha, hidden, "").expect_err("a name that shows nothing");
        assert!(matches!(error, Error::Invalid { field: "name", .. }), "{hidden:?}: {error}");
    }
    let name = "\u{feff}Lakshmi\u{200b}\u{202e}\u{2060} \u{3164}Devi\u{2066}\u{e0041}";
    assert_eq!(registers(&asha, name, "").expect("registered").contact.name, "Lakshmi Devi");
    for line in ["\u{2028}", "\u{2029}", "\n", "\u{7}"] {
        let error = registers(&asha, &format!("Laksh{line}mi"), "").expect_err("a line break");
        assert!(matches!(error, Error::Invalid { field: "name", .. }), "{line:?}: {error}");
    }
}

#[test]
fn text_that_cannot_be_seen_is_not_stored_by_the_office() {
    let mut market = Market::open(6);
    let asha = market.meets("Asha");
    let model = "Nokia\u{202e}\u{0} 105\u{200b}";
    let error = asha.client.enrol(&asha.network, ADDRESS, &market.code("Asha", "clerk", "KOLAR"), model);
    assert!(matches!(error, Err(Error::Invalid { field: "model", .. })), "a NUL is refused: {error:?}");
    asha.client
        .enrol(&asha.network, ADDRESS, &market.code("Asha", "clerk", "KOLAR"), "Nokia\u{202e} 105\u{200b}")
        .expect("enrolled");
    let devices = market.server.devices(market.organisation).expect("a list");
    assert_eq!(devices[0].device.model, "Nokia 105");
    let file = |name: &str| format!(r#"{{"centres": [{{"code": "KOLAR", "name": "{name}"}}]}}"#);
    let error = ReferenceFile::parse(&file("\u{3164}\u{200b}")).expect_err("a name that shows nothing");
    assert!(error.to_string().contains("/centres/0/name"), "{error}");
    let cleaned = ReferenceFile::parse(&file("Ko\u{202e}lar")).expect("reference data");
    market.server.update_reference(market.organisation, &cleaned).expect("published");
    asha.syncs_wholly();
    assert_eq!(asha.client.reference().latest::<Centre>("KOLAR").map(|centre| centre.name.as_str()), Some("Kolar"));
}

#[test]
fn one_telephone_number_is_one_however_it_is_typed() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let spellings = ["+91 98450 11111", "098450 11111", "98450 11111", "0091 98450 11111", "९८४५० १११११"];
    let first = registers(&asha, "Lakshmi", spellings[0]).expect("registered");
    assert_eq!(first.contact.phone, "+919845011111");
    for phone in spellings {
        asks_about_look_alike(registers(&asha, "Somebody else", phone));
        let digits = phone.chars().count();
        for length in 2..=digits {
            let beginning: String = phone.chars().take(length).collect();
            let wanted = usize::from(!["00"].contains(&beginning.trim()));
            assert_eq!(finds(&asha, &beginning), wanted, "{beginning}");
        }
    }
    asha.syncs_wholly();
    for phone in spellings {
        assert_eq!(market.server.find(market.organisation, phone).expect("a search").len(), 1, "{phone}");
    }
    for local in ["12345", "2222 4567"] {
        let stored = registers(&asha, local, local).expect("a short or local number").contact.phone;
        assert_eq!(stored, local.replace(' ', ""), "no number that can be dialled from elsewhere is made of it");
    }
}

#[test]
fn a_placeholder_number_of_150_farmers_is_one_review_and_no_question() {
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "field_manager");
    for number in 0..150 {
        registers(&asha, &format!("Farmer {number}"), "9999999999").expect("no question");
    }
    asha.syncs_wholly();
    assert_eq!(reviews(&market), [("shared_phone".to_owned(), 1)]);
}

#[test]
fn a_number_that_many_farmers_share_says_no_longer_who_they_are() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    for number in 0..12 {
        let result = registers(&asha, &format!("Farmer {number}"), "080 2222 4567");
        if (1..=5).contains(&number) {
            asks_about_look_alike(result);
            asha.registers(&format!("Farmer {number}"), "Vemagal", "080 2222 4567");
        } else {
            result.expect("no question");
        }
        asha.syncs_wholly();
    }
    // The second farmer looks like one, the third like two, and the fourth to sixth are compared with three each.
    assert_eq!(reviews(&market), [("farmer_look_alike".to_owned(), 12), ("shared_phone".to_owned(), 1)]);
}

#[test]
fn codes_that_were_read_aloud_are_understood_or_name_the_wrong_character() {
    let mut market = Market::open(10);
    let code = market.code("Asha", "field_manager", "KOLAR");
    let asha = market.meets("Asha");
    let enrols = |code: &str| asha.client.enrol(&asha.network, ADDRESS, code, "test phone");
    let wrong = enrols(&format!("U{}", &code[1..])).expect_err("no code has a U");
    assert!(matches!(&wrong, Error::Invalid { field: "code", .. }) && wrong.to_string().contains("'U'"), "{wrong}");
    let wrong = enrols(&code[1..]).expect_err("too short");
    assert!(wrong.to_string().contains("16 letters and digits, and this one 15"), "{wrong}");
    let heard = code.to_lowercase().replace('-', " \u{2013} ").replace('0', "o").replace('1', "l");
    enrols(&heard).map_or_else(|error| panic!("{heard}: {error}"), drop);

    asha.syncs_wholly();
    let farmer = asha.registers("Lakshmi", "Vemagal", "");
    let delivery = asha.weighs(farmer.farmer_id, None, &[20_000]);
    let load = asha.opens("KA07A1111");
    asha.syncs_wholly();
    let finds = |text: &str| market.server.find(market.organisation, text).expect("a search").len();
    let receipt = delivery.receipt_number.expect("a receipt number").to_string();
    for number in [receipt, load.number, farmer.code] {
        let (centre, rest) = number.split_once("KOLAR").expect("a centre");
        let heard = format!("{centre}kolar{}", rest.replace('-', " \u{2014} ").replace('0', "O").replace('1', "l"));
        assert_eq!((finds(&number), finds(&heard)), (1, 1), "{number} {heard}");
    }
}

#[test]
fn words_are_folded_again_when_the_folding_changes() {
    let mut market = Market::open(11);
    let asha = market.hires("Asha", "field_manager");
    registers(&asha, "मिर\u{94d}ज़ा", "98450 11111").expect("registered");
    asha.syncs_wholly();
    let (phone, database) = (asha.database(), market.server_database());
    for file in [&phone, &database] {
        let db = rusqlite::Connection::open(file).expect("it opens");
        db.execute_batch("UPDATE folding SET version = 0; DELETE FROM words; UPDATE contacts SET name_key = ''")
            .expect("as before");
    }
    market.restarts_server();
    let asha = asha.restarts();
    assert_eq!(finds(&asha, "मिर\u{94d}जा"), 1);
    assert_eq!(market.server.find(market.organisation, "मिर\u{94d}जा").expect("a search").len(), 1);
    asks_about_look_alike(registers(&asha, "मिर\u{94d}जा", ""));
}
