//! Cases of the commands about loads, farmers, files, users, servers and the inbox.

use farmtally_core::Error;
use farmtally_core::client::{
    Basis, Choice, ExportFormat, FarmerEdit, FarmerInput, FarmerView, ImportInput, LoadEdit, LoadView, OpenLoad,
    PayoutInput, ReportCode, ReportQuery, StartDraft,
};
use farmtally_core::environment::Clock;
use farmtally_core::limits::MAX_ODOMETER_KM;
use farmtally_core::records::Advance;
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::{ContactDetails, PayoutAccount, PayoutField, PayoutMethod};
use farmtally_core::records::load::TrackPoint;
use farmtally_core::rules::Check;
use farmtally_core::units::{ChangeHash, DeliveryId, FarmerId, LoadId, Money, Timestamp};
use farmtally_tests::samples::{Sample, Subjects, minor};
use farmtally_tests::{ADDRESS, Person, bag, reason};

use super::{Cases, Subject, Yard};

/// Records a farmer, a load and a delivery on it at MALUR. Returns the load's join code too.
pub(super) fn at_malur(person: &Person) -> ((DeliveryId, LoadId, FarmerId), String) {
    let centre = || "MALUR".parse().expect("a code");
    let details = ContactDetails { name: "Puttamma".into(), ..ContactDetails::default() };
    let farmer = person
        .client
        .register_farmer(&FarmerInput { centre: centre(), details, tags: Vec::new() }, &[])
        .expect("registered");
    let load = person.client.open_load(&OpenLoad { centre: centre(), ..open() }).expect("a load");
    let draft = StartDraft {
        centre: centre(),
        commodity: "TOMATO".parse().expect("a code"),
        farmer_id: Some(farmer.farmer_id),
        load_id: Some(load.load_id),
        replaces: None,
    };
    let draft = person.client.start_draft(draft).expect("a draft");
    let draft = person.client.edit_draft(draft.basis, &[bag(20_000)]).expect("a bag");
    let delivery = person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    ((delivery.delivery_id, load.load_id, farmer.farmer_id), load.join_code)
}

fn open() -> OpenLoad {
    OpenLoad {
        centre: "KOLAR".parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        lorry: "KA07A1111".parse().expect("a plate"),
        driver: None,
        destination: None,
        is_planned: false,
    }
}

fn changes(yard: &Yard, edit: &LoadEdit) -> Result<LoadView, Error> {
    yard.asha.client.change_load(yard.load.basis, edit, &Check::ALL)
}

fn diverts(yard: &Yard, edit: &LoadEdit) -> Result<LoadView, Error> {
    yard.asha.client.change_load(yard.departed.basis, edit, &Check::ALL)
}

fn registers(yard: &Yard, details: ContactDetails) -> Result<FarmerView, Error> {
    let input = FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: Vec::new() };
    yard.asha.client.register_farmer(&input, &Check::ALL)
}

fn named(name: &str) -> ContactDetails {
    ContactDetails { name: name.to_owned(), ..ContactDetails::default() }
}

fn renames(yard: &Yard, details: &ContactDetails) -> Result<FarmerView, Error> {
    yard.asha.client.edit_farmer(yard.farmer.farmer_id, yard.farmer.basis, details)
}

pub(super) fn add(cases: &mut Cases) {
    opening(cases);
    joining(cases);
    changing(cases);
    farmers(cases);
    payouts(cases);
    tracks(cases);
    money(cases);
    files(cases);
    servers(cases);
    inbox(cases);
}

fn opening(cases: &mut Cases) {
    let name = "open_load";
    let opens = |yard: &Yard, input: &OpenLoad| yard.asha.client.open_load(input);
    for centre in ["MALUR", "NOWHERE"] {
        cases.add(name, "out_of_scope", centre, move |yard| {
            opens(yard, &OpenLoad { centre: centre.parse().expect("a code"), ..open() })
        });
    }
    cases.add(name, "commodity", "a commodity that nobody buys", move |yard| {
        opens(yard, &OpenLoad { commodity: "RICE".parse().expect("a code"), ..open() })
    });
    cases.add(name, "lorry", "a plate that nobody knows", move |yard| {
        opens(yard, &OpenLoad { lorry: "KA07A9999".parse().expect("a plate"), ..open() })
    });
    cases.texts(name, "driver", true, move |yard, text| {
        opens(yard, &OpenLoad { driver: Some(text.to_owned()), ..open() })
    });
    cases.texts(name, "destination", true, move |yard, text| {
        opens(yard, &OpenLoad { destination: Some(text.to_owned()), ..open() })
    });
}

