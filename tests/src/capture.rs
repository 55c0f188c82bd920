//! Requests and responses of a day on which everything happens once.

use std::sync::{Mutex, PoisonError};

use farmtally_core::client::{DeliveryEdit, DraftEdit, FarmerEdit, FarmerView, LoadEdit, OpenLoad, PayoutInput};
use farmtally_core::codec::encode;
use farmtally_core::decisions::Order;
use farmtally_core::environment::Clock;
use farmtally_core::protocol::message::{self, SyncRequest};
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::farmer::{ContactDetails, PayoutAccount, PayoutField, PayoutMethod};
use farmtally_core::records::load::LoadState;
use farmtally_core::records::lorry_request::Priority;
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{
    Advance, BagCount, BagSource, Delivery, Kind, LorryRequest, Note, PaperEntry, ReceivingNote, RecordKind, Simple,
};
use farmtally_core::rules::{Check, action_of};
use farmtally_core::scope::Scope;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{BagType, DeliveryId, DocumentId, FarmerId, Grams, GrantId, Location, LocationProvider};
use farmtally_sync_server::ReferenceFile;

use crate::samples::{Sample, Subjects, minor};
use crate::{ADDRESS, Forger, Market, Person, for_each_simple_kind, mark, moisture, reason, track_point};

/// One request with its response.
pub type Exchange = (WireRequest, WireResponse);

/// All requests and responses of the day, and the state at its end, when the server is in recovery.
pub struct Capture {
    /// The market, with the server's database.
    pub market: Market,
    /// Requests and responses in order.
    pub heard: Vec<Exchange>,
    /// File of parcels that Asha handed over to Ravi at the start.
    pub parcels: Vec<u8>,
    /// The field manager, whose outbox is empty.
    pub asha: Person,
}

/// A transport that records requests with their responses, but no request without one.
pub struct Tap<'a> {
    /// Transport that carries the requests.
    pub network: &'a dyn Transport,
    /// Requests and responses so far.
    pub heard: &'a Mutex<Vec<Exchange>>,
}

impl Transport for Tap<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let response = self.network.send(request, must_stop)?;
        hear(self.heard, request, &response);
        Ok(response)
    }
}

fn hear(heard: &Mutex<Vec<Exchange>>, request: &WireRequest, response: &WireResponse) {
    heard.lock().unwrap_or_else(PoisonError::into_inner).push((request.clone(), response.clone()));
}

