//! A sample of each simple kind of record.

use farmtally_core::Error;
use farmtally_core::client::{FieldClient, SimpleView};
use farmtally_core::records::advance::{AdvanceItem, AdvanceKind, PaymentMethod};
use farmtally_core::records::cash_movement::CashHolder;
use farmtally_core::records::container_movement::{MovementKind, Party};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::lorry_request::Priority;
use farmtally_core::records::plot::{GeoPoint, PlotShape};
use farmtally_core::records::weighbridge_ticket::WeighingSource;
use farmtally_core::records::{
    Advance, AdvanceRequest, CashCount, CashMovement, ContainerMovement, Delivery, Dispute, Feedback, InstrumentCheck,
    Load, LorryRequest, Mark, Note, Plot, QueueTicket, ReceivingNote, RecordKind, RetainedSample, Signature,
    SimpleKind, SupplyIntent, WeighbridgeTicket,
};
use farmtally_core::units::{CentreCode, DeliveryId, DocumentId, FarmerId, Grams, LoadId, LotWeight, Money, UserId};

use crate::{Person, mark};

/// Records that simple records are about, all of one centre.
#[derive(Clone, Copy, Debug)]
pub struct Subjects {
    /// A recorded delivery on the load.
    pub delivery: DeliveryId,
    /// An open load.
    pub load: LoadId,
    /// The farmer who delivered.
    pub farmer: FarmerId,
}

impl Subjects {
    /// Records them all on this person's phone.
    pub fn made_by(person: &Person) -> Self {
        let farmer = person.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let load = person.opens("KA07A1111").load_id;
        let delivery = person.weighs(farmer, Some(load), &[20_000]).delivery_id;
        Self { delivery, load, farmer }
    }
}

/// A weight of a lot or vehicle.
pub fn weight(grams: i64) -> LotWeight {
    Grams(grams).try_into().expect("a weight")
}

/// A kind with content that its command accepts, and wrong contents with the field that is named.
pub trait Sample: SimpleKind {
    /// Whether the centre is given; otherwise it is that of the subject.
    const NAMES_CENTRE: bool = false;

    /// Content that the command accepts.
    fn valid(subjects: &Subjects) -> Self;

    /// Contents with one wrong field each, and the field that the error names.
    fn wrong(valid: &Self) -> Vec<(&'static str, Self)>;

    /// Records the content at a centre, where its kind names one.
    fn recorded_by(self, client: &FieldClient, centre: &CentreCode) -> Result<SimpleView<Self>, Error> {
        client.record_simple(Self::NAMES_CENTRE.then_some(centre), self)
    }
}

impl Sample for Note {
    fn valid(subjects: &Subjects) -> Self {
        Self { record_kind: Load::NUMBER, record_id: subjects.load.into(), text: "the crates were wet".into() }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        [0, 3, 4, 5].map(|record_kind| ("record_id", Self { record_kind, ..valid.clone() })).into()
    }
}

impl Sample for WeighbridgeTicket {
    fn valid(subjects: &Subjects) -> Self {
        Self {
            record_id: subjects.delivery.into(),
            gross: weight(12_340_000),
            gross_source: WeighingSource::Scale,
            tare: weight(4_000_000),
            tare_source: WeighingSource::Claimed,
            number: "W-17".into(),
            place: "Kolar bridge".into(),
            operator_name: String::new(),
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let unknown = ("record_id", Self { record_id: DocumentId::from([7; 16]), ..valid.clone() });
        vec![("tare", Self { tare: weight(12_340_001), ..valid.clone() }), unknown]
    }
}

impl Sample for ReceivingNote {
    fn valid(subjects: &Subjects) -> Self {
        let moisture = Some("14.5".parse().expect("a share"));
        Self { load_id: subjects.load, bags: 50, rejected_bags: 50, moisture, grade: None, remarks: "wet".into() }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("bags", Self { bags: 100_001, ..valid.clone() }),
            ("rejected_bags", Self { rejected_bags: 51, ..valid.clone() }),
            ("rejected_bags", Self { rejected_bags: u32::MAX, ..valid.clone() }),
            ("load_id", Self { load_id: LoadId::from([7; 16]), ..valid.clone() }),
        ]
    }
}

impl Sample for LorryRequest {
    const NAMES_CENTRE: bool = true;

