//! Drafts of wiped phones: they are held, because only a phone can record a delivery, and are printed for a person who does so.

use farmtally_core::codec::decode;
use farmtally_core::records::Kind;
use farmtally_core::records::draft::Draft;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::rows;
use farmtally_core::units::{DocumentId, Grams, OrganisationId};
use serde_json::{Value, json};

use crate::storage::{PendingEntry, ReadTransaction, corrupt};
use crate::{Error, Server};

/// Kind of an entry that is a draft; no record has it.
pub(crate) const DRAFT: u8 = 0;

impl Server {
    /// Returns a held draft as JSON: its user, centre, season, commodity, day, farmer's code, load, bags and moisture readings.
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
            let bag = |it: &farmtally_core::records::Bag| {
                json!({
                    "number": it.number, "gross_g": it.gross.grams().0, "bag_type": it.bag_type.number(),
                    "weighed_at": it.weighed_at.to_string(),
                })
            };
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
                "declared_bags": draft.declared_bags,
                "bags": draft.bags.iter().map(bag).collect::<Vec<_>>(),
                "moisture_percent": draft.readings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }))
        })
    }
}

/// Describes a held entry in a few words: the kind of its record, or the content of a draft.
pub(crate) fn about(db: &mut ReadTransaction<'_>, entry: &PendingEntry) -> Result<String, Error> {
    if entry.envelope.kind != DRAFT {
        let kind = Kind::from_number(entry.envelope.kind);
        return Ok(kind.map_or_else(|| format!("kind {}", entry.envelope.kind), |kind| kind.name.to_owned()));
    }
    let Ok(draft) = decode::<Draft>(&entry.bytes) else { return Ok("a draft that cannot be read".into()) };
    let farmer = farmer_code(db, &draft)?.unwrap_or_else(|| "no farmer".into());
    let gross: i64 = draft.bags.iter().map(|bag| bag.gross.grams().0).sum();
    let (bags, gross) = (draft.bags.len(), Grams(gross));
    Ok(format!("draft for {farmer}, {} {}, {bags} bags, {gross} kg", draft.centre, draft.business_date))
}

fn farmer_code(db: &mut ReadTransaction<'_>, draft: &Draft) -> Result<Option<String>, Error> {
    let Some(farmer) = draft.farmer_id else { return Ok(None) };
    let known = rows::farmer_row(db.reader(), farmer)?;
    Ok(Some(known.map_or_else(|| farmer.to_string(), |row| row.code)))
}
