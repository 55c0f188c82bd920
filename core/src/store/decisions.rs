//! What decisions project to: reference data, grants, reviews.
//!
//! Owns the tables `reference`, `reviews`, `review_documents`. Phone and server apply decisions with this same code.

use rusqlite::{Connection, OptionalExtension};

use super::Error;
use crate::codec::{decode, encode};
use crate::decisions::{
    BagTypeRule, Centre, Commodity, Decision, Grant, Lorry, Organisation, Review, RuleSet, Season, User,
};
use crate::units::{CommodityCode, DocumentId, GrantId, ReviewId, SeasonCode, Timestamp};

/// Takes a decision over. Applying one twice changes nothing.
///
/// # Errors
/// What SQLite reports.
pub fn apply(db: &Connection, decision: &Decision) -> Result<(), Error> {
    let (kind, code) = match decision {
        Decision::Organisation(_) => ("organisation", String::new()),
        Decision::Centre(centre) => ("centre", centre.centre.to_string()),
        Decision::Season(season) => ("season", season.season.to_string()),
        Decision::Commodity(commodity) => ("commodity", commodity.commodity.to_string()),
        Decision::Lorry(lorry) => ("lorry", lorry.lorry.to_string()),
        Decision::RuleSet(rules) => ("rule_set", rules.number.to_string()),
        Decision::User(user) => ("user", user.user.to_string()),
        Decision::Grant(grant) => ("grant", grant.grant.to_string()),
        Decision::Review(review) => return apply_review(db, review),
    };
    let mut statement = db.prepare_cached(
        "INSERT INTO reference (kind, code, body) VALUES (?1, ?2, ?3) ON CONFLICT (kind, code) DO UPDATE SET body = excluded.body",
    )?;
    statement.execute((kind, code, encode(decision)))?;
    Ok(())
}

fn apply_review(db: &Connection, review: &Review) -> Result<(), Error> {
    let mut statement =
        db.prepare_cached("INSERT OR IGNORE INTO reviews (review_id, code, raised_at_ms) VALUES (?1, ?2, ?3)")?;
    statement.execute((review.review, &review.code, review.raised_at.0))?;
    let mut statement =
        db.prepare_cached("INSERT OR IGNORE INTO review_documents (document_id, review_id) VALUES (?1, ?2)")?;
    for document in &review.documents {
        statement.execute((document, review.review))?;
    }
    Ok(())
}

/// Whether a review is known.
///
/// # Errors
/// What SQLite reports.
pub fn has_review(db: &Connection, review: ReviewId) -> Result<bool, Error> {
    let mut statement = db.prepare_cached("SELECT 1 FROM reviews WHERE review_id = ?1")?;
    Ok(statement.exists([review])?)
}

/// All reviews, the oldest first.
///
/// # Errors
/// What SQLite reports.
pub fn reviews(db: &Connection) -> Result<Vec<Review>, Error> {
    let mut documents =
        db.prepare_cached("SELECT document_id FROM review_documents WHERE review_id = ?1 ORDER BY 1")?;
    let mut reviews =
        db.prepare_cached("SELECT review_id, code, raised_at_ms FROM reviews ORDER BY raised_at_ms, review_id")?;
    let rows = reviews.query_map([], |row| {
        let review: ReviewId = row.get(0)?;
        let documents = documents.query_map([review], |row| row.get(0))?.collect::<Result<Vec<DocumentId>, _>>()?;
        Ok(Review { review, code: row.get(1)?, documents, raised_at: Timestamp(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The codes of the reviews that name a document.
///
/// # Errors
/// What SQLite reports.
pub fn review_codes(db: &Connection, document: DocumentId) -> Result<Vec<String>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT code FROM review_documents JOIN reviews USING (review_id) WHERE document_id = ?1 ORDER BY code",
    )?;
    Ok(statement.query_map([document], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// A grant by its id.
///
/// # Errors
/// What SQLite reports.
pub fn grant(db: &Connection, grant: GrantId) -> Result<Option<Grant>, Error> {
    let mut statement = db.prepare_cached("SELECT body FROM reference WHERE kind = 'grant' AND code = ?1")?;
    let body: Option<Vec<u8>> = statement.query_row([grant.to_string()], |row| row.get(0)).optional()?;
    body.map(|body| match read(&body)? {
        Decision::Grant(grant) => Ok(grant),
        _ => Err(Error::Corrupt { reason: "a grant's row holds another decision".into() }),
    })
    .transpose()
}

fn read(body: &[u8]) -> Result<Decision, Error> {
    decode(body).map_err(|error| Error::Corrupt { reason: error.to_string() })
}

/// All reference data at once; an organisation's fits into memory many times over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The organisation; `None` before the first sync.
    pub organisation: Option<Organisation>,
    /// Collection centres, by code.
    pub centres: Vec<Centre>,
    /// Seasons, by code.
    pub seasons: Vec<Season>,
    /// Commodities, by code.
    pub commodities: Vec<Commodity>,
    /// Lorries, by plate.
    pub lorries: Vec<Lorry>,
    /// Rule sets, by number.
    pub rule_sets: Vec<RuleSet>,
    /// Users, by id.
    pub users: Vec<User>,
    /// Grants of this device (on a phone), of all devices (on the server).
    pub grants: Vec<Grant>,
}

impl Reference {
    /// Reads all reference data.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn load(db: &Connection) -> Result<Self, Error> {
        let mut reference = Self::default();
        let mut statement = db.prepare_cached("SELECT body FROM reference ORDER BY kind, code")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match read(&row.get::<_, Vec<u8>>(0)?)? {
                Decision::Organisation(it) => reference.organisation = Some(it),
                Decision::Centre(it) => reference.centres.push(it),
                Decision::Season(it) => reference.seasons.push(it),
                Decision::Commodity(it) => reference.commodities.push(it),
                Decision::Lorry(it) => reference.lorries.push(it),
                Decision::RuleSet(it) => reference.rule_sets.push(it),
                Decision::User(it) => reference.users.push(it),
                Decision::Grant(it) => reference.grants.push(it),
                Decision::Review(_) => {}
            }
        }
        reference.rule_sets.sort_by_key(|rules| rules.number);
        Ok(reference)
    }

    /// The season of a code.
    pub fn season(&self, season: &SeasonCode) -> Option<&Season> {
        self.seasons.iter().find(|it| it.season == *season)
    }

    /// The rule set of a number.
    pub fn rule_set(&self, number: u32) -> Option<&RuleSet> {
        self.rule_sets.iter().find(|rules| rules.number == number)
    }

    /// The newest rule set of a commodity that is valid on a day.
    pub fn rules_on(&self, commodity: &CommodityCode, date: crate::units::BusinessDate) -> Option<&RuleSet> {
        self.rule_sets.iter().rev().find(|rules| rules.commodity == *commodity && rules.valid_from <= date)
    }

    /// The bag types that a commodity is delivered in today.
    pub fn bag_types(&self, commodity: &CommodityCode, date: crate::units::BusinessDate) -> &[BagTypeRule] {
        self.rules_on(commodity, date).map(|rules| rules.bag_types.as_slice()).unwrap_or_default()
    }
}