    fn valid(_: &Subjects) -> Self {
        Self {
            commodity: "TOMATO".parse().expect("a code"),
            wanted_date: "2019-05-10".parse().expect("a date"),
            from_minute: 360,
            to_minute: 1_440,
            purpose: "to the mill".into(),
            farmers: 12,
            bags: 300,
            weight_g: Grams(18_000_000),
            priority: Priority::High,
            remarks: String::new(),
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("from_minute", Self { from_minute: 1_441, ..valid.clone() }),
            ("to_minute", Self { to_minute: 359, ..valid.clone() }),
            ("to_minute", Self { to_minute: 1_441, ..valid.clone() }),
            ("farmers", Self { farmers: 100_001, ..valid.clone() }),
            ("bags", Self { bags: 100_001, ..valid.clone() }),
            ("weight_g", Self { weight_g: Grams(-1), ..valid.clone() }),
            ("weight_g", Self { weight_g: Grams(100_000_001), ..valid.clone() }),
            ("commodity", Self { commodity: "RICE".parse().expect("a code"), ..valid.clone() }),
            ("business_date", Self { wanted_date: "1970-01-01".parse().expect("a date"), ..valid.clone() }),
        ]
    }
}

impl Sample for SupplyIntent {
    const NAMES_CENTRE: bool = true;

    fn valid(subjects: &Subjects) -> Self {
        Self {
            farmer_id: subjects.farmer,
            commodity: "TOMATO".parse().expect("a code"),
            bags: 20,
            weight: weight(1_200_000),
            date: "2019-05-10".parse().expect("a date"),
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("bags", Self { bags: 0, ..valid.clone() }),
            ("bags", Self { bags: 100_001, ..valid.clone() }),
            ("farmer_id", Self { farmer_id: FarmerId::from([7; 16]), ..valid.clone() }),
            ("commodity", Self { commodity: "RICE".parse().expect("a code"), ..valid.clone() }),
        ]
    }
}

impl Sample for AdvanceRequest {
    fn valid(subjects: &Subjects) -> Self {
        let reason = Reason { code: "wedding".into(), text: "of her daughter".into() };
        Self { farmer_id: subjects.farmer, amount_minor: Money::try_from(500_000).expect("an amount"), reason }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("amount_minor", Self { amount_minor: Money::ZERO, ..valid.clone() }),
            ("amount_minor", Self { amount_minor: Money::MIN, ..valid.clone() }),
            ("farmer_id", Self { farmer_id: FarmerId::from([7; 16]), ..valid.clone() }),
        ]
    }
}

impl Sample for Dispute {
    fn valid(subjects: &Subjects) -> Self {
        let text = "a crate was not counted".to_owned();
        Self { record_id: subjects.delivery.into(), farmer_id: subjects.farmer, subject: "weight".into(), text }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("record_id", Self { record_id: DocumentId::from([7; 16]), ..valid.clone() }),
            ("farmer_id", Self { farmer_id: FarmerId::from([7; 16]), ..valid.clone() }),
        ]
    }
}

impl Sample for Feedback {
    const NAMES_CENTRE: bool = true;

    fn valid(subjects: &Subjects) -> Self {
        let reason_codes = vec!["waiting".to_owned(), "rain".to_owned()];
        Self { farmer_id: Some(subjects.farmer), rating: 2, reason_codes, text: "two hours in the rain".into() }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let rating = |rating| ("rating", Self { rating, ..valid.clone() });
        let many = vec!["waiting".to_owned(); 11];
        vec![
            rating(0),
            rating(6),
            rating(u8::MAX),
            ("reason_codes", Self { reason_codes: many, ..valid.clone() }),
            ("farmer_id", Self { farmer_id: Some(FarmerId::from([7; 16])), ..valid.clone() }),
        ]
    }
}

impl Sample for QueueTicket {
    const NAMES_CENTRE: bool = true;

    fn valid(subjects: &Subjects) -> Self {
        Self {
            commodity: "TOMATO".parse().expect("a code"),
            date: "2019-05-09".parse().expect("a date"),
            farmer_id: Some(subjects.farmer),
            lorry: Some("KA07A9999".parse().expect("a plate")),
            bags: 40,
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("bags", Self { bags: 100_001, ..valid.clone() }),
            ("farmer_id", Self { farmer_id: None, lorry: None, ..valid.clone() }),
            ("farmer_id", Self { farmer_id: Some(FarmerId::from([7; 16])), ..valid.clone() }),
            ("commodity", Self { commodity: "RICE".parse().expect("a code"), ..valid.clone() }),
        ]
    }
}

impl Sample for ContainerMovement {
    const NAMES_CENTRE: bool = true;

    fn valid(subjects: &Subjects) -> Self {
        Self {
            container: "CRATE".parse().expect("a code"),
            owner: Party::Other { name: "Market committee".into() },
            party: Party::Farmer { farmer_id: subjects.farmer },
            place: "the yard".into(),
            kind: MovementKind::Issued,
            count: 20,
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let nobody = Party::Farmer { farmer_id: FarmerId::from([7; 16]) };
        let counted = MovementKind::Counted;
        vec![
            ("count", Self { count: 0, ..valid.clone() }),
            ("count", Self { count: 100_001, ..valid.clone() }),
            ("count", Self { count: u32::MAX, kind: counted, ..valid.clone() }),
            ("owner", Self { owner: nobody.clone(), ..valid.clone() }),
            ("party", Self { party: nobody, ..valid.clone() }),
        ]
    }
}

impl Sample for RetainedSample {
    fn valid(subjects: &Subjects) -> Self {
        Self {
            delivery_id: subjects.delivery,
            label: "A-17".into(),
            seal: "S-4".into(),
            witness: "Basavaraj".into(),
            kept_until: "2019-08-31".parse().expect("a date"),
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![("delivery_id", Self { delivery_id: DeliveryId::from([7; 16]), ..valid.clone() })]
    }
}

impl Sample for InstrumentCheck {
    const NAMES_CENTRE: bool = true;

