use farmtally_core::decisions::{Deduction, EffectiveReading, MoistureMethod};
use farmtally_core::paper::{
    AdvanceLine, AdvanceWord, Advances, AdvancesBalance, Amendment, BagLine, Change, CopyNumber, DayBook, DayBookLine,
    DeductionLine, DeliveryLine, FarmerName, Figure, Fonts, Heading, Instant, Language, Manifest, ManifestLine,
    MoistureLine, Page, Price, PriceUnit, Proof, Receipt, ReceiptGroup, Scale, Statement, Value, Word,
};
use farmtally_core::rules::LineKind;
use farmtally_core::units::{BusinessDate, Currency, Grams, Percent, Timestamp};

/// Names of the kinds of papers.
pub const KINDS: [&str; 4] = ["receipt", "manifest", "statement", "day-book"];

/// Lakshmi's telephone number, which no paper shows.
pub const PHONE: &str = "+919845011111";

/// 21 November 2026, 16:05 in Kolar.
const NOW: Instant = Instant { at: Timestamp(1_795_257_300_000), zone_minutes: 330 };

/// The fonts of the fixtures: Latin, Kannada, Devanagari, Arabic.
pub fn fonts() -> Fonts {
    let file = |name| {
        let path = format!("{}/fixtures/fonts/{name}.ttf", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let names = ["NotoSans-Latin", "NotoSansKannada", "NotoSansDevanagari", "NotoNaskhArabic"];
    Fonts::new(names.map(file).into()).expect("fonts")
}

/// A paper of a kind, with names as people of the language write them.
pub fn page(kind: &str, language: Language) -> Page {
    match kind {
        "receipt" => receipt(language).page(language.into()),
        "manifest" => manifest(language).page(language.into()),
        "statement" => statement(language).page(language.into()),
        "day-book" => day_book(language).page(language.into()),
        _ => panic!("no paper {kind}"),
    }
}

/// Names in a language: organisation, centre, farmer, clerk, driver, a reason, an allowance, a quality factor, a kind of advance.
fn names(language: Language) -> [&'static str; 8] {
    match language {
        Language::English => [
            "Kolar growers",
            "Kolar",
            "Lakshmi Devi",
            "Asha",
            "Café Ravi",
            "bag 4 weighed again",
            "Sample for the buyer",
            "Foreign matter",
        ],
        Language::Kannada => {
            ["ಕೋಲಾರ ಬೆಳೆಗಾರರು", "ಕೋಲಾರ", "ಲಕ್ಷ್ಮಿ ದೇವಿ", "ಆಶಾ", "ರವಿ ಸೂರ್ಯ", "4ನೇ ಚೀಲವನ್ನು ಮತ್ತೆ ತೂಗಲಾಯಿತು", "ಮಾದರಿ ಕಡಿತ", "ಕಸಕಡ್ಡಿ"]
        }
        Language::Hindi => {
            ["कोलार उत्पादक", "कोलार", "लक्ष्मी देवी", "आशा", "रवि सूर्या", "बोरी 4 फिर से तौली गई", "नमूना कटौती", "कचरा"]
        }
        Language::Arabic => {
            ["مزارعو كولار", "كولار", "لاكشمي ديفي", "آشا", "رافي", "أعيد وزن الكيس 4", "عينة للمشتري", "شوائب"]
        }
    }
}

fn heading(language: Language, copy: CopyNumber) -> Heading {
    let [organisation, centre, ..] = names(language);
    Heading { organisation: organisation.into(), centre: centre.into(), copy }
}

fn farmer(language: Language) -> FarmerName {
    FarmerName { code: "T-KOLAR-13-4".into(), name: names(language)[2].into(), phone: PHONE.into() }
}

fn rupees() -> Currency {
    Currency { code: "INR".parse().expect("a code"), exponent: 2 }
}

/// Lakshmi's delivery of seven bags, amended and printed a second time.
pub fn receipt(language: Language) -> Receipt {
    let [_, _, _, clerk, _, reason, allowance, factor] = names(language);
    let weights = [64_000, 59_000, 64_000, 65_000, 59_000, 63_000, 61_000];
    let bags = (1..).zip(weights).map(|(number, gross)| BagLine { number, gross: Grams(gross) }).collect();
    let line = |kind, name: &str, grams: i64| DeductionLine { kind, name: name.into(), amount: Grams(-grams) };
    let value = Value::Estimate(914_933);
    let group = ReceiptGroup {
        grade: Some("A".into()),
        bags,
        lots: Vec::new(),
        bag_count: 7,
        gross: Grams(435_000),
        deductions: vec![
            line(LineKind::Tare, "", 4_550),
            line(LineKind::Moisture, "", 3_500),
            line(LineKind::Allowance, allowance, 1_400),
        ],
        moisture: None,
        net: Grams(425_550),
        price: Price::Decided { minor_per_tonne: 2_150_000, unit: PriceUnit::Quintal },
        value,
    };
    Receipt {
        heading: heading(language, CopyNumber::after(1)),
        number: "KOLAR-13-17-W".into(),
        recorded: NOW,
        business_date: BusinessDate(20_778),
        farmer: farmer(language),
        groups: vec![group],
        bag_count: 7,
        gross: Grams(435_000),
        net: Grams(425_550),
        value,
        moisture: Some(MoistureLine {
            reading: Percent::try_from(1_450).ok(),
            rule: EffectiveReading::Last,
            meter: "MM-7".into(),
            method: MoistureMethod::PerPoint(Deduction::PerBag(Grams(1_000))),
        }),
        quality: vec![(factor.into(), "0.80 %".into())],
        advances: Some(AdvancesBalance { outstanding_minor: 1_500_000, as_of: BusinessDate(20_777) }),
        scale: Some(Scale { number: "S-3".into(), calibrated_on: Some(BusinessDate(20_400)), is_overdue: true }),
        rule_set: 3,
        clerk: clerk.into(),
        load: Some(("KOLAR-1121-13-2".into(), "KA07A1234".into())),
        currency: rupees(),
        amendment: Some(Amendment {
            number: 1,
            at: NOW,
            reason: reason.into(),
            changes: vec![
                Change { label: Word::Gross, old: Figure::Weight(Grams(436_000)), new: Figure::Weight(Grams(435_000)) },
                Change { label: Word::Net, old: Figure::Weight(Grams(426_550)), new: Figure::Weight(Grams(425_550)) },
            ],
        }),
        void_reason: None,
        paper_form: Some("BOOK17 1042".into()),
        signed: Some(NOW),
        replaces: None,
        replaced_by: None,
        proof: Some(proof()),
    }
}

fn proof() -> Proof {
    Proof { code: "FTR1-KOLAR-13-17-W-9J4QXK7TB2M5".into(), digest: "9J4Q XK7T B2M5".into() }
}

fn manifest(language: Language) -> Manifest {
    let [_, _, _, clerk, driver, ..] = names(language);
    let line = |receipt: &str, farmer: &str, bag_count, gross| ManifestLine {
        receipt: receipt.into(),
        farmer: farmer.into(),
        is_part: bag_count < 10,
        bag_count,
        gross: Grams(gross),
    };
    Manifest {
        heading: heading(language, CopyNumber::ORIGINAL),
        load: "KOLAR-1121-13-2".into(),
        version: 2,
        closed: NOW,
        lorry: "KA07A1234".into(),
        driver: driver.into(),
        destination: names(language)[1].into(),
        seals: vec!["4471".into(), "4472".into()],
        clerk: clerk.into(),
        lines: vec![
            line("KOLAR-13-17-W", "T-KOLAR-13-4", 7, 435_000),
            line("KOLAR-13-18-Y", "T-KOLAR-13-5", 55, 3_431_000),
            line("KOLAR-14-3-K", "T-KOLAR-14-1", 120, 7_250_500),
        ],
        bag_count: 182,
        gross: Grams(11_116_500),
        proof: Some(Proof { code: "FTM1-KOLAR-1121-13-2-2-51WQ8F0Z".into(), digest: "51WQ 8F0Z".into() }),
    }
}

fn statement(language: Language) -> Statement {
    let delivery = |day, receipt: &str, bag_count, net, value| DeliveryLine {
        date: BusinessDate(day),
        receipt: receipt.into(),
        bag_count,
        net: Grams(net),
        value,
    };
    let advance = |day, amount_minor, outstanding_minor| AdvanceLine {
        date: BusinessDate(day),
        kind: AdvanceWord::InKind,
        amount_minor,
        outstanding_minor,
        age_days: u32::try_from(20_778 - day).expect("days"),
    };
    Statement {
        heading: heading(language, CopyNumber::ORIGINAL),
        made: NOW,
        farmer: farmer(language),
        from: BusinessDate(20_728),
        to: BusinessDate(20_778),
        deliveries: vec![
            delivery(20_770, "KOLAR-13-9-N", 55, 3_321_000, Value::Final(7_140_150)),
            delivery(20_778, "KOLAR-13-17-W", 7, 425_550, Value::Estimate(914_933)),
        ],
        bag_count: 62,
        net: Grams(3_746_550),
        value: Value::Estimate(8_055_083),
        advances: Some(Advances {
            lines: vec![advance(20_748, 1_000_000, 500_000), advance(20_760, 1_000_000, 1_000_000)],
            outstanding_minor: 1_500_000,
        }),
        currency: rupees(),
        clerk: names(language)[3].into(),
    }
}

fn day_book(language: Language) -> DayBook {
    let line = |minutes: i64, receipt: &str, bag_count, gross, net, is_void| DayBookLine {
        recorded: Instant { at: Timestamp(NOW.at.0 - minutes * 60_000), ..NOW },
        receipt: receipt.into(),
        farmer: "T-KOLAR-13-4".into(),
        bag_count,
        gross: Grams(gross),
        net: Grams(net),
        is_void,
    };
    DayBook {
        heading: heading(language, CopyNumber::ORIGINAL),
        date: BusinessDate(20_778),
        made: NOW,
        clerk: names(language)[3].into(),
        lines: vec![
            line(95, "KOLAR-13-15-R", 12, 750_000, 742_200, false),
            line(40, "KOLAR-13-16-T", 7, 436_000, 431_450, true),
            line(0, "KOLAR-13-17-W", 7, 435_000, 425_550, false),
        ],
        bag_count: 19,
        gross: Grams(1_185_000),
        net: Grams(1_167_750),
        unsent: 1,
    }
}
