//! Documents and the rows they project to.
//!
//! Owns the tables `documents`, `deliveries`, `loads`, `farmers`, `contacts`, `erased`.
//! Invariant: a document and its row change in one transaction.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::Error;
use crate::decisions::Erasure;
use crate::records::{self, Change, Contact, Delivery, Farmer, Kind, Load, Merged, Record};
use crate::scope::Scope;
use crate::units::{ChangeHash, DocumentId};

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub kind: Kind,
    /// Where it belongs.
    pub scope: Scope,
    /// Its bytes.
    pub saved: Vec<u8>,
    /// The hashes of the changes that no other builds on, in order.
    pub heads: Vec<ChangeHash>,
}

/// Fetches a document.
///
/// # Errors
/// What SQLite reports; [`Error::Corrupt`] for a row that cannot be.
pub fn find(db: &Connection, id: DocumentId) -> Result<Option<Stored>, Error> {
    let mut statement = db.prepare_cached("SELECT kind, scope, saved, heads FROM documents WHERE document_id = ?1")?;
    let row = statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
    let Some((kind, scope, saved, heads)) = row else { return Ok(None) };
    let kind: u8 = kind;
    let heads: Vec<u8> = heads;
    let kind = Kind::from_number(kind).ok_or_else(|| Error::Corrupt { reason: format!("record kind {kind}") })?;
    let heads = heads.as_chunks::<32>().0.iter().map(|hash| ChangeHash(*hash)).collect();
    Ok(Some(Stored { kind, scope, saved, heads }))
}

/// Fetches a document and reads it.
///
/// # Errors
/// As [`find`], and [`Error::Record`] for bytes that cannot be read.
pub fn load(db: &Connection, id: DocumentId) -> Result<Option<(Stored, Merged)>, Error> {
    let Some(stored) = find(db, id)? else { return Ok(None) };
    let merged = records::read(stored.kind, id, &stored.saved)?;
    Ok(Some((stored, merged)))
}

/// Merges a change into its document and brings the row up to date.
///
/// # Errors
/// [`Error::Record`] says why the change must be held or must wait; nothing was written then.
pub fn apply(db: &Connection, scope: &Scope, kind: Kind, id: DocumentId, change: &Change) -> Result<Merged, Error> {
    let stored = find(db, id)?;
    if let Some(stored) = &stored
        && stored.kind != kind
    {
        let reason = format!("the document is a {:?}, not a {kind:?}", stored.kind);
        return Err(records::Error::Shape { key: String::new(), reason }.into());
    }
    let merged = records::merge(kind, id, stored.as_ref().map(|stored| stored.saved.as_slice()), change)?;
    if !merged.was_known {
        let scope = stored.as_ref().map_or(scope, |stored| &stored.scope);
        save(db, scope, kind, id, &merged)?;
    }
    Ok(merged)
}

/// Writes a document and its row.
///
/// # Errors
/// What SQLite reports.
pub fn save(db: &Connection, scope: &Scope, kind: Kind, id: DocumentId, merged: &Merged) -> Result<(), Error> {
    let heads: Vec<u8> = merged.heads.iter().flat_map(|head| head.0).collect();
    let mut statement = db.prepare_cached(
        "INSERT INTO documents (document_id, kind, scope, saved, heads) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (document_id) DO UPDATE SET scope = excluded.scope, saved = excluded.saved, heads = excluded.heads",
    )?;
    statement.execute((id, kind as u8, scope, &merged.saved, heads))?;
    merged.record.as_ref().map_or(Ok(()), |record| save_row(db, scope, record))
}

/// Removes a document and its row; its changes may come again.
///
/// # Errors
/// What SQLite reports.
pub fn remove(db: &Connection, id: DocumentId) -> Result<(), Error> {
    for delete in [
        "DELETE FROM documents WHERE document_id = ?1",
        "DELETE FROM deliveries WHERE delivery_id = ?1",
        "DELETE FROM loads WHERE load_id = ?1",
        "DELETE FROM farmers WHERE farmer_id = ?1",
        "DELETE FROM contacts WHERE contact_id = ?1",
    ] {
        db.prepare_cached(delete)?.execute([id])?;
    }
    Ok(())
}

/// Takes changes out of a document, with all that builds on them; without any change left the document is removed.
///
/// # Errors
/// What SQLite reports, and [`Error::Record`] for bytes that cannot be read.
pub fn exclude(db: &Connection, id: DocumentId, changes: &[ChangeHash]) -> Result<(), Error> {
    let Some(stored) = find(db, id)? else { return Ok(()) };
    match records::without(stored.kind, id, &stored.saved, changes)? {
        Some(rest) if rest.record.is_some() => {
            remove(db, id)?;
            save(db, &stored.scope, stored.kind, id, &rest)
        }
        _ => remove(db, id),
    }
}

/// Drops a document's bytes for good: from here on it is known only by its id.
///
/// # Errors
/// What SQLite reports.
pub fn erase(db: &Connection, erasure: &Erasure) -> Result<(), Error> {
    remove(db, erasure.document)?;
    let mut statement =
        db.prepare_cached("INSERT OR IGNORE INTO erased (document_id, erased_at_ms) VALUES (?1, ?2)")?;
    statement.execute((erasure.document, erasure.erased_at.0))?;
    Ok(())
}

/// Whether a document's bytes were dropped for good.
///
/// # Errors
/// What SQLite reports.
pub fn is_erased(db: &Connection, id: DocumentId) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM erased WHERE document_id = ?1")?.exists([id])?)
}

