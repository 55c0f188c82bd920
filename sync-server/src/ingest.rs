//! What phones hand over: judged, merged, logged, reviewed.
//!
//! Owns the order of checks (docs/protocol.md, "Verdicts"). Never judges by a domain rule: what breaks one is logged and reviewed.
//! Invariants: verdict, log, chain head, document and row are one transaction; a bundle that came before gets the same verdicts again.

use std::collections::BTreeSet;

use ed25519_dalek::VerifyingKey;
use farmtally_core::codec::encode;
use farmtally_core::decisions::{Decision, Grant};
use farmtally_core::records::{self, Change, Kind, Record, merge};
use farmtally_core::rules::{ReviewCode, look_alike};
use farmtally_core::scope::Scope;
use farmtally_core::sync::bundle::{Bundle, BundleHash, Envelope, OpenedEntry, Refusal};
use farmtally_core::sync::message::{BundleVerdict, DeviceHead, Verdict, VerdictRun};
use farmtally_core::units::{DeviceCode, DocumentId, LoadId, OrganisationId, Timestamp};

use crate::Error;
use crate::storage::{HeldEntry, NewEntry, StoredBundle, Transaction};

/// Judges a bundle as a whole, then each of its entries.
pub(crate) fn ingest(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    index: u32,
    bytes: &[u8],
    now: Timestamp,
) -> Result<BundleVerdict, Error> {
    match open(db, organisation, bytes)? {
        Ok(bundle) => Ok(BundleVerdict { index, refused: None, runs: judge(db, organisation, &bundle, bytes, now)? }),
        Err(refusal) => Ok(BundleVerdict { index, refused: Some(refusal.code().to_owned()), runs: Vec::new() }),
    }
}

/// The inner error refuses the bundle without a trace.
fn open(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    bytes: &[u8],
) -> Result<Result<Bundle, Refusal>, Error> {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) if bundle.header.organisation != organisation => return Ok(Err(Refusal::ForeignOrganisation)),
        Ok(bundle) => bundle,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(device) = db.device(bundle.header.device)? else { return Ok(Err(Refusal::UnknownDevice)) };
    let Ok(key) = VerifyingKey::from_bytes(&device.public_key) else { return Ok(Err(Refusal::UnknownDevice)) };
    Ok(bundle.verify(&key).map(|()| bundle))
}

fn judge(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    bundle: &Bundle,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Vec<VerdictRun>, Error> {
    let hash = bundle.hash();
    let known = db.verdicts(hash)?;
    let is_deferred = |run: &VerdictRun| matches!(run.verdict, Verdict::Deferred { .. });
    if let Some(runs) = &known
        && !runs.iter().any(is_deferred)
    {
        return Ok(runs.clone());
    }
    let device = db.device(bundle.header.device)?.ok_or(Error::NotFound { what: "device" })?;
    let work = db.next_work()?;
    let touched = BTreeSet::new();
    let mut ingest = Ingest { db, organisation, bundle: hash, device: device.code, now, work, touched };
    let mut verdicts = Vec::new();
    for (number, entry) in (0..).zip(bundle.open()) {
        verdicts.push(ingest.entry(number, &entry)?);
    }
    ingest.raise_reviews()?;
    let is_fork = ingest.db.has_other_bundle(bundle.header.device, bundle.header.sequence, hash)?;
    if known.is_none() && is_fork {
        let forked = DocumentId::from(*bundle.header.device.as_bytes());
        ingest.raise(&Scope::Device(bundle.header.device), ReviewCode::DeviceFork, vec![forked])?;
    }
    let runs = Verdict::runs(verdicts);
    db.save_bundle(&StoredBundle {
        hash,
        device: bundle.header.device,
        sequence: bundle.header.sequence,
        bytes,
        verdicts: &runs,
        received_at: now,
    })?;
    if device.head.is_none_or(|head| head.sequence < bundle.header.sequence) {
        db.set_head(bundle.header.device, DeviceHead { sequence: bundle.header.sequence, hash })?;
    }
    Ok(runs)
}

struct Ingest<'a> {
    db: &'a mut dyn Transaction,
    organisation: OrganisationId,
    bundle: BundleHash,
    /// The code of the device that sealed the bundle.
    device: DeviceCode,
    now: Timestamp,
    work: u64,
    /// Records that changed, for the reviews.
    touched: BTreeSet<(Kind, DocumentId)>,
}