    fn valid(_: &Subjects) -> Self {
        Self {
            instrument: "SCALE7".parse().expect("a code"),
            commodity: "TOMATO".parse().expect("a code"),
            date: "2019-05-09".parse().expect("a date"),
            reference_value: 20_000,
            shown_value: 19_900,
            has_passed: false,
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("reference_value", Self { reference_value: 0, ..valid.clone() }),
            ("reference_value", Self { reference_value: 200_000_001, ..valid.clone() }),
            ("shown_value", Self { shown_value: u32::MAX, ..valid.clone() }),
            ("commodity", Self { commodity: "RICE".parse().expect("a code"), ..valid.clone() }),
        ]
    }
}

impl Sample for Signature {
    fn valid(subjects: &Subjects) -> Self {
        Self {
            record_kind: Delivery::NUMBER,
            record_id: subjects.delivery.into(),
            farmer_id: Some(subjects.farmer),
            mark: mark(),
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![
            ("record_id", Self { record_id: DocumentId::from([7; 16]), ..valid.clone() }),
            ("record_id", Self { record_id: subjects_farmer(valid), ..valid.clone() }),
            ("farmer_id", Self { farmer_id: Some(FarmerId::from([7; 16])), ..valid.clone() }),
            ("mark", Self { mark: Mark::Drawn { strokes: Vec::new() }, ..valid.clone() }),
        ]
    }
}

/// The document of the farmer whose delivery is signed, which is not signed itself.
fn subjects_farmer(valid: &Signature) -> DocumentId {
    valid.farmer_id.expect("a farmer").into()
}

/// Returns an amount in minor units.
pub fn minor(amount: i64) -> Money {
    Money::try_from(amount).expect("an amount")
}

/// A line of goods.
pub fn goods(quantity: u32, unit_price: i64) -> AdvanceItem {
    AdvanceItem { item: "UREA".into(), unit: "bag".into(), quantity, unit_price_minor: minor(unit_price) }
}

impl Sample for Advance {
    fn valid(subjects: &Subjects) -> Self {
        Self {
            farmer_id: subjects.farmer,
            amount_minor: minor(79_955),
            method: PaymentMethod::Goods,
            date: "2019-05-09".parse().expect("a date"),
            reason_code: "sowing".into(),
            reference: "V-17".into(),
            kind: AdvanceKind::InKind { items: vec![goods(3, 26_650), goods(1, 5)], store: "the yard".into() },
            paper_entry: None,
        }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let with = |items: Vec<AdvanceItem>, amount| Self {
            amount_minor: minor(amount),
            kind: AdvanceKind::InKind { items, store: String::new() },
            ..valid.clone()
        };
        let money = |amount| Self {
            amount_minor: minor(amount),
            method: PaymentMethod::Cash,
            kind: AdvanceKind::Cash,
            ..valid.clone()
        };
        let (largest, nobody) = (Money::MAX.minor(), FarmerId::from([7; 16]));
        let of_nothing = AdvanceKind::OnAccount { delivery_id: DeliveryId::from([7; 16]) };
        let from_nothing = AdvanceKind::Returned { advance_id: [7; 16].into(), items: vec![goods(1, 5)] };
        vec![
            ("amount_minor", Self { amount_minor: minor(79_954), ..valid.clone() }),
            ("amount_minor", Self { amount_minor: Money::ZERO, ..valid.clone() }),
            ("amount_minor", money(0)),
            ("amount_minor", money(-1)),
            ("amount_minor", with(vec![goods(1, largest), goods(1, 1)], largest)),
            ("items", with(vec![], 1)),
            ("items", with(vec![goods(1, 1); 51], 51)),
            ("quantity", with(vec![goods(0, 5), goods(1, 5)], 5)),
            ("quantity", with(vec![goods(100_001, 1)], 100_001)),
            ("unit_price_minor", with(vec![goods(1, 0), goods(1, 5)], 5)),
            ("method", Self { method: PaymentMethod::Cash, ..valid.clone() }),
            ("method", Self { method: PaymentMethod::Goods, ..money(5) }),
            ("farmer_id", Self { farmer_id: nobody, ..valid.clone() }),
            ("delivery_id", Self { kind: of_nothing, ..money(5) }),
            ("advance_id", Self { amount_minor: minor(5), kind: from_nothing, ..valid.clone() }),
        ]
    }
}

/// Returns the holder that stands for the user who records a cash movement.
fn its_author() -> CashHolder {
    CashHolder::User { user_id: UserId::from([0; 16]) }
}

impl Sample for CashMovement {
    const NAMES_CENTRE: bool = true;

