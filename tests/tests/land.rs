//! Certificates and quotas: how the office gives them, what a phone asks about, and what the server reviews.

use farmtally_core::Error;
use farmtally_core::client::{DeliveryView, DraftEdit, FarmerView, QuotaUse};
use farmtally_core::decisions::LandSubject;
use farmtally_core::records::Plot;
use farmtally_core::records::plot::{GeoPoint, PlotShape};
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::rules::{Check, PublicationError};
use farmtally_core::units::{DocumentId, FarmerId, Grams};
use farmtally_sync_server::{Error as ServerError, ReferenceFile};
use farmtally_tests::{Market, Person, bag, reason};
use serde_json::{Value, json};

/// Publishes reference data; returns how many records are new or changed, or all errors.
fn publishes(market: &Market, file: &Value) -> Result<usize, Vec<PublicationError>> {
    let published = ReferenceFile::parse(&file.to_string())
        .and_then(|file| market.server.update_reference(market.organisation, &file));
    published.map_err(|error| match error {
        ServerError::Reference { errors } => errors,
        other => panic!("{other}"),
    })
}

fn certificate(subject: (&str, String), scheme: &str, until: &str) -> Value {
    let (field, subject) = subject;
    let number = format!("{scheme}-77");
    json!({field: subject, "scheme": scheme, "number": number, "valid_from": "2019-01-01", "valid_until": until})
}

fn quota(subject: (&str, String), most_g: i64) -> Value {
    let (field, subject) = subject;
    json!({field: subject, "commodity": "TOMATO", "season": "2019", "most_g": most_g})
}

/// A farmer whom the server and both persons know.
fn known(asha: &Person, ravi: &Person) -> FarmerView {
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    farmer
}

fn plot(person: &Person, farmer_id: FarmerId, name: &str) -> DocumentId {
    let point = GeoPoint { latitude_e7: 131_367_000, longitude_e7: 781_289_000 };
    let content =
        Plot { farmer_id, name: name.into(), shape: PlotShape::Point { point }, declared_area_m2: Some(4_000) };
    person.client.record_simple(None, content).expect("recorded").record_id
}

fn brings(person: &Person, farmer: FarmerId, grams: i64) -> DeliveryView {
    let draft = person.starts(Some(farmer), None);
    person.client.edit_draft(draft.basis, &[bag(grams), DraftEdit::SetSecondHeap(true)]).expect("weighed")
}

