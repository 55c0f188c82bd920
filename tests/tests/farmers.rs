//! Farmers: their tags and activity, several telephone numbers, consents, and payout details that most people see masked.

use farmtally_core::client::{
    Choice, FarmerEdit, FarmerInput, FarmerView, InboxKind, PayoutInput, PayoutState, RecordRef, SyncState,
};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::limits::{BANK_ACCOUNT, MAX_LANGUAGE, MAX_PHONES, MAX_TAGS, NATIONAL_ID};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::{ContactDetails, PayoutAccount, PayoutField, PayoutMethod, payout_of};
use farmtally_core::records::{Kind, Payout};
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::{DocumentId, FarmerId, FarmerTag};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person, bytes_of, reason};

fn tag(code: &str) -> FarmerTag {
    code.parse().expect("a tag")
}

fn bank(account: &str) -> PayoutAccount {
    PayoutAccount {
        method: PayoutMethod::Bank,
        account: account.into(),
        bank_code: "HDFC0001234".into(),
        holder_name: String::new(),
    }
}

fn account(account: PayoutAccount) -> PayoutInput {
    PayoutInput { national_id: None, account: Some(account) }
}

fn sees(person: &Person, farmer: FarmerId) -> FarmerView {
    person.client.farmer(farmer).expect("a farmer")
}

fn edits(person: &Person, farmer: FarmerId, edit: impl FnOnce(&mut ContactDetails)) -> FarmerView {
    let view = sees(person, farmer);
    let mut details = view.contact;
    edit(&mut details);
    person.client.edit_farmer(farmer, view.basis, &details).expect("edited")
}

fn changes(person: &Person, farmer: FarmerId, edit: &FarmerEdit) -> FarmerView {
    person.client.change_farmer(sees(person, farmer).identity_basis, edit).expect("changed")
}

fn proposes(person: &Person, farmer: FarmerId, input: &PayoutInput) -> Result<FarmerView, Error> {
    person.client.propose_payout(farmer, sees(person, farmer).payout.basis, input)
}

fn all_sync(people: &[&Person]) {
    for person in people.iter().chain(people) {
        person.syncs_wholly();
    }
}

/// Asha, a field manager, and Ravi, a dispatcher, who both know Lakshmi.
fn team(seed: u64) -> (Market, Person, Person, FarmerId) {
    let mut market = Market::open(seed);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "98450 11111").farmer_id;
    all_sync(&[&asha, &ravi]);
    (market, asha, ravi, farmer)
}

fn invalid_field(result: Result<FarmerView, Error>) -> &'static str {
    match result {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_farmer_is_registered_with_all_details_and_reads_back() {
    let mut market = Market::open(801);
    let asha = market.hires("Asha", "field_manager");
    let details = ContactDetails {
        name: "Lakshmi Devi".into(),
        village: "Vemagal".into(),
        phone: String::new(),
        local_name: "ಲಕ್ಷ್ಮಿ ದೇವಿ".into(),
        address: "4 Temple Street".into(),
        language: "KN_in".into(),
        other_phones: vec!["98450 22222".into(), "98450 11111".into(), "+919845011111".into(), String::new()],
        messages_consent: Some(true),
        photo_consent: None,
    };
    let input =
        FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: vec![tag("organic"), tag("A1")] };
    let view = asha.client.register_farmer(&input, &[]).expect("registered");
    assert_eq!(view.contact.phone, "+919845011111", "the first of the others is the first one");
    assert_eq!(view.contact.other_phones, ["+919845022222"]);
    assert_eq!((view.contact.language.as_str(), view.contact.messages_consent), ("kn-IN", Some(true)));
    assert_eq!((view.tags, view.is_active), (vec![tag("A1"), tag("ORGANIC")], true));
    assert_eq!(view.actions, [ActionCode::EditFarmer, ActionCode::Deactivate, ActionCode::ProposePayout]);
    for text in ["ಲಕ್ಷ್ಮಿ", "lakshmi", "98450 22222", "98450 11111", "222"] {
        let found = asha.farmers(text).expect("a search").items;
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].contact.local_name, "ಲಕ್ಷ್ಮಿ ದೇವಿ");
    }
}