fn joining(cases: &mut Cases) {
    let name = "join_load";
    let codes = ["", " ", "FTL1-", "FTL1-!!!!", "FTL1-AAAA", "FTL2-AAAA", "KOLAR-0509-10-1", "\0", "\u{202e}FTL1-"];
    for code in codes.map(str::to_owned).into_iter().chain([format!("FTL1-{}", "A".repeat(10_000_000))]) {
        let what: String = format!("{code:?}").chars().take(30).collect();
        cases.add(name, "join_code", &what, move |yard| yard.asha.client.join_load(&code));
    }
    cases.add(name, "join_code", "a code in lower case", |yard| {
        yard.asha.client.join_load(&yard.load.join_code.to_lowercase())
    });
    cases.add(name, "join_code", "half a code", |yard| {
        yard.asha.client.join_load(&yard.load.join_code[..yard.load.join_code.len() / 2])
    });
    cases.add(name, "out_of_scope", "the code of a load at another centre", |yard| {
        yard.asha.client.join_load(&yard.malur_join_code)
    });
}

fn changing(cases: &mut Cases) {
    let name = "change_load";
    cases.bases(name, Subject::Load, |yard, basis| {
        yard.asha.client.change_load(basis, &LoadEdit::SetDriver("Nagaraj".into()), &Check::ALL)
    });
    for plate in ["KA07A9999", "KA07A1111"] {
        cases.add(name, "lorry", &format!("{plate}, unknown or the same"), move |yard| {
            changes(yard, &LoadEdit::SetLorry(plate.parse().expect("a plate")))
        });
    }
    cases.texts(name, "driver", true, |yard, text| changes(yard, &LoadEdit::SetDriver(text.to_owned())));
    cases.texts(name, "destination", true, |yard, text| changes(yard, &LoadEdit::SetDestination(text.to_owned())));
    cases.texts(name, "place", true, |yard, text| changes(yard, &LoadEdit::AddStop { place: text.to_owned() }));
    cases.texts(name, "seal", true, |yard, text| changes(yard, &LoadEdit::AddSeal { seal: text.to_owned() }));
    cases.texts(name, "destination", true, |yard, text| {
        diverts(yard, &LoadEdit::Divert { destination: text.to_owned(), reason: reason("road_closed") })
    });
    cases.texts(name, "reason", true, |yard, text| {
        let reason = Reason { code: text.to_owned(), text: String::new() };
        diverts(yard, &LoadEdit::Divert { destination: "Malur".into(), reason })
    });
    cases.texts(name, "reason", true, |yard, text| {
        let reason = Reason { code: text.to_owned(), text: String::new() };
        yard.asha.client.change_load(yard.empty_load.basis, &LoadEdit::Cancel { reason }, &Check::ALL)
    });
    for odometer_km in [MAX_ODOMETER_KM + 1, u32::MAX] {
        let odometer_km = Some(odometer_km);
        cases.add(name, "odometer_km", &format!("leaves at {odometer_km:?}"), move |yard| {
            changes(yard, &LoadEdit::Depart { odometer_km })
        });
        cases.add(name, "odometer_km", &format!("arrives at {odometer_km:?}"), move |yard| {
            diverts(yard, &LoadEdit::Arrive { odometer_km })
        });
    }
    for hash in [String::new(), "0".repeat(64), "x".repeat(10_000_000)] {
        let what = format!("a manifest hash of {} characters", hash.len());
        cases.add(name, "stale", &what, move |yard| {
            changes(yard, &LoadEdit::RequestClose { manifest_hash: hash.clone() })
        });
    }
    for (edit, what) in [
        (LoadEdit::Open, "opened, and open already"),
        (LoadEdit::Receive, "received by one who may not"),
        (LoadEdit::Cancel { reason: reason("rain") }, "cancelled with deliveries"),
        (LoadEdit::Divert { destination: "Malur".into(), reason: reason("rain") }, "diverted before it left"),
    ] {
        cases.add(name, "not_allowed", what, move |yard| changes(yard, &edit));
    }
}