/// Why an entry waits for a person.
struct Hold {
    code: &'static str,
    reason: String,
}

impl Hold {
    fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl Ingest<'_> {
    fn entry(&mut self, number: u32, entry: &OpenedEntry) -> Result<Verdict, Error> {
        let envelope = &entry.envelope;
        let change = match &entry.change {
            Ok(change) => change,
            Err(reason) => return self.hold(number, envelope, Hold::new("malformed", reason)),
        };
        if let Some((scope, sequence)) = self.db.place_of(envelope.document, change.hash())? {
            return Ok(Verdict::Logged { scope, sequence });
        }
        let Some(kind) = Kind::from_number(envelope.kind) else {
            return Ok(Verdict::Deferred { missing: Vec::new() });
        };
        if let Err(hold) = self.permission(kind, envelope, change)? {
            return self.hold(number, envelope, hold);
        }
        match self.merge(number, kind, envelope, change)? {
            Ok(verdict) => Ok(verdict),
            Err(hold) => self.hold(number, envelope, hold),
        }
    }

    fn hold(&mut self, entry: u32, envelope: &Envelope, hold: Hold) -> Result<Verdict, Error> {
        self.db.add_held(&HeldEntry {
            bundle: self.bundle,
            entry,
            document: envelope.document,
            code: hold.code.to_owned(),
            reason: hold.reason.clone(),
            held_at: self.now,
        })?;
        Ok(Verdict::Held { code: hold.code.to_owned(), reason: hold.reason })
    }

    /// Whether the author was granted to write these keys in this scope.
    fn permission(&mut self, kind: Kind, envelope: &Envelope, change: &Change) -> Result<Result<(), Hold>, Error> {
        let Some(grant) = self.db.grant(envelope.grant)? else {
            return Ok(Err(Hold::new("not_allowed", "the grant is not known")));
        };
        Ok(check_grant(&grant, kind, envelope, change))
    }

    fn merge(
        &mut self,
        number: u32,
        kind: Kind,
        envelope: &Envelope,
        change: &Change,
    ) -> Result<Result<Verdict, Hold>, Error> {
        let stored = self.db.document(envelope.document)?;
        if let Some(stored) = &stored {
            if stored.kind != kind {
                return Ok(Err(Hold::new("shape", format!("the document is a {:?}, not a {kind:?}", stored.kind))));
            }
            // What was granted is checked for the entry's scope, so it must be the document's.
            if stored.scope != envelope.scope {
                let reason = format!("the document belongs to {}, not to {}", stored.scope, envelope.scope);
                return Ok(Err(Hold::new("out_of_scope", reason)));
            }
        }
        let saved = stored.as_ref().map(|stored| stored.saved.as_slice());
        let merged = match merge(kind, envelope.document, saved, change) {
            Ok(merged) => merged,
            Err(records::Error::Missing { hashes }) => return Ok(Ok(Verdict::Deferred { missing: hashes })),
            Err(error @ records::Error::Shape { .. }) => return Ok(Err(Hold::new("shape", error.to_string()))),
            Err(error) => return Ok(Err(Hold::new("malformed", error.to_string()))),
        };
        let scope = &envelope.scope;
        if let Some(own) = merged.record.as_ref().and_then(scope_of)
            && own != *scope
        {
            return Ok(Err(Hold::new("out_of_scope", format!("the record says {own}, the entry {scope}"))));
        }
        let stamps = records::stamps(kind, change).map_err(storage)?;
        if stamps.iter().any(|stamp| (stamp.user, stamp.device) != (envelope.author, self.device)) {
            return Ok(Err(Hold::new("not_allowed", "a value names another author or device than the entry")));
        }
        self.db.save_document(scope, kind, envelope.document, &merged)?;
        let entry = NewEntry::Change { envelope, change, origin: (self.bundle, number) };
        let cursor = self.db.append(self.organisation, scope, self.work, &entry)?;
        self.touched.insert((kind, envelope.document));
        Ok(Ok(Verdict::Logged { scope: scope.clone(), sequence: cursor.sequence }))
    }