#[test]
fn details_tags_and_payouts_have_limits() {
    let (_market, asha, _ravi, farmer) = team(802);
    let phones = |count: usize| (1..=count).map(|n| format!("98450{n:05}")).collect::<Vec<_>>();
    let edit = |change: &dyn Fn(&mut ContactDetails)| {
        let view = sees(&asha, farmer);
        let mut details = view.contact;
        change(&mut details);
        asha.client.edit_farmer(farmer, view.basis, &details)
    };
    edit(&|it| it.other_phones = phones(MAX_PHONES - 1)).expect("at the limit");
    assert_eq!(invalid_field(edit(&|it| it.other_phones = phones(MAX_PHONES))), "other_phones");
    assert_eq!(invalid_field(edit(&|it| it.other_phones = vec!["nobody".into()])), "other_phones");
    let longest = format!("en{}-abc", "-abcdefg".repeat(3)) + "-abcde";
    assert_eq!(longest.len(), MAX_LANGUAGE + 1);
    edit(&|it| it.language = longest[..MAX_LANGUAGE].into()).expect("at the limit");
    for wrong in [longest.as_str(), "k", "kn--IN", "kannada language", "-", "9n"] {
        assert_eq!(invalid_field(edit(&|it| it.language = wrong.into())), "language", "{wrong}");
    }
    for field in ["local_name", "address"] {
        let text = "a".repeat(201);
        let change = |it: &mut ContactDetails| {
            *(if field == "address" { &mut it.address } else { &mut it.local_name }) = text.clone();
        };
        assert_eq!(invalid_field(edit(&change)), field);
    }
    let tags = |count: usize| FarmerEdit::SetTags { tags: (0..count).map(|n| tag(&format!("T{n}"))).collect() };
    changes(&asha, farmer, &tags(MAX_TAGS));
    let basis = sees(&asha, farmer).identity_basis;
    assert_eq!(invalid_field(asha.client.change_farmer(basis, &tags(MAX_TAGS + 1))), "tags");
    let ids = [*NATIONAL_ID.start(), *NATIONAL_ID.end()];
    for (length, is_valid) in [(ids[0] - 1, false), (ids[0], true), (ids[1], true), (ids[1] + 1, false)] {
        let input = PayoutInput { national_id: Some("7".repeat(length)), account: None };
        assert_eq!(proposes(&asha, farmer, &input).is_ok(), is_valid, "a national id of {length}");
    }
    let accounts = [*BANK_ACCOUNT.start(), *BANK_ACCOUNT.end()];
    for (length, is_valid) in
        [(accounts[0] - 1, false), (accounts[0], true), (accounts[1], true), (accounts[1] + 1, false)]
    {
        assert_eq!(
            proposes(&asha, farmer, &account(bank(&"7".repeat(length)))).is_ok(),
            is_valid,
            "an account of {length}"
        );
    }
    for (method, text) in [
        (PayoutMethod::Bank, "ಲಕ್ಷ್ಮಿ"),
        (PayoutMethod::MobileMoney, ""),
        (PayoutMethod::MobileMoney, "nobody"),
        (PayoutMethod::Upi, "lakshmi"),
        (PayoutMethod::Upi, "@bank"),
        (PayoutMethod::Upi, "a@b@c"),
    ] {
        let wrong = PayoutAccount { method, ..bank(text) };
        assert_eq!(invalid_field(proposes(&asha, farmer, &account(wrong))), "account", "{method} {text}");
    }
    assert_eq!(invalid_field(proposes(&asha, farmer, &PayoutInput::default())), "payout");
}