    fn valid(_: &Subjects) -> Self {
        let date = "2019-05-09".parse().expect("a date");
        Self { from: its_author(), to: CashHolder::Office, amount_minor: minor(5_000), date, reference: "V-18".into() }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let user = |number| CashHolder::User { user_id: UserId::from([number; 16]) };
        vec![
            ("amount_minor", Self { amount_minor: Money::ZERO, ..valid.clone() }),
            ("amount_minor", Self { amount_minor: Money::MIN, ..valid.clone() }),
            ("to", Self { from: CashHolder::Office, ..valid.clone() }),
            ("to", Self { to: user(7), ..valid.clone() }),
            ("from", Self { from: user(7), ..valid.clone() }),
            ("from", Self { from: CashHolder::Office, to: user(7), ..valid.clone() }),
        ]
    }

    fn recorded_by(mut self, client: &FieldClient, centre: &CentreCode) -> Result<SimpleView<Self>, Error> {
        if let Some(session) = client.session().filter(|_| self.from == its_author()) {
            self.from = CashHolder::User { user_id: session.user_id };
        }
        client.record_simple(Some(centre), self)
    }
}

impl Sample for CashCount {
    const NAMES_CENTRE: bool = true;

    fn valid(_: &Subjects) -> Self {
        // Before any other sample, so nothing is expected, and nothing differs.
        let date = "2019-05-08".parse().expect("a date");
        Self { user_id: UserId::from([0; 16]), date, counted_minor: Money::ZERO, expected_minor: minor(9) }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        vec![("counted_minor", Self { counted_minor: minor(-1), ..valid.clone() })]
    }
}

impl Sample for Plot {
    fn valid(subjects: &Subjects) -> Self {
        let border = [(131_367_000, 781_289_000), (131_376_000, 781_289_500), (131_375_000, 781_298_000)];
        let points = border.map(|(latitude_e7, longitude_e7)| GeoPoint { latitude_e7, longitude_e7 }).into();
        let (farmer_id, name) = (subjects.farmer, "by the tank".into());
        Self { farmer_id, name, shape: PlotShape::Ring { points }, declared_area_m2: Some(4_000) }
    }

    fn wrong(valid: &Self) -> Vec<(&'static str, Self)> {
        let shape = |points: &[(i32, i32)]| {
            let points = points.iter().map(|(north, east)| GeoPoint { latitude_e7: *north, longitude_e7: *east });
            Self { shape: PlotShape::Ring { points: points.collect() }, ..valid.clone() }
        };
        let declared = |area| ("declared_area_m2", Self { declared_area_m2: Some(area), ..valid.clone() });
        vec![
            ("shape", shape(&[(0, 0), (0, 9_000)])),
            ("shape", shape(&[(0, 0), (9_000, 9_000), (0, 9_000), (9_000, 0)])),
            // 9 m², and 12,000 ha.
            ("shape", shape(&[(0, 0), (0, 270), (270, 270), (270, 0)])),
            ("shape", shape(&[(0, 0), (0, 1_000_000), (1_000_000, 1_000_000), (1_000_000, 0)])),
            declared(9),
            declared(100_000_001),
            ("farmer_id", Self { farmer_id: FarmerId::from([7; 16]), ..valid.clone() }),
        ]
    }
}

/// Calls a function of one type parameter for every simple kind.
#[macro_export]
macro_rules! for_each_simple_kind {
    ($call:ident($($argument:expr),*)) => {{
        use farmtally_core::records;
        $call::<records::Note>($($argument),*);
        $call::<records::WeighbridgeTicket>($($argument),*);
        $call::<records::ReceivingNote>($($argument),*);
        $call::<records::LorryRequest>($($argument),*);
        $call::<records::SupplyIntent>($($argument),*);
        $call::<records::AdvanceRequest>($($argument),*);
        $call::<records::Dispute>($($argument),*);
        $call::<records::Feedback>($($argument),*);
        $call::<records::QueueTicket>($($argument),*);
        $call::<records::ContainerMovement>($($argument),*);
        $call::<records::RetainedSample>($($argument),*);
        $call::<records::InstrumentCheck>($($argument),*);
        $call::<records::Signature>($($argument),*);
        $call::<records::Advance>($($argument),*);
        $call::<records::CashMovement>($($argument),*);
        $call::<records::CashCount>($($argument),*);
        $call::<records::Plot>($($argument),*);
    }};
}
