//! What decisions project to: reference data, grants and their ends, orders, reviews.
//!
//! Owns the tables `reference`, `reviews`, `review_documents`. Phone and server apply decisions with this same code; what
//! [`Decision::Erasure`] means for documents is in [`super::records`], what [`Decision::Ruling`] means for a phone's own work in
//! `inbox.rs`.

use std::collections::BTreeSet;

use super::Error;
use super::sql::{Column, Reader, Value, Writer, values};
use crate::codec::{decode, encode};
use crate::decisions::{
    BagTypeRule, Centre, Commodity, Decision, DeviceOrder, Grant, Lorry, Order, Organisation, Review, RuleSet, Season,
    Suspension, User,
};
use crate::units::{CommodityCode, DeviceId, DocumentId, GrantId, ReviewId, SeasonCode, ToValue, UserId};

/// Takes a decision over that stands at `sequence` in its scope's log. Applying one twice changes nothing.
///
/// # Errors
/// Those of the database.
pub fn apply(db: &mut dyn Writer, sequence: u64, decision: &Decision) -> Result<(), Error> {
    let Some((kind, code)) = name(decision) else {
        return if let Decision::Review(review) = decision { apply_review(db, review) } else { Ok(()) };
    };
    db.execute(
        "INSERT INTO reference (kind, code, body, seq) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, code) DO UPDATE SET body = excluded.body, seq = excluded.seq",
        &values![kind, code, encode(decision), sequence],
    )?;
    Ok(())
}

/// The decision that counts about the same matter, this one or another, and its place in its scope's log.
///
/// # Errors
/// Those of the database.
pub fn standing(db: &mut dyn Reader, decision: &Decision) -> Result<Option<(Decision, u64)>, Error> {
    name(decision).map_or(Ok(None), |(kind, code)| row(db, kind, &code))
}

/// What a decision is about; of several about the same the last one counts. `None` for one that stands for itself.
fn name(decision: &Decision) -> Option<(&'static str, String)> {
    Some(match decision {
        Decision::Organisation(_) => ("organisation", String::new()),
        Decision::Centre(centre) => ("centre", centre.centre.to_string()),
        Decision::Season(season) => ("season", season.season.to_string()),
        Decision::Commodity(commodity) => ("commodity", commodity.commodity.to_string()),
        Decision::Lorry(lorry) => ("lorry", lorry.lorry.to_string()),
        Decision::RuleSet(rules) => ("rule_set", rules.number.to_string()),
        Decision::User(user) => ("user", user.user.to_string()),
        Decision::Grant(grant) => ("grant", grant.grant.to_string()),
        Decision::Revocation(revocation) => ("revocation", revocation.grant.to_string()),
        Decision::Suspension(it) => ("suspension", suspension_code(it.device, it.user)),
        Decision::Order(order) => ("order", order.device.to_string()),
        Decision::Review(_) | Decision::Erasure(_) | Decision::Ruling(_) => return None,
    })
}

/// Forgets what is told to everybody: who works where, what is bought by which rules. What is about devices stays.
pub(crate) fn forget_organisation(db: &mut dyn Writer) -> Result<(), Error> {
    db.execute("DELETE FROM reference WHERE kind NOT IN ('grant', 'revocation', 'suspension', 'order')", &[])?;
    Ok(())
}

fn suspension_code(device: DeviceId, user: UserId) -> String {
    format!("{device}/{user}")
}

fn row(db: &mut dyn Reader, kind: &str, code: &str) -> Result<Option<(Decision, u64)>, Error> {
    let statement = "SELECT body, seq FROM reference WHERE kind = ?1 AND code = ?2";
    let row: Option<(Vec<u8>, u64)> =
        db.query_one(statement, &values![kind, code], |row| Ok((row.get(0)?, row.get(1)?)))?;
    row.map(|(body, sequence)| Ok((read(&body)?, sequence))).transpose()
}

/// All bodies of a kind, by code.
fn bodies(db: &mut dyn Reader, kind: &str) -> Result<Vec<Decision>, Error> {
    let statement = "SELECT body FROM reference WHERE kind = ?1 ORDER BY code";
    let bodies: Vec<Vec<u8>> = db.query_all(statement, &values![kind], |row| row.get(0))?;
    bodies.iter().map(|body| read(body)).collect()
}

/// Where in the device's scope a grant ended, by its own end or because its user is suspended; `None` while it holds.
///
/// # Errors
/// Those of the database.
pub fn ended_at(db: &mut dyn Reader, grant: &Grant) -> Result<Option<u64>, Error> {
    let revoked = row(db, "revocation", &grant.grant.to_string())?.map(|(_, sequence)| sequence);
    let suspended = match row(db, "suspension", &suspension_code(grant.device, grant.user))? {
        Some((Decision::Suspension(suspension), sequence)) if suspension.is_suspended => Some(sequence),
        _ => None,
    };
    Ok([revoked, suspended].into_iter().flatten().min())
}

/// What a device was told last about itself.
///
/// # Errors
/// Those of the database.
pub fn order(db: &mut dyn Reader, device: DeviceId) -> Result<Option<DeviceOrder>, Error> {
    Ok(match row(db, "order", &device.to_string())? {
        Some((Decision::Order(order), _)) if order.order != Order::Work => Some(order),
        _ => None,
    })
}