#[test]
fn a_number_that_is_added_while_another_is_removed_survives_and_two_first_numbers_are_both_kept() {
    let (_market, asha, ravi, farmer) = team(803);
    edits(&asha, farmer, |it| it.other_phones = vec!["98450 22222".into()]);
    all_sync(&[&asha, &ravi]);
    edits(&asha, farmer, |it| it.other_phones.clear());
    edits(&ravi, farmer, |it| it.other_phones.push("98450 33333".into()));
    all_sync(&[&asha, &ravi]);
    for person in [&asha, &ravi] {
        let contact = sees(person, farmer).contact;
        assert_eq!((contact.phone.as_str(), contact.other_phones), ("+919845011111", vec!["+919845033333".to_owned()]));
    }
    // One removes a number and adds it again while the other removes it.
    edits(&asha, farmer, |it| it.other_phones.clear());
    edits(&asha, farmer, |it| it.other_phones = vec!["98450 33333".into()]);
    edits(&ravi, farmer, |it| it.other_phones.clear());
    all_sync(&[&asha, &ravi]);
    assert_eq!(sees(&ravi, farmer).contact.other_phones, ["+919845033333"], "the addition was not seen");
    edits(&asha, farmer, |it| it.phone = "98450 44444".into());
    edits(&ravi, farmer, |it| it.phone = "98450 55555".into());
    all_sync(&[&asha, &ravi]);
    let view = sees(&asha, farmer);
    assert_eq!(view.contact, sees(&ravi, farmer).contact);
    let numbers: Vec<&String> = view.contact.phones().collect();
    assert_eq!(numbers.len(), 3, "{numbers:?}");
    let conflict = view.conflicts.iter().find(|it| it.field == "phone").expect("a conflict");
    assert!(!conflict.is_hard);
    for text in ["98450 44444", "98450 55555"] {
        assert_eq!(ravi.farmers(text).expect("a search").items.len(), 1, "{text}");
    }
}

#[test]
fn a_first_number_that_another_person_removes_is_followed_by_one_that_is_left() {
    let (_market, asha, ravi, farmer) = team(804);
    edits(&asha, farmer, |it| it.other_phones = vec!["98450 22222".into(), "98450 33333".into()]);
    all_sync(&[&asha, &ravi]);
    edits(&asha, farmer, |it| it.other_phones = vec!["98450 33333".into()]);
    edits(&ravi, farmer, |it| {
        it.phone = "98450 22222".into();
        it.other_phones = vec!["98450 11111".into(), "98450 33333".into()];
    });
    all_sync(&[&asha, &ravi]);
    let contact = sees(&asha, farmer).contact;
    assert_eq!(contact, sees(&ravi, farmer).contact);
    assert_eq!(contact.phones().collect::<Vec<_>>(), ["+919845011111", "+919845033333"]);
}

#[test]
fn farmers_look_alike_by_any_number_and_by_either_name() {
    let mut market = Market::open(805);
    let asha = market.hires("Asha", "field_manager");
    let ravi = market.hires("Ravi", "field_manager");
    let register = |person: &Person, details: ContactDetails| {
        let input = FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: Vec::new() };
        person.client.register_farmer(&input, &[])
    };
    let details = |name: &str, phone: &str| ContactDetails {
        name: name.into(),
        village: "Vemagal".into(),
        phone: phone.into(),
        ..ContactDetails::default()
    };
    let lakshmi = ContactDetails {
        local_name: "ಲಕ್ಷ್ಮಿ".into(),
        other_phones: vec!["98450 22222".into()],
        ..details("Lakshmi", "98450 11111")
    };
    let first = register(&asha, lakshmi).expect("registered").farmer_id;
    for alike in [
        details("Rama", "98450 22222"),
        ContactDetails { other_phones: vec!["98450 22222".into()], ..details("Rama", "98450 77777") },
        details("ಲಕ್ಷ್ಮಿ", ""),
        ContactDetails { local_name: "LAKSHMI".into(), ..details("Rama", "") },
    ] {
        let asked = register(&asha, alike.clone()).expect_err("a look-alike");
        assert!(
            matches!(asked, Error::Confirm { ref checks, .. } if checks == &[Check::FarmerLooksAlike]),
            "{asked:?}"
        );
    }
    register(&asha, details("Rama", "98450 33333")).expect("nobody is like that");
    let other = ContactDetails { other_phones: vec!["98450 22222".into()], ..details("L. Devi", "98450 88888") };
    let second = register(&ravi, other).expect("the phone does not know the first").farmer_id;
    all_sync(&[&asha, &ravi]);
    for farmer in [first, second] {
        assert_eq!(sees(&asha, farmer).reviews, [ReviewCode::FarmerLookAlike]);
    }
}