/// Projects every document again and returns how many there are. The rows come out as they were, but for the order of arrival.
///
/// # Errors
/// What SQLite reports, and [`Error::Record`] for bytes that cannot be read.
pub fn rebuild(db: &Connection) -> Result<usize, Error> {
    db.execute_batch("DELETE FROM deliveries; DELETE FROM loads; DELETE FROM farmers; DELETE FROM contacts;")?;
    let mut statement = db.prepare("SELECT document_id FROM documents")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<DocumentId>, _>>()?;
    for id in &ids {
        if let Some((Stored { scope, .. }, Merged { record: Some(record), .. })) = load(db, *id)? {
            save_row(db, &scope, &record)?;
        }
    }
    Ok(ids.len())
}

fn save_row(db: &Connection, scope: &Scope, record: &Record) -> Result<(), Error> {
    match record {
        Record::Delivery(delivery) => save_delivery(db, scope, delivery),
        Record::Load(load) => save_load(db, scope, load),
        Record::Farmer(farmer) => save_farmer(db, scope, farmer),
        Record::Contact(contact) => save_contact(db, scope, contact),
    }
}

fn save_delivery(db: &Connection, scope: &Scope, delivery: &Delivery) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO deliveries (delivery_id, scope, farmer_id, load_id, business_day, recorded_at_ms, user_id, device_code,
             receipt_seq, rule_set, is_voided, amendments, conflicts, bag_count, gross_g)
         VALUES (:delivery_id, :scope, :farmer_id, :load_id, :business_day, :recorded_at_ms, :user_id, :device_code,
             :receipt_seq, :rule_set, :is_voided, :amendments, :conflicts, :bag_count, :gross_g)
         ON CONFLICT (delivery_id) DO UPDATE SET scope = excluded.scope, farmer_id = excluded.farmer_id, load_id = excluded.load_id,
             business_day = excluded.business_day, recorded_at_ms = excluded.recorded_at_ms, user_id = excluded.user_id,
             device_code = excluded.device_code, receipt_seq = excluded.receipt_seq, rule_set = excluded.rule_set,
             is_voided = excluded.is_voided, amendments = excluded.amendments, conflicts = excluded.conflicts,
             bag_count = excluded.bag_count, gross_g = excluded.gross_g",
    )?;
    statement.execute(named_params! {
        ":delivery_id": delivery.delivery_id,
        ":scope": scope,
        ":farmer_id": delivery.farmer_id,
        ":load_id": delivery.load_id,
        ":business_day": delivery.business_date.0,
        ":recorded_at_ms": delivery.recorded.at.wall_ms,
        ":user_id": delivery.recorded.user,
        ":device_code": delivery.recorded.device.0,
        ":receipt_seq": delivery.receipt_sequence,
        ":rule_set": delivery.rule_set,
        ":is_voided": delivery.is_voided(),
        ":amendments": delivery.amendments.len(),
        ":conflicts": delivery.conflicts.len(),
        ":bag_count": delivery.standing_bags().count(),
        ":gross_g": delivery.gross().0,
    })?;
    Ok(())
}

fn save_load(db: &Connection, scope: &Scope, load: &Load) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO loads (load_id, scope, number, lorry, business_day, opened_at_ms, state, loaders, conflicts)
         VALUES (:load_id, :scope, :number, :lorry, :business_day, :opened_at_ms, :state, :loaders, :conflicts)
         ON CONFLICT (load_id) DO UPDATE SET scope = excluded.scope, number = excluded.number, lorry = excluded.lorry,
             business_day = excluded.business_day, opened_at_ms = excluded.opened_at_ms, state = excluded.state,
             loaders = excluded.loaders, conflicts = excluded.conflicts",
    )?;
    statement.execute(named_params! {
        ":load_id": load.load_id,
        ":scope": scope,
        ":number": load.header.number().to_string(),
        ":lorry": load.lorry,
        ":business_day": load.header.date.0,
        ":opened_at_ms": load.opened.map(|stamp| stamp.at.wall_ms),
        ":state": load.state() as u8,
        ":loaders": load.loaders.len(),
        ":conflicts": load.conflicts.len(),
    })?;
    Ok(())
}

fn save_farmer(db: &Connection, scope: &Scope, farmer: &Farmer) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO farmers (farmer_id, scope, code, registered_at_ms, conflicts)
         VALUES (:farmer_id, :scope, :code, :registered_at_ms, :conflicts)
         ON CONFLICT (farmer_id) DO UPDATE SET scope = excluded.scope, code = excluded.code, registered_at_ms = excluded.registered_at_ms,
             conflicts = excluded.conflicts",
    )?;
    statement.execute(named_params! {
        ":farmer_id": farmer.farmer_id,
        ":scope": scope,
        ":code": farmer.code().to_string(),
        ":registered_at_ms": farmer.registered.at.wall_ms,
        ":conflicts": farmer.conflicts.len(),
    })?;
    Ok(())
}

fn save_contact(db: &Connection, scope: &Scope, contact: &Contact) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO contacts (contact_id, scope, farmer_id, name, village, phone, conflicts)
         VALUES (:contact_id, :scope, :farmer_id, :name, :village, :phone, :conflicts)
         ON CONFLICT (contact_id) DO UPDATE SET scope = excluded.scope, farmer_id = excluded.farmer_id, name = excluded.name,
             village = excluded.village, phone = excluded.phone, conflicts = excluded.conflicts",
    )?;
    statement.execute(named_params! {
        ":contact_id": contact.contact_id,
        ":scope": scope,
        ":farmer_id": contact.farmer_id,
        ":name": contact.details.name,
        ":village": contact.details.village,
        ":phone": contact.details.phone,
        ":conflicts": contact.conflicts.len(),
    })?;
    Ok(())
}