/// Texts that are no telephone number: letters, numbers in the forms of programs, other scripts, and too few or too many digits.
const BAD_PHONES: [&str; 13] = [
    "NaN",
    "inf",
    "1e309",
    "0x10",
    "12,5",
    "٣٫٥",
    "-1",
    "1234",
    "1234567890123456789",
    "phone",
    "98450\x0011111",
    "98450;DROP TABLE farmers",
    "+",
];

fn farmers(cases: &mut Cases) {
    for centre in ["MALUR", "NOWHERE"] {
        cases.add("register_farmer", "out_of_scope", centre, move |yard| {
            let details = ContactDetails { name: "Meena".into(), ..ContactDetails::default() };
            let input = FarmerInput { centre: centre.parse().expect("a code"), details, tags: Vec::new() };
            yard.asha.client.register_farmer(&input, &Check::ALL)
        });
    }
    let from = |village: &str| ContactDetails { name: "Meena".into(), village: village.into(), ..Default::default() };
    let with = |phone: &str| ContactDetails { name: "Meena".into(), phone: phone.into(), ..Default::default() };
    cases.texts("register_farmer", "name", true, move |yard, text| registers(yard, named(text)));
    cases.texts("register_farmer", "village", false, move |yard, text| registers(yard, from(text)));
    cases.texts("edit_farmer", "name", true, move |yard, text| renames(yard, &named(text)));
    cases.texts("edit_farmer", "village", false, move |yard, text| renames(yard, &from(text)));
    for phone in BAD_PHONES.map(str::to_owned).into_iter().chain(["9".repeat(10_000_000)]) {
        let what: String = format!("phone {phone:?}").chars().take(40).collect();
        let again = phone.clone();
        cases.add("register_farmer", "phone", &what, move |yard| registers(yard, with(&phone)));
        cases.add("edit_farmer", "phone", &what, move |yard| renames(yard, &with(&again)));
    }
    let also = |phone: &str| ContactDetails { other_phones: vec![phone.into()], ..named("Meena") };
    for phone in BAD_PHONES {
        cases.add("register_farmer", "other_phones", phone, move |yard| registers(yard, also(phone)));
        cases.add("edit_farmer", "other_phones", phone, move |yard| renames(yard, &also(phone)));
    }
    for (field, of) in [
        ("local_name", (|it| ContactDetails { local_name: it, ..named("Meena") }) as fn(String) -> ContactDetails),
        ("address", |it| ContactDetails { address: it, ..named("Meena") }),
    ] {
        cases.texts("register_farmer", field, false, move |yard, text| registers(yard, of(text.to_owned())));
        cases.texts("edit_farmer", field, false, move |yard, text| renames(yard, &of(text.to_owned())));
    }
    for language in ["kannada!", "x", "k\0n", "\u{202e}kn", "ಕನ್ನಡ", "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s"]
    {
        cases.add("edit_farmer", "language", language, move |yard| {
            renames(yard, &ContactDetails { language: language.into(), ..named("Meena") })
        });
    }
    cases.bases("edit_farmer", Subject::Farmer, move |yard, basis| {
        yard.asha.client.edit_farmer(yard.farmer.farmer_id, basis, &named("Meena"))
    });
    cases.add("edit_farmer", "not_found", "the basis of the identity", move |yard| {
        let basis = Basis { document_id: yard.farmer.farmer_id.into(), ..yard.farmer.basis };
        yard.asha.client.edit_farmer(yard.farmer.farmer_id, basis, &named("Meena"))
    });
    cases.ids("change_farmer", "not_found", Subject::Farmer, |yard, other| {
        let basis = Basis { document_id: other, ..yard.farmer.identity_basis };
        yard.asha.client.change_farmer(basis, &FarmerEdit::SetActive { is_active: false })
    });
    cases.add("change_farmer", "stale", "the basis of a version that never was", |yard| {
        let basis = Basis { version: [0xff; 8], ..yard.farmer.identity_basis };
        yard.asha.client.change_farmer(basis, &FarmerEdit::SetActive { is_active: false })
    });
    cases.add("change_farmer", "not_found", "the basis of the contact details", |yard| {
        yard.asha.client.change_farmer(yard.farmer.basis, &FarmerEdit::SetActive { is_active: false })
    });
    cases.add("change_farmer", "tags", "21 tags", |yard| {
        let tags = (0..21).map(|number| format!("T{number}").parse().expect("a tag")).collect();
        yard.asha.client.change_farmer(yard.farmer.identity_basis, &FarmerEdit::SetTags { tags })
    });
    cases.ids("edit_farmer", "stale", Subject::Farmer, move |yard, id| {
        yard.asha.client.edit_farmer(id.into(), yard.farmer.basis, &named("Meena"))
    });
}

