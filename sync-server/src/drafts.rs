//! Drafts of wiped phones: they are held, because only a phone can record a delivery, and are printed for a person who does so.

use farmtally_core::codec::decode;
use farmtally_core::records::delivery::PutApart;
use farmtally_core::records::draft::Draft;
use farmtally_core::records::{Bag, BagCount, Kind, Lot, Reading};
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::rows;
use farmtally_core::units::{DocumentId, GradeCode, OrganisationId};
use serde_json::{Value, json};

use crate::storage::{PendingEntry, ReadTransaction, corrupt};
use crate::{Error, Server};

/// Kind of an entry that is a draft; no record has it.
pub(crate) const DRAFT: u8 = 0;

impl Server {
    /// Returns a held draft as JSON: its user, centre, season, commodity, day, farmer's code, load, bags, lots and readings.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no draft of this id is held, [`Error::Storage`] also if it cannot be read.
    pub fn held_draft(&self, organisation: OrganisationId, document: DocumentId) -> Result<Value, Error> {
        self.read(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let held = db.all_held()?.into_iter().map(|it| it.entry);
            let mut drafts = held.filter(|it| it.document() == document && it.envelope.kind == DRAFT);
            let entry = drafts.next().ok_or(Error::NotFound { what: "held draft" })?;
            let draft: Draft = decode(&entry.bytes).map_err(corrupt)?;

            let farmer = farmer_code(db, &draft)?;
            Ok(json!({
                "document": document.to_string(),
                "user": reference.user_name(draft.user_id),
                "centre": draft.centre.as_str(),
                "season": draft.season.as_str(),
                "commodity": draft.commodity.as_str(),
                "business_date": draft.business_date.to_string(),
                "farmer": farmer,
                "load": draft.load_id.map(|load| load.to_string()),
                "apart": draft.apart.iter().map(put_apart).collect::<Vec<_>>(),
                "declared_bags": draft.declared_bags,
                "bags": draft.bags.iter().map(bag).collect::<Vec<_>>(),
                "lots": draft.lots.iter().map(lot).collect::<Vec<_>>(),
                "bag_counts": draft.bag_counts.iter().map(bag_count).collect::<Vec<_>>(),
                "readings": draft.readings.iter().map(reading).collect::<Vec<_>>(),
            }))
        })
    }
}

fn put_apart(apart: &PutApart) -> Value {
    json!({ "load": apart.load_id.map(|load| load.to_string()), "numbers": apart.numbers })
}

fn bag(bag: &Bag) -> Value {
    json!({
        "number": bag.number, "gross_g": bag.gross.grams().0, "bag_type": bag.bag_type.number(),
        "grade": bag.grade.as_ref().map(GradeCode::as_str), "weighed_at": bag.weighed_at.to_string(),
    })
}

fn lot(lot: &Lot) -> Value {
    json!({
        "number": lot.number, "gross_g": lot.gross.grams().0, "vehicle_g": lot.vehicle.map(|it| it.grams().0),
        "grade": lot.grade.as_ref().map(GradeCode::as_str), "weighed_at": lot.weighed_at.to_string(),
    })
}

fn bag_count(count: &BagCount) -> Value {
    let BagCount { bag_type, grade, count } = count;
    json!({ "bag_type": bag_type.number(), "grade": grade.as_ref().map(GradeCode::as_str), "count": count })
}

fn reading(reading: &Reading) -> Value {
    let (name, value) = match reading.factor() {
        Some(factor) => (factor.as_str(), json!(reading.value())),
        None => ("moisture_hundredths", json!(reading.value())),
    };
    json!({ name: value, "grade": reading.grade.as_ref().map(GradeCode::as_str) })
}

/// Describes a held entry in a few words: the kind of its record, or the content of a draft.
pub(crate) fn about(db: &mut ReadTransaction<'_>, entry: &PendingEntry) -> Result<String, Error> {
    if entry.envelope.kind != DRAFT {
        let kind = Kind::from_number(entry.envelope.kind);
        return Ok(kind.map_or_else(|| format!("kind {}", entry.envelope.kind), |kind| kind.name.to_owned()));
    }
    let Ok(draft) = decode::<Draft>(&entry.bytes) else { return Ok("a draft that cannot be read".into()) };
    let farmer = farmer_code(db, &draft)?.unwrap_or_else(|| "no farmer".into());
    let (bags, gross) = (draft.bags.len(), draft.gross());
    Ok(format!("draft for {farmer}, {} {}, {bags} bags, {gross} kg", draft.centre, draft.business_date))
}

fn farmer_code(db: &mut ReadTransaction<'_>, draft: &Draft) -> Result<Option<String>, Error> {
    let Some(farmer) = draft.farmer_id else { return Ok(None) };
    let known = rows::farmer_row(db.reader(), farmer)?;
    Ok(Some(known.map_or_else(|| farmer.to_string(), |row| row.code)))
}