#[test]
fn of_concurrent_consents_the_refusal_counts_until_a_person_decides() {
    let (_market, asha, ravi, farmer) = team(806);
    edits(&asha, farmer, |it| it.photo_consent = Some(false));
    edits(&ravi, farmer, |it| it.photo_consent = Some(true));
    all_sync(&[&asha, &ravi]);
    for person in [&asha, &ravi] {
        let view = sees(person, farmer);
        assert_eq!(view.contact.photo_consent, Some(false), "although the consent is later");
        let conflict = view.conflicts.iter().find(|it| it.field == "photo_consent").expect("a conflict");
        assert!(conflict.is_hard && conflict.values[0].text == "refused" && conflict.values[0].is_effective);
    }
    let inbox = ravi.inbox();
    let given = inbox[0].choices.iter().find(|choice| {
        let InboxKind::Conflict(conflict) = &inbox[0].kind else { return false };
        let value = conflict.values.iter().find(|value| value.text == "given").expect("a value");
        matches!(choice, Choice::Keep { change, .. } if Some(*change) == value.change)
    });
    ravi.client.resolve(inbox[0].basis, given.expect("a choice")).expect("resolved");
    all_sync(&[&asha, &ravi]);
    let view = sees(&asha, farmer);
    assert_eq!((view.contact.photo_consent, view.conflicts.len()), (Some(true), 0));
}

#[test]
fn a_tag_that_is_added_while_it_is_removed_stays() {
    let (_market, asha, ravi, farmer) = team(807);
    let set = |tags: &[&str]| FarmerEdit::SetTags { tags: tags.iter().map(|it| tag(it)).collect() };
    changes(&asha, farmer, &set(&["ORGANIC", "SMALL"]));
    all_sync(&[&asha, &ravi]);
    changes(&asha, farmer, &set(&["SMALL"]));
    changes(&ravi, farmer, &set(&["SMALL"]));
    changes(&ravi, farmer, &set(&["ORGANIC", "LEADER", "SMALL"]));
    all_sync(&[&asha, &ravi]);
    for person in [&asha, &ravi] {
        let view = sees(person, farmer);
        assert_eq!((view.tags, view.conflicts.len()), (vec![tag("LEADER"), tag("ORGANIC"), tag("SMALL")], 0));
    }
    let stale = sees(&asha, farmer).identity_basis;
    changes(&asha, farmer, &set(&[]));
    let error = asha.client.change_farmer(stale, &set(&["SMALL"])).expect_err("an old version");
    assert_eq!(error.code(), ErrorCode::Stale);
}

#[test]
fn a_farmer_stays_inactive_against_a_concurrent_reactivation_with_a_soft_conflict() {
    let (_market, asha, ravi, farmer) = team(808);
    let set = |is_active| FarmerEdit::SetActive { is_active };
    changes(&asha, farmer, &set(false));
    all_sync(&[&asha, &ravi]);
    changes(&asha, farmer, &set(true));
    changes(&asha, farmer, &set(false));
    changes(&ravi, farmer, &set(true));
    all_sync(&[&asha, &ravi]);
    for person in [&asha, &ravi] {
        let view = sees(person, farmer);
        assert!(!view.is_active && view.actions.contains(&ActionCode::Reactivate));
        assert_eq!(
            view.conflicts.iter().map(|it| (it.field.as_str(), it.is_hard)).collect::<Vec<_>>(),
            [("active", false)]
        );
        assert!(!person.farmers("").expect("a list").items[0].is_active);
    }
}