fn payouts(cases: &mut Cases) {
    let name = "propose_payout";
    let proposes = |yard: &Yard, farmer: FarmerId, input: PayoutInput| {
        yard.asha.client.propose_payout(farmer, yard.farmer.payout.basis, &input)
    };
    let id = |id: &str| PayoutInput { national_id: Some(id.to_owned()), account: None };
    let account = |method, account: &str| {
        let account =
            PayoutAccount { method, account: account.to_owned(), bank_code: String::new(), holder_name: String::new() };
        PayoutInput { national_id: None, account: Some(account) }
    };
    let nothing = PayoutInput { national_id: None, account: None };
    cases.add(name, "payout", "nothing", move |yard| proposes(yard, yard.farmer.farmer_id, nothing.clone()));
    cases.texts(name, "national_id", true, move |yard, text| proposes(yard, yard.farmer.farmer_id, id(text)));
    for wrong in ["123", "12_34", "१२३४"] {
        cases.add(name, "national_id", wrong, move |yard| proposes(yard, yard.farmer.farmer_id, id(wrong)));
    }
    for (method, wrong) in [
        (PayoutMethod::Bank, "123"),
        (PayoutMethod::Bank, "-12345678.00e9!"),
        (PayoutMethod::MobileMoney, ""),
        (PayoutMethod::MobileMoney, "name@bank"),
        (PayoutMethod::Upi, "name"),
        (PayoutMethod::Upi, "@bank"),
        (PayoutMethod::Upi, "a@b@c"),
    ] {
        cases.add(name, "account", &format!("{method}: {wrong}"), move |yard| {
            proposes(yard, yard.farmer.farmer_id, account(method, wrong))
        });
    }
    for method in PayoutMethod::ALL {
        cases.texts(name, "account", true, move |yard, text| {
            proposes(yard, yard.farmer.farmer_id, account(method, text))
        });
    }
    for field in ["bank_code", "holder_name"] {
        cases.texts(name, field, false, move |yard, text| {
            let mut input = account(PayoutMethod::Bank, "12345678");
            let of = input.account.as_mut().expect("an account");
            text.clone_into(if field == "bank_code" { &mut of.bank_code } else { &mut of.holder_name });
            proposes(yard, yard.farmer.farmer_id, input)
        });
    }
    cases.ids(name, "not_found", Subject::Farmer, move |yard, other| proposes(yard, other.into(), id("12345678")));
    cases.add(name, "stale", "the basis of the identity", move |yard| {
        yard.asha.client.propose_payout(yard.farmer.farmer_id, yard.farmer.identity_basis, &id("12345678"))
    });
    cases.ids("reveal_payout", "not_found", Subject::Draft, |yard, other| {
        yard.asha.client.reveal_payout(other.into(), PayoutField::Account, &reason("a question"))
    });
    cases.texts("reveal_payout", "reason", true, |yard, text| {
        let why = Reason { code: text.to_owned(), text: String::new() };
        yard.asha.client.reveal_payout(yard.farmer.farmer_id, PayoutField::Account, &why)
    });
}

fn tracks(cases: &mut Cases) {
    let name = "add_track";
    let point = |yard: &Yard| TrackPoint {
        at: yard.market.clock.now(),
        latitude_e7: 131_000_000,
        longitude_e7: 781_000_000,
        accuracy_cm: 500,
        provider: None,
        is_mock: false,
    };
    let adds = |yard: &Yard, points: &[TrackPoint]| yard.asha.client.add_track(yard.departed.load_id, points);
    cases.add(name, "points", "no point", move |yard| adds(yard, &[]));
    for (what, wrong) in [
        ("north of the pole", (|it| TrackPoint { latitude_e7: 900_000_001, ..it }) as fn(TrackPoint) -> TrackPoint),
        ("south of everything", |it| TrackPoint { latitude_e7: i32::MIN, ..it }),
        ("east of everything", |it| TrackPoint { longitude_e7: i32::MAX, ..it }),
        ("before all phones", |it| TrackPoint { at: Timestamp(0), ..it }),
        ("the end of time", |it| TrackPoint { at: Timestamp(i64::MAX), ..it }),
    ] {
        cases.add(name, "points", what, move |yard| adds(yard, &[point(yard), wrong(point(yard))]));
    }
    cases.add(name, "points", "a million points", move |yard| adds(yard, &vec![point(yard); 1_000_000]));
    cases.ids(name, "not_found", Subject::Load, move |yard, other| {
        yard.asha.client.add_track(other.into(), &[point(yard)])
    });
    cases.add(name, "not_allowed", "of a load that has not left", move |yard| {
        yard.asha.client.add_track(yard.load.load_id, &[point(yard)])
    });
}