impl Capture {
    /// Plays the day: every kind of record, decision, verdict, frame entry, request and refusal occurs.
    pub fn of_a_day(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let notices = ReferenceFile::parse(
            r#"{"notices": [{"code": "hours", "text": "The yard is open until five"}], "instruments": [{
                "code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III", "min_value": 2000,
                "max_value": 150000, "intervals": [{"up_to_value": 150000, "interval_value": 50}],
                "certificate": "LM-88", "valid_until": "2019-12-31"}], "paper_books": [{
                "code": "BOOK17", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 1001,
                "last_serial": 1050}]}"#,
        );
        market.server.update_reference(market.organisation, &notices.expect("a notice")).expect("published");
        let heard = Mutex::default();
        let syncs = |person: &Person| {
            person.client.sync(&Tap { network: &person.network, heard: &heard }, &|_| ()).expect("a sync")
        };
        let hire = |market: &mut Market, name: &str, role: &str, centre: &str| {
            let (person, code) = (market.meets(name), market.code(name, role, centre));
            let tap = Tap { network: &person.network, heard: &heard };
            person.client.enrol(&tap, ADDRESS, &code, "test phone").expect("enrolled");
            person
        };
        let pushes = |forger: &Forger, request: &WireRequest| hear(&heard, request, &forger.sends(request));

        let asha = hire(&mut market, "Asha", "field_manager", "KOLAR");
        let ravi = hire(&mut market, "Ravi", "dispatcher", "KOLAR");
        let manju = hire(&mut market, "Manju", "field_manager", "KOLAR");
        let parcels = one_of_everything(&asha, &ravi);
        ravi.carries(&parcels);
        for person in [&ravi, &asha, &manju, &ravi] {
            syncs(person);
        }
        decides_about_land(&market, &asha);
        lends(&market, &asha, &syncs);
        let kavya = hire(&mut market, "Kavya", "receiver", "KOLAR");
        syncs(&kavya);
        receives_all(&kavya);
        syncs(&kavya);
        // From two verified copies on, phones trim what both contain.
        for name in ["a copy", "another copy"] {
            let copy = market.path_of(name);
            market.server.back_up(&copy).expect("copied");
            market.server.verify(&copy).expect("verified");
            syncs(&manju);
        }

        // An amendment without its delivery is deferred; the phone brings both afterwards.
        let farmer = asha.registers("Venkatesh", "Narsapura", "").farmer_id;
        let recorded = asha.weighs(farmer, None, &[30_000]).delivery_id;
        asha.amends(recorded, 31_000).expect("amended");
        let mut forger = Forger::with_phone_of(&asha, &market);
        let amendment = forger.outbox().pop().expect("an amendment");
        forger.sequence = 1_000;
        let bundle = forger.seals(vec![amendment]).to_bytes();
        pushes(&forger, &forger.signed(message::pack(&Forger::request(&[bundle])).expect("it packs")));
        syncs(&asha);

        erases_while_renamed(&market, &asha, &ravi, &syncs);
        hire(&mut market, "Sita", "clerk", "MALUR");
        hire(&mut market, "Gopal", "clerk", "KOLAR");

        let forger = Forger::with_phone_of(&manju, &market);
        hold(&market, &manju, farmer, &syncs);
        let carried = message::pack(&Forger::request(&forger.bundles())).expect("it packs");
        pushes(&forger, &forger.signed(carried));

        // A new key for Asha's phone; a draft and a wipe for Ravi's.
        let code = |person: &Person| person.client.session().expect("a session").device_code;
        market.server.order(market.organisation, code(&asha), Order::Rekey).expect("ordered");
        syncs(&asha);
        let draft = ravi.starts(Some(farmer), None);
        ravi.adds_bag(&draft, 17_000);
        let forger = Forger::with_phone_of(&ravi, &market);
        market.server.order(market.organisation, code(&ravi), Order::Wipe).expect("ordered");
        syncs(&ravi);

        let body = |protocol| message::pack(&SyncRequest { protocol, ..Forger::request(&[]) }).expect("it packs");
        pushes(&forger, &forger.signed(body(2)));
        pushes(&forger, &WireRequest { authorization: None, ..forger.signed(body(1)) });
        pushes(&forger, &WireRequest { path: "/v1/nowhere", ..forger.signed(body(1)) });
        set_back(&mut market, &asha, &heard);
        let heard = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { market, heard, parcels, asha }
    }
}

/// Publishes a certificate and a quota of a farmer.
fn decides_about_land(market: &Market, asha: &Person) {
    let code = asha.farmers("Muniyappa").expect("farmers").items[0].code.clone();
    let file = format!(
        r#"{{"certificates": [{{"farmer": "{code}", "scheme": "ORGANIC", "number": "OC-77", "valid_from": "2019-01-01",
            "valid_until": "2019-12-31"}}],
            "quotas": [{{"farmer": "{code}", "commodity": "TOMATO", "season": "2019", "most_g": 5000000}}]}}"#
    );
    let file = ReferenceFile::parse(&file).expect("certificates and quotas");
    market.server.update_reference(market.organisation, &file).expect("published");
}