#[test]
fn a_delivery_of_an_inactive_farmer_is_confirmed_and_reviewed() {
    let (_market, asha, ravi, farmer) = team(809);
    let before = ravi.weighs(farmer, None, &[20_000]).delivery_id;
    changes(&asha, farmer, &FarmerEdit::SetActive { is_active: false });
    let draft = asha.starts(Some(farmer), None);
    let draft = asha.adds_bag(&draft, 30_000);
    let asked = asha.client.record_delivery(draft.basis, &[]).expect_err("a question");
    assert!(matches!(asked, Error::Confirm { ref checks, .. } if checks == &[Check::FarmerInactive]), "{asked:?}");
    let recorded = asha.client.record_delivery(draft.basis, &[Check::FarmerInactive]).expect("recorded").delivery_id;
    // Ravi's phone does not know, so it does not ask.
    let unknown = ravi.weighs(farmer, None, &[40_000]).delivery_id;
    ravi.syncs_wholly();
    all_sync(&[&asha, &ravi]);
    for (delivery, is_reviewed) in [(before, false), (recorded, true), (unknown, true)] {
        let reviews = asha.client.delivery(delivery).expect("a delivery").reviews;
        assert_eq!(reviews.contains(&ReviewCode::FarmerInactive), is_reviewed, "{reviews:?}");
    }
}