fn money(cases: &mut Cases) {
    let kolar = || "KOLAR".parse().expect("a code");
    let advance = |yard: &Yard| {
        let (delivery, load) = (yard.delivery.delivery_id, yard.load.load_id);
        Advance::valid(&Subjects { delivery, load, farmer: yard.farmer.farmer_id })
    };
    cases.add("record_advance", "allowance_exceeded", "without a lease", move |yard| {
        let cash = Advance { method: PaymentMethod::Cash, kind: AdvanceKind::Cash, ..advance(yard) };
        yard.asha.client.record_advance(Some(&kolar()), cash, &Check::ALL)
    });
    cases.ids("record_advance", "farmer_id", Subject::Farmer, move |yard, other| {
        let advance = Advance { farmer_id: other.into(), ..advance(yard) };
        yard.asha.client.record_advance(Some(&kolar()), advance, &Check::ALL)
    });
    cases.bases("cancel_advance", Subject::Draft, |yard, basis| {
        let why = Reason { code: "not_paid".into(), text: "the shop had none".into() };
        yard.asha.client.cancel_advance(basis, &why)
    });
    for case in cases.0.iter_mut().filter(|it| it.command == "cancel_advance") {
        // A draft is no advance.
        case.expected = "not_found";
    }
    cases.add("cancel_advance", "evidence", "no evidence", |yard| {
        yard.asha.client.cancel_advance(yard.draft.basis, &reason("not_paid"))
    });
    cases.texts("cancel_advance", "reason", true, |yard, text| {
        let why = Reason { code: text.to_owned(), text: "the shop had none".into() };
        yard.asha.client.cancel_advance(yard.draft.basis, &why)
    });
    for amount in [Money::MIN, minor(-1)] {
        cases.add("count_cash", "counted_minor", &format!("{amount:?}"), move |yard| {
            yard.asha.client.count_cash(&kolar(), yard.asha.client.date(), amount)
        });
    }
    for centre in ["MALUR", "NOWHERE"] {
        cases.add("count_cash", "out_of_scope", centre, move |yard| {
            let centre = centre.parse().expect("a code");
            yard.asha.client.count_cash(&centre, yard.asha.client.date(), Money::ZERO)
        });
    }
}

fn files(cases: &mut Cases) {
    for name in ["export_to", "export_report_to", "import_farmers"] {
        for (what, path_of) in [
            ("an empty path", (|_| "".into()) as fn(&Yard) -> std::path::PathBuf),
            ("a folder", |yard| yard.asha.folder.clone()),
            ("a folder that is not there", |yard| yard.market.path_of("nowhere").join("file")),
            ("a path with NUL", |_| "a\0b".into()),
            ("a path of ten million letters", |_| "x".repeat(10_000_000).into()),
        ] {
            cases.add(name, "path", what, move |yard| match name {
                "export_to" => yard.asha.client.export_to(&path_of(yard)),
                "import_farmers" => imports(yard, &path_of(yard), "KOLAR"),
                _ => {
                    let query = ReportQuery::new(ReportCode::ALL[0]);
                    yard.asha.client.export_report_to(&query, ExportFormat::Csv, &path_of(yard)).map(drop)
                }
            });
        }
    }
    for centre in ["MALUR", "NOWHERE"] {
        cases.add("import_farmers", "out_of_scope", centre, move |yard| imports(yard, &yard.asha.database(), centre));
    }
    for (what, content) in
        [("an empty file", Vec::new()), ("no name", b"village,phone\nKolar,1".to_vec()), ("bytes", vec![0xff; 999])]
    {
        cases.add("import_farmers", "columns", what, move |yard| {
            let path = yard.market.path_of("farmers.csv");
            std::fs::write(&path, &content).expect("written");
            imports(yard, &path, "KOLAR")
        });
    }
    let parcels: [(&str, Vec<u8>); 4] =
        [("garbage", vec![0x5a; 99]), ("zeros", vec![0; 10_000_000]), ("text", b"FTP1".to_vec()), ("a byte", vec![1])];
    for (what, bytes) in parcels {
        let frame = bytes.clone();
        cases.add("carry_parcel", "parcel", what, move |yard| yard.asha.client.carry_parcel(bytes.as_slice()));
        cases.add("add_qr_frame", "parcel", what, move |yard| yard.asha.client.add_qr_frame(&frame));
    }
    cases.add("add_qr_frame", "parcel", "no bytes", |yard| yard.asha.client.add_qr_frame(&[]));
}