/// What the phone asks about before it records a delivery of this weight.
fn asked(person: &Person, farmer: FarmerId, grams: i64) -> Vec<Check> {
    let draft = brings(person, farmer, grams);
    match person.client.record_delivery(draft.basis, &[]) {
        Ok(_) => Vec::new(),
        Err(Error::Confirm { checks }) => {
            person.client.discard_draft(draft.basis).expect("discarded");
            checks
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn reviews(person: &Person) -> Vec<String> {
    let mut codes = person.reviews();
    codes.sort();
    codes
}

#[test]
fn an_expired_certificate_is_asked_about_recorded_and_reviewed() {
    let mut market = Market::open(811);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = known(&asha, &ravi);
    let (id, code) = (farmer.farmer_id, farmer.code);
    assert_eq!(asked(&asha, id, 20_000), [], "nothing is required");
    asha.syncs_wholly();
    let today = asha.starts(None, None).business_date;
    for (until, expected) in [(today.0 - 1, vec![Check::CertificateExpired]), (today.0, vec![])] {
        let until = farmtally_core::units::BusinessDate(until).to_string();
        let file = json!({"certificates": [certificate(("farmer", code.clone()), "ORGANIC", &until)]});
        assert_eq!(publishes(&market, &file), Ok(1));
        assert_eq!(publishes(&market, &file), Ok(0), "it is known");
        asha.syncs_wholly();
        assert_eq!(asked(&asha, id, 21_000), expected, "{until}");
        let shown = asha.client.farmer(id).expect("a farmer").land.certificates;
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].valid_until.to_string(), until);
        assert_eq!(shown[0].subject, LandSubject::Farmer { farmer_id: id });
        if !expected.is_empty() {
            let draft = brings(&asha, id, 22_000);
            asha.client.record_delivery(draft.basis, &expected).expect("recorded");
            asha.syncs_wholly();
            ravi.syncs_wholly();
            assert_eq!(reviews(&ravi), ["certificate_expired"]);
        }
    }
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(reviews(&ravi), ["certificate_expired"], "the later ones are valid");
}

#[test]
fn a_certificate_that_the_season_requires_may_be_that_of_a_plot() {
    let mut market = Market::open(812);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let id = known(&asha, &ravi).farmer_id;
    let season = json!({"seasons": [{
        "code": "2019", "commodity": "TOMATO", "from": "2019-01-01", "to": "2019-12-31", "required_scheme": "ORGANIC"
    }]});
    publishes(&market, &season).expect("published");
    let land = plot(&asha, id, "by the tank");
    asha.syncs_wholly();
    assert_eq!(asked(&asha, id, 20_000), [Check::CertificateMissing]);
    let draft = brings(&ravi, id, 25_000);
    ravi.client.record_delivery(draft.basis, &Check::ALL).expect("recorded before it knew");
    ravi.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(reviews(&ravi), ["certificate_missing"]);
    let of_plot = certificate(("plot", land.to_string()), "ORGANIC", "2019-12-31");
    assert_eq!(publishes(&market, &json!({"certificates": [of_plot]})), Ok(1));
    asha.syncs_wholly();
    assert_eq!(asked(&asha, id, 21_000), []);
    // A plot that is withdrawn certifies nothing any more.
    let basis = asha.client.simple_record::<Plot>(land).expect("a plot").basis;
    asha.client.step_simple::<Plot>(basis, SimpleStep::Withdrawn, Some(&reason("sold"))).expect("withdrawn");
    assert_eq!(asked(&asha, id, 22_000), [Check::CertificateMissing]);
    assert!(asha.client.farmer(id).expect("a farmer").land.plots.is_empty());
}

#[test]
fn a_delivery_above_the_quota_is_asked_about_and_reviewed_and_a_voided_one_does_not_count() {
    let mut market = Market::open(813);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = known(&asha, &ravi);
    let (id, code) = (farmer.farmer_id, farmer.code);
    assert_eq!(publishes(&market, &json!({"quotas": [quota(("farmer", code), 100_000)]})), Ok(1));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(asked(&asha, id, 60_000), []);
    assert_eq!(asked(&asha, id, 40_001), [Check::QuotaExceeded]);
    assert_eq!(asked(&asha, id, 40_000), [], "exactly the quota");
    let used = |person: &Person| person.client.farmer(id).expect("a farmer").land.quotas;
    let (season, commodity) = ("2019".parse().expect("a code"), "TOMATO".parse().expect("a code"));
    let expected = QuotaUse { season, commodity, most_g: Grams(100_000), used_g: Grams(100_000) };
    assert_eq!(used(&asha), [expected]);
    // Ravi's phone knows of no delivery, so it does not ask; the server knows of all.
    asha.syncs_wholly();
    let late = brings(&ravi, id, 30_000);
    let late = ravi.client.record_delivery(late.basis, &[]).expect("nothing to ask").delivery_id;
    ravi.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(reviews(&ravi), ["quota_exceeded"]);
    assert_eq!(used(&ravi)[0].used_g, Grams(130_000));
    ravi.voids(late).expect("voided");
    assert_eq!(used(&ravi)[0].used_g, Grams(100_000));
}

#[test]
fn the_quotas_of_plots_add_up() {
    let mut market = Market::open(814);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = known(&asha, &ravi);
    let plots = [plot(&asha, farmer.farmer_id, "by the tank"), plot(&asha, farmer.farmer_id, "on the hill")];
    asha.syncs_wholly();
    let quotas: Vec<Value> = plots.iter().map(|it| quota(("plot", it.to_string()), 30_000)).collect();
    assert_eq!(publishes(&market, &json!({ "quotas": quotas })), Ok(2));
    asha.syncs_wholly();
    assert_eq!(asked(&asha, farmer.farmer_id, 60_001), [Check::QuotaExceeded]);
    assert_eq!(asked(&asha, farmer.farmer_id, 60_000), []);
    let land = asha.client.farmer(farmer.farmer_id).expect("a farmer").land;
    assert_eq!(land.plots.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["by the tank", "on the hill"]);
    assert_eq!((land.plots[0].area_m2, land.plots[0].declared_area_m2), (None, Some(4_000)));
}

#[test]
fn all_farmers_and_plots_that_are_not_there_are_named_at_once_and_nothing_is_logged() {
    let mut market = Market::open(815);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = known(&asha, &ravi);
    let nobody = || ("farmer", "T-KOLAR-99-1".to_owned());
    let errors = publishes(
        &market,
        &json!({
            "certificates": [
                certificate(("farmer", farmer.code.clone()), "ORGANIC", "2019-12-31"),
                certificate(nobody(), "ORGANIC", "2019-12-31"),
            ],
            "quotas": [quota(nobody(), 1), quota(("plot", DocumentId::from([7; 16]).to_string()), 1)],
        }),
    );
    let places =
        |errors: Vec<PublicationError>| errors.into_iter().map(|it| (it.path, it.code.as_str())).collect::<Vec<_>>();
    let at = |path: &str| (path.to_owned(), "unknown_record");
    let expected = [at("/certificates/1/farmer"), at("/quotas/0/farmer"), at("/quotas/1/plot")];
    assert_eq!(places(errors.expect_err("refused")), expected);
    asha.syncs_wholly();
    assert!(asha.client.farmer(farmer.farmer_id).expect("a farmer").land.certificates.is_empty());

    let twice = certificate(("farmer", farmer.code.clone()), "ORGANIC", "2019-12-31");
    let both = json!({
        "farmer": farmer.code, "plot": DocumentId::from([7; 16]).to_string(), "commodity": "TOMATO", "season": "2019",
        "most_g": 1
    });
    let errors = publishes(
        &market,
        &json!({
            "certificates": [twice, twice, certificate(("farmer", farmer.code.clone()), "FAIR", "2018-12-31")],
            "quotas": [both, {"commodity": "TOMATO", "season": "2019", "most_g": -1}],
        }),
    );
    let expected = [
        ("/certificates/1/scheme", "duplicate"),
        ("/certificates/2/valid_until", "ends_before_it_begins"),
        ("/quotas/0/plot", "ambiguous"),
        ("/quotas/1/farmer", "missing"),
        ("/quotas/1/most_g", "out_of_range"),
    ];
    let expected = expected.map(|(path, code)| (path.to_owned(), code));
    assert_eq!(places(errors.expect_err("refused")), expected);
}