fn apply_review(db: &mut dyn Writer, review: &Review) -> Result<(), Error> {
    db.execute(
        "INSERT INTO reviews (review_id, code, raised_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT (review_id) DO NOTHING",
        &values![review.review, review.code, review.raised_at],
    )?;
    for document in &review.documents {
        db.execute(
            "INSERT INTO review_documents (document_id, review_id) VALUES (?1, ?2)
             ON CONFLICT (document_id, review_id) DO NOTHING",
            &values![document, review.review],
        )?;
    }
    Ok(())
}

/// Returns those of some reviews that are known.
///
/// # Errors
/// Those of the database.
pub fn reviews_of(
    db: &mut dyn Reader,
    reviews: impl IntoIterator<Item = ReviewId>,
) -> Result<BTreeSet<ReviewId>, Error> {
    let reviews: Vec<ReviewId> = reviews.into_iter().collect();
    let keys: Vec<Value<'_>> = reviews.iter().map(ToValue::to_value).collect();
    let statement = "SELECT review_id FROM keys JOIN reviews ON reviews.review_id = keys.review";
    let mut known = BTreeSet::new();
    db.query_keys(&[Column::blob("review")], &keys, statement, &mut |row| {
        known.insert(row.get(0)?);
        Ok(())
    })?;
    Ok(known)
}

/// All reviews, the oldest first.
///
/// # Errors
/// Those of the database.
pub fn reviews(db: &mut dyn Reader) -> Result<Vec<Review>, Error> {
    let mut reviews: Vec<Review> = Vec::new();
    let statement = "SELECT reviews.review_id, code, raised_at_ms, document_id
         FROM reviews JOIN review_documents ON review_documents.review_id = reviews.review_id
         ORDER BY raised_at_ms, reviews.review_id, document_id";
    db.query(statement, &[], &mut |row| {
        let (review, document) = (row.get(0)?, row.get(3)?);
        match reviews.last_mut() {
            Some(last) if last.review == review => last.documents.push(document),
            _ => reviews.push(Review { review, code: row.get(1)?, documents: vec![document], raised_at: row.get(2)? }),
        }
        Ok(())
    })?;
    Ok(reviews)
}

/// The codes of the reviews that name a document.
///
/// # Errors
/// Those of the database.
pub fn review_codes(db: &mut dyn Reader, document: DocumentId) -> Result<Vec<String>, Error> {
    let statement =
        "SELECT DISTINCT code FROM review_documents JOIN reviews ON reviews.review_id = review_documents.review_id
         WHERE document_id = ?1 ORDER BY code";
    Ok(db.query_all(statement, &values![document], |row| row.get(0))?)
}

/// A grant by its id.
///
/// # Errors
/// Those of the database.
pub fn grant(db: &mut dyn Reader, grant: GrantId) -> Result<Option<Grant>, Error> {
    row(db, "grant", &grant.to_string())?
        .map(|(decision, _)| match decision {
            Decision::Grant(grant) => Ok(grant),
            _ => Err(Error::Corrupt { reason: "a grant's row holds another decision".into() }),
        })
        .transpose()
}

/// Whether a user was ever granted anything on a device.
///
/// # Errors
/// Those of the database.
pub fn has_grant(db: &mut dyn Reader, user: UserId, device: DeviceId) -> Result<bool, Error> {
    let grants = bodies(db, "grant")?;
    let is_it = |it: &Decision| matches!(it, Decision::Grant(grant) if (grant.user, grant.device) == (user, device));
    Ok(grants.iter().any(is_it))
}

/// The grants of a device that hold.
///
/// # Errors
/// Those of the database.
pub fn grants_of(db: &mut dyn Reader, device: DeviceId) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::new();
    for decision in bodies(db, "grant")? {
        match decision {
            Decision::Grant(grant) if grant.device == device && ended_at(db, &grant)?.is_none() => grants.push(grant),
            _ => {}
        }
    }
    Ok(grants)
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
    /// Grants that hold, of this device (on a phone), of all devices (on the server).
    pub grants: Vec<Grant>,
    /// What devices were told about themselves and did not do yet.
    pub orders: Vec<DeviceOrder>,
    /// Who is suspended on which device.
    pub suspensions: Vec<Suspension>,
}

impl Reference {
    /// Reads all reference data.
    ///
    /// # Errors
    /// Those of the database.
    pub fn load(db: &mut dyn Reader) -> Result<Self, Error> {
        let mut reference = Self::default();
        let bodies: Vec<Vec<u8>> =
            db.query_all("SELECT body FROM reference ORDER BY kind, code", &[], |row| row.get(0))?;
        for body in &bodies {
            match read(body)? {
                Decision::Organisation(it) => reference.organisation = Some(it),
                Decision::Centre(it) => reference.centres.push(it),
                Decision::Season(it) => reference.seasons.push(it),
                Decision::Commodity(it) => reference.commodities.push(it),
                Decision::Lorry(it) => reference.lorries.push(it),
                Decision::RuleSet(it) => reference.rule_sets.push(it),
                Decision::User(it) => reference.users.push(it),
                Decision::Grant(it) if ended_at(db, &it)?.is_none() => reference.grants.push(it),
                Decision::Suspension(it) if it.is_suspended => reference.suspensions.push(it),
                Decision::Order(it) if it.order != Order::Work => reference.orders.push(it),
                _ => {}
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