fn imports(yard: &Yard, path: &std::path::Path, centre: &str) -> Result<(), Error> {
    let centre = centre.parse().expect("a code");
    let input = ImportInput { centre, is_dry_run: false, with_look_alikes: true };
    yard.asha.client.import_farmers(path, &input).map(drop)
}

/// Addresses of no server.
const BAD_URLS: [&str; 8] =
    ["", " ", "server", "ftp://server.test", "http://", "http://a b", "https://ser\0ver.test", "javascript:alert(1)"];

fn servers(cases: &mut Cases) {
    for url in BAD_URLS.map(str::to_owned).into_iter().chain([format!("http://{}", "x".repeat(10_000_000))]) {
        let what: String = format!("{url:?}").chars().take(30).collect();
        let again = url.clone();
        cases.add("set_server_url", "server_url", &what, move |yard| {
            yard.asha.client.set_server_url(&yard.asha.network, &url)
        });
        cases.add("enrol", "server_url", &what, move |yard| {
            yard.new.client.enrol(&yard.new.network, &again, "0123-4567-89AB-CDEF", "test phone")
        });
    }
    let codes = ["", "0123", "0123-4567-89AB-CDE!", "NaN", "0123-4567-89AB-CDEF-0", "\0"];
    for code in codes.map(str::to_owned).into_iter().chain(["0".repeat(10_000_000)]) {
        let what: String = format!("{code:?}").chars().take(30).collect();
        cases.add("enrol", "code", &what, move |yard| {
            yard.new.client.enrol(&yard.new.network, ADDRESS, &code, "test phone")
        });
    }
    cases.texts("enrol", "model", false, |yard, text| {
        yard.new.client.enrol(&yard.new.network, ADDRESS, "0123-4567-89AB-CDEF", text)
    });
    cases.add("enrol", "not_allowed", "a phone that is enrolled", |yard| {
        yard.asha.client.enrol(&yard.asha.network, ADDRESS, "0123-4567-89AB-CDEF", "test phone")
    });
    for id in [[0; 16], [7; 16], [0xff; 16]] {
        cases.add("switch_user", "not_allowed", &format!("user {}", id[0]), move |yard| {
            yard.asha.client.switch_user(id.into())
        });
    }
    cases.add("switch_user", "not_allowed", "the id of a farmer", |yard| {
        yard.asha.client.switch_user((*yard.farmer.farmer_id.as_bytes()).into())
    });
}

fn inbox(cases: &mut Cases) {
    let name = "resolve";
    let keep = |field: &str| Choice::Keep { field: field.to_owned(), change: ChangeHash([7; 32]) };
    for field in ["", "date", "DATE", "v1", "nothing", "\0", "x-1"] {
        cases.add(name, "stale", &format!("the field {field:?} without a conflict"), move |yard| {
            yard.asha.client.resolve(yard.delivery.basis, &keep(field))
        });
    }
    cases.add(name, "stale", "a field of ten million letters", move |yard| {
        yard.asha.client.resolve(yard.delivery.basis, &keep(&"x".repeat(10_000_000)))
    });
    for number in [i64::MIN, -1, 0, i64::MAX] {
        cases.add(name, "ok", &format!("item {number}, which is not there"), move |yard| {
            yard.asha.client.resolve(yard.delivery.basis, &Choice::Dismiss { number })
        });
    }
    // Any record may have a conflict, so that only unknown ones and those of other centres are not found.
    for (what, id) in [("an unknown record", super::BadId::Unknown), ("one of MALUR", super::BadId::LoadOfMalur)] {
        cases.add(name, "not_found", what, move |yard| {
            let basis = farmtally_core::client::Basis { document_id: yard.id(id), version: [0; 8] };
            yard.asha.client.resolve(basis, &keep("date"))
        });
    }
}