/// Leases an allowance, of which an advance in cash is paid out.
fn lends<T>(market: &Market, person: &Person, syncs: &impl Fn(&Person) -> T) {
    let session = person.client.session().expect("a session");
    let (amount, until) = (minor(500_000), "2019-12-31".parse().expect("a date"));
    let lease = market.server.lease(market.organisation, session.device_code, session.user_id, amount, until);
    lease.expect("leased");
    syncs(person);
    let farmer_id = person.farmers("Muniyappa").expect("farmers").items[0].farmer_id;
    let advance = Advance {
        farmer_id,
        amount_minor: minor(100_000),
        method: PaymentMethod::Cash,
        date: person.client.date(),
        reason_code: "labour".into(),
        reference: "V-19".into(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    };
    person.client.record_advance(None, advance, &Check::ALL).expect("paid out");
}

/// Records every kind with all its keys on the two phones, without a sync. Returns Asha's part as a file of parcels.
pub fn one_of_everything(asha: &Person, ravi: &Person) -> Vec<u8> {
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 00000");
    let other = asha.registers("Lakshmi Devi", "Vemagal", "");
    rename(asha, &other, "Muniyappa");
    knows_all_about(asha, ravi, &other);
    let load = asha.opens("KA07A1111");
    let corrected = LoadEdit::SetLorry("KA07A2222".parse().expect("a plate"));
    asha.client.change_load(load.basis, &corrected, &[]).expect("corrected");
    let contended = OpenLoad {
        centre: "KOLAR".parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        lorry: "KA07A2222".parse().expect("a plate"),
        driver: Some("Basavaraj".into()),
        destination: None,
        is_planned: false,
    };
    ravi.client.open_load(&contended).expect("a load");
    ravi.joins(&load.join_code);
    let mut draft = asha.starts(Some(farmer.farmer_id), Some(load.load_id));
    draft = asha.adds_bag(&draft, 21_000);
    draft = asha.adds_bag(&draft, 22_500);
    let location = Location {
        latitude_e7: 131_367_000,
        longitude_e7: 781_289_000,
        accuracy_cm: 800,
        age_ms: 1_200,
        provider: Some(LocationProvider::Satellite),
        is_mock: false,
    };
    let details =
        [DraftEdit::AddReading(moisture(1_450)), DraftEdit::SetLocation(location), DraftEdit::SetDeclaredBags(Some(2))];
    draft = asha.client.edit_draft(draft.basis, &details).expect("edited");
    let delivery = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    asha.amends(delivery.delivery_id, 19_000).expect("amended");
    let amended = asha.client.delivery(delivery.delivery_id).expect("a delivery");
    let edits = [
        DeliveryEdit::VoidBag { bag_id: amended.bags[0].bag_id.clone(), reason: reason("counted_twice") },
        DeliveryEdit::SetLoad(None),
        DeliveryEdit::SetBusinessDate("2019-05-08".parse().expect("a date")),
        DeliveryEdit::SetDeclaredBags(Some(3)),
        DeliveryEdit::SetBagCounts(vec![BagCount { bag_type: BagType::default(), grade: None, count: 0 }]),
    ];
    let amended = asha.client.amend_delivery(amended.basis, &reason("miscounted"), &edits).expect("amended");
    let apart = DeliveryEdit::SetLoadOfBags {
        load_id: Some(load.load_id),
        ids: vec![amended.bags[1].bag_id.clone()],
        overload_reason: Some(reason("last_lorry")),
    };
    let amended = asha.client.amend_delivery(amended.basis, &reason("no_room"), &[apart]).expect("put apart");
    let read = asha.client.add_readings(amended.basis, &[moisture(1_500)]).expect("read");
    asha.client.sign(read.basis, mark()).expect("signed");
    asha.client.record_print(read.basis, PrintMedium::Paper).expect("printed");
    weighs_a_vehicle(asha, other.farmer_id);
    let voided = asha.weighs(other.farmer_id, Some(load.load_id), &[18_000]).delivery_id;
    asha.voids(voided).expect("voided");
    asha.weighs(other.farmer_id, Some(load.load_id), &[18_500]);
    let mut load = asha.closes(load.load_id).expect("closing");
    for step in [
        LoadEdit::SetDriver("Nagaraj".into()),
        LoadEdit::SetDestination("Mill".into()),
        LoadEdit::AddSeal { seal: "S-17".into() },
        LoadEdit::Depart { odometer_km: Some(120_345) },
    ] {
        load = asha.client.change_load(load.basis, &step, &[]).expect("a step");
    }
    let at = asha.clock.now();
    asha.client.add_track(load.load_id, &[track_point(at, 131_367_000, 781_289_000)]).expect("a point");
    let subjects = Subjects { delivery: voided, load: load.load_id, farmer: other.farmer_id };
    for_each_simple_kind!(simple_record(asha, &subjects));
    changes_a_request(asha, &subjects);
    asha.exports()
}

/// Records a delivery that came on a vehicle, with all that a draft can have.
fn weighs_a_vehicle(person: &Person, farmer: FarmerId) {
    let lot = DraftEdit::AddLot {
        gross: Grams(4_200_000).try_into().expect("a weight"),
        vehicle: Some(Grams(3_000_000).try_into().expect("a weight")),
        source: Some(BagSource::Scale),
        grade: None,
        scale: Some("BRIDGE1".parse().expect("a code")),
    };
    let counts = vec![BagCount { bag_type: BagType::default(), grade: None, count: 20 }];
    let form = PaperEntry { book: "BOOK17".parse().expect("a code"), serial: 1_042 };
    let edits = [
        lot,
        DraftEdit::SetBagCounts(counts),
        DraftEdit::SetMark(Some(mark())),
        DraftEdit::SetSecondHeap(true),
        DraftEdit::SetPaperEntry(Some(form)),
    ];
    let draft = person.starts(Some(farmer), None);
    let draft = person.client.edit_draft(draft.basis, &edits).expect("weighed");
    person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
}

/// Records a sample of a kind and takes its steps, if the person's role may.
fn simple_record<C: Sample>(person: &Person, subjects: &Subjects) {
    if person.client.session().and_then(|it| it.role).is_none_or(|role| !role.may(C::CAPABILITY)) {
        return;
    }
    let centre = "KOLAR".parse().expect("a code");
    let mut made = C::valid(subjects).recorded_by(&person.client, &centre).expect("recorded");
    for step in C::STEPS.iter().rev() {
        if made.actions.contains(&action_of(*step)) {
            let result = person.client.step_simple(made.basis, *step, Some(&reason("no_lorry")));
            made = result.expect("a step that is offered");
        }
    }
}

/// Changes all fields of a lorry request.
fn changes_a_request(person: &Person, subjects: &Subjects) {
    let centre = "KOLAR".parse().expect("a code");
    let made = LorryRequest::valid(subjects).recorded_by(&person.client, &centre).expect("recorded");
    let changed = LorryRequest {
        commodity: made.content.commodity.clone(),
        wanted_date: "2019-05-11".parse().expect("a date"),
        from_minute: 0,
        to_minute: 60,
        purpose: "to the port".into(),
        farmers: 1,
        bags: 2,
        weight_g: Grams(3),
        priority: Priority::Low,
        remarks: "by the back gate".into(),
    };
    person.client.change_simple(made.basis, changed).expect("changed");
}

/// Takes over each load that departed and is on the phone.
fn receives_all(receiver: &Person) {
    for row in receiver.client.today(&"KOLAR".parse().expect("a code"), None).expect("today").loads {
        if row.state == LoadState::Dispatched {
            let load = receiver.client.load(row.load_id).expect("a load");
            let load = receiver.client.change_load(load.basis, &LoadEdit::Receive, &[]).expect("received");
            let note = ReceivingNote {
                load_id: load.load_id,
                bags: 1,
                rejected_bags: 0,
                moisture: None,
                grade: Some("A".parse().expect("a code")),
                remarks: String::new(),
            };
            let note = receiver.client.record_simple(None, note).expect("recorded");
            let withdrawn = SimpleStep::Withdrawn;
            receiver
                .client
                .step_simple::<ReceivingNote>(note.basis, withdrawn, Some(&reason("miscounted")))
                .expect("done");
        }
    }
}

/// Creates a note on a delivery in any scope, as no call of an app does.
pub fn remarks(person: &Person, scope: &Scope, delivery: DeliveryId, text: &str) -> DocumentId {
    person.creates(Kind::of::<Simple<Note>>(), scope, |stamp| encode(&(stamp, (Delivery::NUMBER, delivery, text))))
}

fn rename(person: &Person, farmer: &FarmerView, name: &str) {
    let details = ContactDetails {
        name: name.into(),
        village: "Hudukula".into(),
        phone: "08152222222".into(),
        ..ContactDetails::default()
    };
    person.client.edit_farmer(farmer.farmer_id, farmer.basis, &details).expect("corrected");
}

/// Writes each key of a farmer's documents.
fn knows_all_about(asha: &Person, ravi: &Person, farmer: &FarmerView) {
    let view = asha.client.farmer(farmer.farmer_id).expect("a farmer");
    let details = ContactDetails {
        local_name: "ಮುನಿಯಪ್ಪ".into(),
        address: "4 Temple Street".into(),
        language: "kn".into(),
        other_phones: vec!["08152222223".into()],
        messages_consent: Some(true),
        photo_consent: Some(false),
        ..view.contact
    };
    let view = asha.client.edit_farmer(view.farmer_id, view.basis, &details).expect("corrected");
    let fewer = ContactDetails { other_phones: Vec::new(), ..view.contact.clone() };
    let view = asha.client.edit_farmer(view.farmer_id, view.basis, &fewer).expect("corrected");
    let mut basis = view.identity_basis;
    for edit in [
        FarmerEdit::SetTags { tags: vec!["ORGANIC".parse().expect("a tag"), "SMALL".parse().expect("a tag")] },
        FarmerEdit::SetTags { tags: vec!["SMALL".parse().expect("a tag")] },
        FarmerEdit::SetActive { is_active: false },
    ] {
        basis = asha.client.change_farmer(basis, &edit).expect("changed").identity_basis;
    }
    let unknown = PayoutInput { national_id: Some("998877".into()), account: None };
    asha.client.propose_payout(farmer.farmer_id, view.payout.basis, &unknown).expect("proposed");
    let known = ravi.registers("Narayanamma", "Hudukula", "");
    let account = PayoutAccount {
        method: PayoutMethod::Upi,
        account: "narayanamma@okbank".into(),
        bank_code: String::new(),
        holder_name: "Narayanamma B".into(),
    };
    let payout = PayoutInput { national_id: Some("1234 5678 9012".into()), account: Some(account) };
    ravi.client.propose_payout(known.farmer_id, known.payout.basis, &payout).expect("proposed");
    ravi.client.reveal_payout(known.farmer_id, PayoutField::Account, &reason("bank_called")).expect("revealed");
}

/// Erases a farmer's contact details. Asha's phone renames her before it hears of that, and gets the verdict "erased"; Ravi's only receives
/// the erasure.
fn erases_while_renamed<R>(market: &Market, asha: &Person, ravi: &Person, syncs: &impl Fn(&Person) -> R) {
    let farmer = asha.registers("Chowdamma", "Sugatur", "");
    asha.weighs(farmer.farmer_id, None, &[26_000]);
    for person in [asha, ravi] {
        syncs(person);
    }
    let farmer = asha.client.farmer(farmer.farmer_id).expect("a farmer");
    rename(asha, &farmer, "Chowdamma B");
    market.server.erase_farmer(market.organisation, farmer.farmer_id).expect("erased");
    for person in [asha, ravi] {
        syncs(person);
    }
}

/// Sets the server back to a copy from before Bela enrolled and worked, and Asha read that. Both phones restore what they have; Divya's
/// cannot enrol during the recovery, which stays open.
fn set_back(market: &mut Market, asha: &Person, heard: &Mutex<Vec<Exchange>>) {
    let syncs = |person: &Person| {
        person.client.sync(&Tap { network: &person.network, heard }, &|_| ()).expect("a sync");
    };
    let enrols = |person: &Person, code: &str| {
        person.client.enrol(&Tap { network: &person.network, heard }, ADDRESS, code, "test phone")
    };
    let (bela_code, divya_code) =
        (market.code("Bela", "field_manager", "KOLAR"), market.code("Divya", "clerk", "KOLAR"));
    let copy = market.backs_up("the copy");
    let bela = market.meets("Bela");
    enrols(&bela, &bela_code).expect("enrolled");
    let farmer = bela.registers("Puttamma", "Narsapura", "").farmer_id;
    bela.weighs(farmer, None, &[24_000]);
    for person in [&bela, asha] {
        syncs(person);
    }
    market.sets_back(&copy, true);
    enrols(&market.meets("Divya"), &divya_code).expect_err("a recovery is open");
    bela.weighs(farmer, None, &[25_000]);
    for person in [&bela, asha, &bela] {
        syncs(person);
    }
}

/// Orders Manju's phone lost, approves one of her held deliveries, rejects the other, suspends her, lifts that, revokes her grant, and
/// resumes the phone.
fn hold<R>(market: &Market, manju: &Person, farmer: farmtally_core::units::FarmerId, syncs: &impl Fn(&Person) -> R) {
    syncs(manju);
    let session = manju.client.session().expect("a session");
    let grant: GrantId = session.grant_id.expect("a grant");
    let approved = manju.weighs(farmer, None, &[40_000]).delivery_id;
    let returned = manju.weighs(farmer, None, &[41_000]).delivery_id;
    manju.amends(approved, 42_000).expect("amended");
    let (server, organisation) = (&market.server, market.organisation);
    server.order(organisation, session.device_code, Order::Lost).expect("ordered");
    syncs(manju);
    server.approve(organisation, approved.into(), None).expect("approved");
    server.reject(organisation, returned.into(), None, "weigh it again").expect("rejected");
    server.suspend(organisation, "Manju", true).expect("suspended");
    server.suspend(organisation, "Manju", false).expect("lifted");
    server.revoke(organisation, grant).expect("revoked");
    server.order(organisation, session.device_code, Order::Resume).expect("ordered");
    syncs(manju);
}