#[test]
fn payout_details_are_masked_for_everybody_and_seen_in_full_only_with_a_reason_on_record() {
    let (mut market, asha, ravi, farmer) = team(810);
    let view = proposes(
        &asha,
        farmer,
        &PayoutInput { national_id: Some("1234 5678 9012".into()), account: Some(bank("5010-0012 3456 78")) },
    )
    .expect("proposed");
    assert_eq!((view.payout.state, view.sync), (PayoutState::Unconfirmed, SyncState::Unsent));
    assert_eq!(view.payout.national_id, "••••••••9012");
    assert_eq!(view.payout.account.expect("an account").account, "••••••••••5678");
    all_sync(&[&asha, &ravi]);
    let why = reason("bank_called");
    let refused = asha.client.reveal_payout(farmer, PayoutField::Account, &why).expect_err("a field manager");
    assert_eq!(refused.code(), ErrorCode::NotAllowed);
    let empty = Reason { code: String::new(), text: String::new() };
    let error = ravi.client.reveal_payout(farmer, PayoutField::Account, &empty).expect_err("no reason");
    assert!(matches!(error, Error::Invalid { field: "reason", .. }), "{error:?}");
    assert!(sees(&ravi, farmer).payout.reveals.is_empty(), "nothing was written");
    let shown = ravi.client.reveal_payout(farmer, PayoutField::Account, &why).expect("revealed");
    assert_eq!((shown.national_ids.len(), shown.accounts), (0, vec![bank("50100012345678")]));
    let shown = ravi.client.reveal_payout(farmer, PayoutField::NationalId, &why).expect("revealed");
    assert_eq!(shown.national_ids, ["123456789012"]);
    assert!(!format!("{shown:?}").contains("9012"));
    assert!(sees(&ravi, farmer).actions.contains(&ActionCode::RevealPayout));
    // A clerk, who has the document too, sees who looked.
    let sita = market.hires("Sita", "clerk");
    all_sync(&[&ravi, &asha, &sita]);
    let payout = sees(&sita, farmer).payout;
    let fields: Vec<_> = payout.reveals.iter().map(|it| (it.field, it.reason.code.as_str())).collect();
    assert_eq!(fields, [(PayoutField::Account, "bank_called"), (PayoutField::NationalId, "bank_called")]);
    assert_eq!(payout.national_id, "••••••••9012");
    let error = proposes(&sita, farmer, &account(bank("12345678"))).expect_err("a clerk");
    assert_eq!(error.code(), ErrorCode::NotAllowed);
    let nobody = asha.registers("Meena", "Malur", "").farmer_id;
    assert_eq!(sees(&asha, nobody).payout.state, PayoutState::Missing);
    all_sync(&[&asha, &ravi]);
    let error = ravi.client.reveal_payout(nobody, PayoutField::Account, &why).expect_err("no details");
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[test]
fn of_concurrent_payout_details_none_wins_until_a_person_picks_one() {
    let (_market, asha, ravi, farmer) = team(811);
    proposes(&asha, farmer, &account(bank("11112222"))).expect("proposed");
    let upi = PayoutAccount { method: PayoutMethod::Upi, ..bank("Lakshmi@Okbank") };
    proposes(&ravi, farmer, &account(upi)).expect("proposed, by a phone that knows nothing of the first");
    all_sync(&[&asha, &ravi]);
    for person in [&asha, &ravi] {
        let view = sees(person, farmer);
        assert_eq!((view.payout.state, view.payout.account), (PayoutState::Conflict, None));
        let [conflict] = view.conflicts.as_slice() else { panic!("{:?}", view.conflicts) };
        assert!(conflict.is_hard && conflict.values.len() == 2);
        assert!(conflict.values.iter().all(|value| !value.is_effective && value.change.is_some()));
        let texts = format!("{conflict:?} {:?}", person.inbox());
        assert!(!texts.contains("11112222") && !texts.contains("lakshmi@"), "{texts}");
    }
    let all = ravi.client.reveal_payout(farmer, PayoutField::Account, &reason("two")).expect("revealed").accounts;
    assert_eq!(all.len(), 2);
    let item = &ravi.inbox()[0];
    assert_eq!(item.records, [RecordRef::Farmer { farmer_id: farmer }]);
    ravi.client.resolve(item.basis, &item.choices[0]).expect("resolved");
    all_sync(&[&asha, &ravi]);
    let view = sees(&asha, farmer);
    assert_eq!((view.payout.state, view.conflicts.len()), (PayoutState::Unconfirmed, 0));
    // The same value twice is no conflict.
    proposes(&asha, farmer, &account(bank("33334444"))).expect("proposed");
    proposes(&ravi, farmer, &account(bank("33334444"))).expect("proposed");
    all_sync(&[&asha, &ravi]);
    assert_eq!(sees(&ravi, farmer).payout.state, PayoutState::Unconfirmed);
    let stale = sees(&ravi, farmer).payout.basis;
    proposes(&ravi, farmer, &account(bank("55556666"))).expect("proposed");
    let error = ravi.client.propose_payout(farmer, stale, &account(bank("77778888"))).expect_err("an old version");
    assert_eq!(error.code(), ErrorCode::Stale);
}

#[test]
fn payout_details_are_erased_with_the_farmer_also_those_that_arrive_later() {
    let (market, asha, ravi, farmer) = team(812);
    proposes(&asha, farmer, &account(bank("998877665544"))).expect("proposed");
    all_sync(&[&asha, &ravi]);
    let late = asha.registers("Meena", "Malur", "").farmer_id;
    all_sync(&[&asha, &ravi]);
    proposes(&ravi, late, &account(bank("443322110099"))).expect("proposed");
    assert_eq!(market.server.erase_farmer(market.organisation, farmer).expect("erased"), 2, "contact and payout");
    assert_eq!(
        market.server.erase_farmer(market.organisation, late).expect("erased"),
        1,
        "the server has only the contact"
    );
    // What a phone brings afterwards is erased when it arrives.
    ravi.syncs_wholly();
    market.server.erase_farmer(market.organisation, late).expect_err("nothing is left");
    all_sync(&[&ravi, &asha]);
    for person in [asha, ravi] {
        let error = person.client.reveal_payout(farmer, PayoutField::Account, &reason("x")).expect_err("erased");
        assert!(matches!(error.code(), ErrorCode::NotFound | ErrorCode::NotAllowed));
        let person = person.restarts();
        let bytes = bytes_of(&person.folder);
        for account in ["998877665544", "443322110099"] {
            assert!(!bytes.windows(12).any(|it| it == account.as_bytes()), "{} has {account}", person.name);
        }
    }
}

#[test]
fn payout_details_under_another_id_than_the_farmers_are_held() {
    let (market, asha, _ravi, farmer) = team(813);
    proposes(&asha, farmer, &account(bank("12345678"))).expect("proposed");
    let mut forger = farmtally_tests::Forger::with_phone_of(&asha, &market);
    let mut entry = forger.outbox().pop().expect("payout details");
    assert_eq!((entry.kind, entry.document_id), (Kind::of::<Payout>().number, DocumentId::from(payout_of(farmer))));
    entry.document_id = DocumentId::from([9; 16]);
    forger.sequence = 1_000;
    let verdicts = forger.seals_and_uploads(vec![entry]);
    assert!(format!("{verdicts:?}").contains("Held"), "{verdicts:?}");
}