    fn raise_reviews(&mut self) -> Result<(), Error> {
        for (kind, document) in std::mem::take(&mut self.touched) {
            let Some(stored) = self.db.document(document)? else { continue };
            let Some(record) = records::read(kind, document, &stored.saved).map_err(storage)?.record else { continue };
            match record {
                Record::Delivery(delivery) => {
                    if let Some(load) = delivery.load_id
                        && !delivery.is_voided()
                    {
                        self.review_late(&stored.scope, load, &[delivery.delivery_id.into()])?;
                    }
                }
                Record::Load(load) => {
                    let on = self.db.deliveries_on(load.load_id)?;
                    let on: Vec<DocumentId> =
                        on.iter().filter(|row| !row.is_voided).map(|row| row.delivery_id.into()).collect();
                    self.review_late(&stored.scope, load.load_id, &on)?;
                    let rivals = self.db.loads_of_lorry(&stored.scope, load.header.date, &load.lorry)?;
                    if rivals.len() > 1 {
                        let loads = rivals.iter().map(|row| row.load_id.into()).collect();
                        self.raise(&stored.scope, ReviewCode::LoadContention, loads)?;
                    }
                }
                Record::Contact(contact) => {
                    let candidates = self.db.look_alike_candidates(&stored.scope, &contact.details)?;
                    for (farmer, details) in candidates {
                        if farmer != contact.farmer_id && look_alike(&details, &contact.details) {
                            let farmers = vec![farmer.into(), contact.farmer_id.into()];
                            self.raise(&stored.scope, ReviewCode::FarmerLookAlike, farmers)?;
                        }
                    }
                }
                Record::Farmer(_) => {}
            }
        }
        Ok(())
    }

    /// Deliveries that lie on a load after somebody asked to close it, in no manifest.
    fn review_late(&mut self, scope: &Scope, load: LoadId, deliveries: &[DocumentId]) -> Result<(), Error> {
        let Some(stored) = self.db.document(load.into())? else { return Ok(()) };
        let merged = records::read(stored.kind, load.into(), &stored.saved).map_err(storage)?;
        let Some(Record::Load(load)) = merged.record else { return Ok(()) };
        if load.close_requests.is_empty() {
            return Ok(());
        }
        for delivery in deliveries {
            if !load.names((*delivery).into()) {
                self.raise(scope, ReviewCode::LateDelivery, vec![*delivery, load.load_id.into()])?;
            }
        }
        Ok(())
    }

    /// Raises a review once, in the scope of the records that it names and in the transaction that caused it.
    fn raise(&mut self, scope: &Scope, code: ReviewCode, documents: Vec<DocumentId>) -> Result<(), Error> {
        let review = code.review(documents, self.now);
        if self.db.has_review(review.review)? {
            return Ok(());
        }
        decide(self.db, self.organisation, scope, self.work, &Decision::Review(review))
    }
}

/// Logs a decision and takes it over.
pub(crate) fn decide(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    scope: &Scope,
    work: u64,
    decision: &Decision,
) -> Result<(), Error> {
    db.append(organisation, scope, work, &NewEntry::Decision(&encode(decision)))?;
    db.apply_decision(decision)
}

fn storage(error: records::Error) -> Error {
    Error::Storage(error.into())
}

fn check_grant(grant: &Grant, kind: Kind, envelope: &Envelope, change: &Change) -> Result<(), Hold> {
    if grant.user != envelope.author || grant.device != envelope.device {
        return Err(Hold::new("not_allowed", "the grant was given to somebody else"));
    }
    if !kind.shape().needs(change).all(|capability| grant.role.may(capability)) {
        return Err(Hold::new("not_allowed", format!("a {} may not write this", grant.role.name())));
    }
    let fits = matches!(
        (kind, &envelope.scope),
        (Kind::Delivery | Kind::Load, Scope::Season(..)) | (Kind::Farmer | Kind::Contact, Scope::Centre(_))
    );
    if !fits {
        return Err(Hold::new("out_of_scope", format!("a {kind:?} does not belong to {}", envelope.scope)));
    }
    match envelope.scope.centre() {
        Some(centre) if grant.centres.contains(centre) => Ok(()),
        _ => Err(Hold::new("out_of_scope", format!("{} was not granted", envelope.scope))),
    }
}

/// The scope that a record's own content belongs to; a contact says none.
fn scope_of(record: &Record) -> Option<Scope> {
    match record {
        Record::Delivery(it) => Some(Scope::Season(it.centre.clone(), it.season.clone())),
        Record::Load(it) => Some(Scope::Season(it.header.centre.clone(), it.header.season.clone())),
        Record::Farmer(it) => Some(Scope::Centre(it.centre.clone())),
        Record::Contact(_) => None,
    }
}
