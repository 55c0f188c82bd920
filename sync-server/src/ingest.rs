//! What phones hand over: judged, merged, logged, reviewed.
//!
//! Owns the order of checks (docs/protocol.md, "Verdicts"). Never judges by a domain rule: what breaks one is logged and reviewed.
//! Invariants: verdict, log, chain head, document and row are one transaction; verdicts follow from what is kept, so an entry that comes
//! again, in whichever bundle, gets the verdict that holds by then. What an entry waits for mends it, whoever brings it.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;
use farmtally_core::decisions::{DecidedBy, Decision, DecisionKind, DeviceOrder, Grant, Order, Ruling};
use farmtally_core::permission::Denied;
use farmtally_core::protocol::bundle::{Bundle, Envelope, Header, OpenedEntry, Refusal};
use farmtally_core::protocol::message::{BundleVerdict, DeviceHead, Verdict, VerdictRun};
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{self, Change, Contact, Delivery, Kind, Load, Record, Stamp, merge};
use farmtally_core::rules::{ReviewCode, look_alike};
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BundleHash, ChangeHash, DeviceId, DocumentId, EntryHash, GrantId, LoadId, OrganisationId, Timestamp,
};

use crate::Error;
use crate::storage::{DeferredEntry, Device, HeldEntry, NewEntry, ReturnedEntry, StoredBundle, Transaction};

/// The kind of an entry that is no record: a draft of a phone that was wiped.
const DRAFT: u8 = 0;
/// The code of an entry that is held only because it builds on one that is.
pub(crate) const FOLLOWS: &str = "follows_held";

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
    if let Err(refusal) = bundle.verify(&key) {
        return Ok(Err(refusal));
    }
    Ok(Ok(bundle))
}

fn judge(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    bundle: &Bundle,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Vec<VerdictRun>, Error> {
    let (hash, Header { device, sequence, .. }) = (bundle.hash(), &bundle.header);
    let stored = db.bundle(hash)?;
    let is_new = stored.is_none();
    let is_fork = is_new && db.has_other_bundle(*device, *sequence, hash)?;
    // The same bundle may have come before without the bytes of some changes; those are the only parts that may differ.
    if stored.is_none_or(|stored| stored.len() < bytes.len()) {
        let mut kept = bundle.clone();
        let documents: BTreeSet<DocumentId> = bundle.entries().map(|(_, entry)| entry.document).collect();
        let mut has_erased = false;
        for document in documents {
            has_erased |= db.is_erased(document)? && kept.erase(document);
        }
        let bytes = if has_erased { &kept.to_bytes() } else { bytes };
        db.save_bundle(&StoredBundle { hash, device: *device, sequence: *sequence, bytes, received_at: now })?;
    }
    // Never past a gap: a phone hands over again what follows the head, as this server may have been set back to before it.
    let head = db.device(*device)?.and_then(|device| device.head);
    let before = head.map_or((0, BundleHash([0; 32])), |head| (head.sequence, head.hash));
    if before.0 < *sequence && before.1 == bundle.header.previous {
        db.set_head(*device, DeviceHead { sequence: *sequence, hash })?;
    }
    let mut ingest = Ingest::new(db, organisation, now)?;
    let source = ingest.source(*device, hash)?;
    let mut verdicts = Vec::new();
    for (number, entry) in (0..).zip(bundle.open()) {
        verdicts.push(ingest.entry(&source, number, &entry)?);
    }
    ingest.finish()?;
    if is_fork {
        ingest.fork(*device)?;
    }
    Ok(Verdict::runs(verdicts))
}

/// Judges again what waited for a newer server.
pub(crate) fn judge_unknown_kinds(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    now: Timestamp,
) -> Result<(), Error> {
    let waiting: Vec<_> = db.deferred(None)?.into_iter().filter(|entry| entry.missing.is_empty()).collect();
    let mut ingest = Ingest::new(db, organisation, now)?;
    for entry in waiting {
        if !matches!(ingest.judge_again(&entry)?, Verdict::Deferred { .. }) {
            ingest.judge_waiting(entry.document, entry.change)?;
        }
    }
    ingest.finish()
}

/// Judging within one transaction.
pub(crate) struct Ingest<'a> {
    db: &'a mut dyn Transaction,
    organisation: OrganisationId,
    now: Timestamp,
    work: u64,
    /// Records that changed, for the reviews: where they are, and what they are now.
    touched: BTreeMap<(Kind, DocumentId), (Scope, Option<Record>)>,
    /// Grants that entries name, and where they ended.
    grants: BTreeMap<GrantId, Option<(Grant, Option<u64>)>>,
    /// Records that came under a grant that had ended, unknown to their author.
    unknowing: BTreeSet<(Scope, DocumentId)>,
}

/// Where entries come from: a bundle, and the device that sealed it with those that it was before.
pub(crate) struct Source {
    bundle: BundleHash,
    lineage: Vec<Device>,
    is_lost: bool,
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

    fn not_allowed(reason: impl Into<String>) -> Self {
        Self::new("not_allowed", reason)
    }
}

/// What may stop an entry from being logged at once.
enum Stop {
    Hold(Hold),
    Defer(Vec<ChangeHash>),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl From<Hold> for Stop {
    fn from(hold: Hold) -> Self {
        Self::Hold(hold)
    }
}

impl<'a> Ingest<'a> {
    pub(crate) fn new(
        db: &'a mut dyn Transaction,
        organisation: OrganisationId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let work = db.next_work()?;
        let (touched, grants, unknowing) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Ok(Self { db, organisation, now, work, touched, grants, unknowing })
    }

    pub(crate) fn source(&mut self, device: DeviceId, bundle: BundleHash) -> Result<Source, Error> {
        let mut lineage = Vec::new();
        let mut next = Some(device);
        while let Some(device) = next.map(|id| self.db.device(id)).transpose()?.flatten() {
            next = device.ancestor;
            lineage.push(device);
        }
        let is_lost = self.db.order(device)?.is_some_and(|order| order.order == Order::Lost);
        Ok(Source { bundle, lineage, is_lost })
    }

    /// What became of an entry; whatever waited for it is judged as well.
    fn entry(&mut self, source: &Source, number: u32, entry: &OpenedEntry) -> Result<Verdict, Error> {
        let verdict = self.verdict(source, number, entry)?;
        if !matches!(verdict, Verdict::Deferred { .. } | Verdict::BytesMissing) {
            self.db.remove_deferred(entry.envelope.document, entry.hash)?;
            self.judge_waiting(entry.envelope.document, entry.hash)?;
        }
        Ok(verdict)
    }

    /// What was said before, if that was final, or a judgement.
    fn verdict(&mut self, source: &Source, number: u32, entry: &OpenedEntry) -> Result<Verdict, Error> {
        if let Some(verdict) = self.settled(entry)? {
            return Ok(verdict);
        }
        if entry.is_erased {
            let scope = Scope::Device(entry.envelope.device);
            self.raise(&scope, ReviewCode::BytesMissing, vec![entry.envelope.document])?;
            return Ok(Verdict::BytesMissing);
        }
        match self.log(source, number, entry) {
            Ok(verdict) => Ok(verdict),
            Err(Stop::Hold(hold)) => self.hold(source, number, entry, hold),
            Err(Stop::Defer(missing)) => self.wait(source, number, entry, missing),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    /// Judges again what waited for a change, and what waited for that.
    pub(crate) fn judge_waiting(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        let mut waiting = self.db.deferred(Some(document))?;
        let mut settled = vec![change];
        while let Some(change) = settled.pop() {
            let (due, rest) = waiting.into_iter().partition::<Vec<_>, _>(|entry| entry.missing.contains(&change));
            waiting = rest;
            for mut entry in due {
                match self.judge_again(&entry)? {
                    Verdict::Deferred { missing } => {
                        entry.missing = missing;
                        waiting.push(entry);
                    }
                    _ => settled.push(entry.change),
                }
            }
        }
        Ok(())
    }

    fn judge_again(&mut self, waiting: &DeferredEntry) -> Result<Verdict, Error> {
        let Some((source, entry)) = self.opened(waiting.bundle, waiting.entry)? else {
            return Ok(Verdict::Deferred { missing: waiting.missing.clone() });
        };
        let verdict = self.verdict(&source, waiting.entry, &entry)?;
        if !matches!(verdict, Verdict::Deferred { .. }) {
            self.db.remove_deferred(waiting.document, waiting.change)?;
        }
        Ok(verdict)
    }

    fn settled(&mut self, entry: &OpenedEntry) -> Result<Option<Verdict>, Error> {
        let document = entry.envelope.document;
        if let Some((scope, sequence)) = self.db.place_of(document, entry.hash)? {
            return Ok(Some(Verdict::Logged { scope, sequence }));
        }
        if self.db.is_erased(document)? {
            return Ok(Some(Verdict::Erased));
        }
        // By device and grant too: nobody can get another's change held by handing it over in the own name.
        let hash = EntryHash::of_change(&entry.envelope, entry.hash);
        if let Some(held) = self.db.held_entry(hash)? {
            return Ok(Some(Verdict::Held { code: held.code, reason: held.reason }));
        }
        let returned =
            self.db.returned(document, entry.hash)?.into_iter().find(|it| it.device == entry.envelope.device);
        Ok(returned.map(|it| Verdict::Returned { reason: it.reason }))
    }

    /// The checks in their order; whoever passes them all is logged.
    fn log(&mut self, source: &Source, number: u32, entry: &OpenedEntry) -> Result<Verdict, Stop> {
        let envelope = &entry.envelope;
        if envelope.kind == DRAFT {
            return Err(Hold::new("draft", "a draft of a phone that was wiped").into());
        }
        let change = entry.change.as_ref().map_err(|reason| Hold::new("malformed", reason))?;
        let kind = Kind::from_number(envelope.kind).ok_or(Stop::Defer(Vec::new()))?;
        self.permit(source, kind, entry, change)?;
        self.permit_subject(kind, envelope, change)?;
        self.append(source, number, kind, envelope, change)
    }

    fn hold(&mut self, source: &Source, number: u32, entry: &OpenedEntry, hold: Hold) -> Result<Verdict, Error> {
        let OpenedEntry { envelope, hash, .. } = entry;
        self.db.add_held(&HeldEntry {
            bundle: source.bundle,
            entry: number,
            document: envelope.document,
            change: *hash,
            hash: EntryHash::of_change(envelope, *hash),
            device: envelope.device,
            author: envelope.author,
            code: hold.code.to_owned(),
            reason: hold.reason.clone(),
            held_at: self.now,
        })?;
        Ok(Verdict::Held { code: hold.code.to_owned(), reason: hold.reason })
    }

    /// An entry without what it builds on waits for it; if that is held or was sent back, it shares its lot.
    fn wait(
        &mut self,
        source: &Source,
        number: u32,
        entry: &OpenedEntry,
        missing: Vec<ChangeHash>,
    ) -> Result<Verdict, Error> {
        let document = entry.envelope.document;
        let is_ours = |device: DeviceId| source.lineage.iter().any(|it| it.device == device);
        for hash in &missing {
            if let Some(it) = self.db.returned(document, *hash)?.into_iter().find(|it| is_ours(it.device)) {
                let device = entry.envelope.device;
                let reason = it.reason.clone();
                self.db.add_returned(&ReturnedEntry { change: entry.hash, device, returned_at: self.now, ..it })?;
                return Ok(Verdict::Returned { reason });
            }
            let lane = self.db.held(Some(document))?;
            if lane.iter().any(|held| held.change == *hash && is_ours(held.device)) {
                return self.hold(source, number, entry, Hold::new(FOLLOWS, "it builds on a change that is held"));
            }
        }
        self.db.add_deferred(&DeferredEntry {
            bundle: source.bundle,
            entry: number,
            document,
            change: entry.hash,
            hash: EntryHash::of_change(&entry.envelope, entry.hash),
            missing: missing.clone(),
            deferred_at: self.now,
        })?;
        Ok(Verdict::Deferred { missing })
    }

    /// An entry of a bundle that came before.
    pub(crate) fn opened(&mut self, bundle: BundleHash, entry: u32) -> Result<Option<(Source, OpenedEntry)>, Error> {
        let Some(bytes) = self.db.bundle(bundle)? else { return Ok(None) };
        let parsed = Bundle::parse(&bytes).map_err(|refusal| Error::Setup { reason: refusal.to_string() })?;
        let Some(opened) = parsed.open().nth(entry as usize) else { return Ok(None) };
        Ok(Some((self.source(parsed.header.device, bundle)?, opened)))
    }

    /// Whether the author was granted to write these keys in this scope. An end of the grant that they could not know only raises a review.
    fn permit(&mut self, source: &Source, kind: Kind, entry: &OpenedEntry, change: &Change) -> Result<(), Stop> {
        let envelope = &entry.envelope;
        let (grant, ended_at) =
            self.grant(envelope.grant)?.as_ref().ok_or_else(|| Hold::not_allowed("the grant is not known"))?;
        let ended_at = *ended_at;
        check_grant(grant, source, kind, envelope, change)?;
        if source.is_lost {
            return Err(Hold::not_allowed("the device was marked as lost").into());
        }
        match ended_at {
            Some(ended_at) if entry.device_cursor >= ended_at => {
                Err(Hold::not_allowed("the grant had ended when it was made").into())
            }
            Some(_) => {
                self.unknowing.insert((envelope.scope.clone(), envelope.document));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A grant, and where in its device's log it ended; read once, for nothing of it changes while entries are judged.
    fn grant(&mut self, id: GrantId) -> Result<&Option<(Grant, Option<u64>)>, Error> {
        if !self.grants.contains_key(&id) {
            let grant = self.db.grant(id)?;
            let ended_at = grant.as_ref().map(|grant| self.db.ended_at(grant)).transpose()?.flatten();
            self.grants.insert(id, grant.map(|grant| (grant, ended_at)));
        }
        Ok(self.grants.entry(id).or_default())
    }

    /// Merges a change into its document and logs it in the document's scope.
    fn append(
        &mut self,
        source: &Source,
        number: u32,
        kind: Kind,
        envelope: &Envelope,
        change: &Change,
    ) -> Result<Verdict, Stop> {
        let document = envelope.document;
        let stored = self.db.document(document)?;
        let scope = &envelope.scope;
        if let Some(stored) = &stored {
            if stored.kind != kind {
                let reason = format!("the document is a {:?}, not a {kind:?}", stored.kind);
                return Err(Hold::new("shape", reason).into());
            }
            // What was granted is checked for the entry's scope, so it must be the document's.
            if stored.scope != *scope {
                let reason = format!("the document belongs to {}, not to {scope}", stored.scope);
                return Err(Hold::new("out_of_scope", reason).into());
            }
        }
        let saved = stored.as_ref().map(|stored| stored.saved.as_slice());
        let merged = merge(kind, document, saved, change).map_err(|error| match error {
            records::Error::Missing { hashes } => Stop::Defer(hashes),
            error @ records::Error::Shape { .. } => Hold::new("shape", error.to_string()).into(),
            error => Hold::new("malformed", error.to_string()).into(),
        })?;
        if let Some(own) = merged.record.as_ref().and_then(Record::own_scope)
            && own != *scope
        {
            return Err(Hold::new("out_of_scope", format!("the record says {own}, the entry {scope}")).into());
        }
        require_stamps(source, kind, envelope, change)?;
        self.db.save_document(scope, kind, document, &merged)?;
        let entry = NewEntry::Change { envelope, change, origin: (source.bundle, number) };
        let cursor = self.db.append(self.organisation, scope, self.work, &entry)?;
        self.db.remove_held(document, change.hash())?;
        self.touched.insert((kind, document), (scope.clone(), merged.record));
        Ok(Verdict::Logged { scope: scope.clone(), sequence: cursor.sequence })
    }

    /// Whether the author's role allows this change of a record that is here: of their own within a window of time, or of others'.
    fn permit_subject(&mut self, kind: Kind, envelope: &Envelope, change: &Change) -> Result<(), Stop> {
        let Some((grant, _)) = self.grant(envelope.grant)?.clone() else { return Ok(()) };
        let Some(stored) = self.db.document(envelope.document)?.filter(|stored| stored.kind == kind) else {
            return Ok(());
        };
        let record = records::read(kind, envelope.document, &stored.saved).map_err(storage)?.record;
        // A value that cannot be read is found where it is merged.
        let stamps = kind.shape().stamps(change).unwrap_or_default();
        let newest = stamps.into_iter().max_by_key(|stamp| stamp.at);
        let (Some(created), Some(newest)) = (record.and_then(|record| record.created()), newest) else { return Ok(()) };
        for capability in kind.shape().capabilities(change) {
            let allowed = grant.role.check(capability, created.subject_of(&newest));
            allowed.map_err(|denied| Hold::not_allowed(denied.to_string()))?;
        }
        Ok(())
    }

    /// Logs held changes of a document unchanged, with all that builds on them; all of the document's if none is named.
    pub(crate) fn approve(
        &mut self,
        document: DocumentId,
        named: Option<ChangeHash>,
        by: &DecidedBy,
    ) -> Result<Vec<HeldEntry>, Error> {
        let mut lane = self.db.held(Some(document))?;
        let mut approved: Vec<HeldEntry> = Vec::new();
        loop {
            let before = approved.len();
            for held in std::mem::take(&mut lane) {
                let Some((source, entry)) = self.opened(held.bundle, held.entry)? else { continue };
                let Ok(change) = &entry.change else {
                    require_other(named, &held, "its bytes are no change: send it back instead")?;
                    continue;
                };
                let follows = change.dependencies().iter().any(|hash| approved.iter().any(|it| it.change == *hash));
                if named.is_some_and(|named| named != held.change) && !follows {
                    lane.push(held);
                    continue;
                }
                if self.db.place_of(document, held.change)?.is_some() {
                    // Another device had handed the same change over.
                    approved.push(held);
                    continue;
                }
                let kind = Kind::from_number(entry.envelope.kind);
                // Each by itself: a lane may be larger than a frame.
                self.work = self.db.next_work()?;
                let logged = kind.map(|kind| self.append(&source, held.entry, kind, &entry.envelope, change));
                match logged {
                    Some(Ok(_)) => {
                        approved.push(held);
                    }
                    Some(Err(Stop::Defer(_))) => lane.push(held),
                    Some(Err(Stop::Error(error))) => return Err(error),
                    Some(Err(Stop::Hold(Hold { reason, .. }))) => require_other(named, &held, &reason)?,
                    None => require_other(named, &held, "it is no record: send it back instead")?,
                }
            }
            if approved.len() == before {
                break;
            }
        }
        if approved.is_empty() {
            let reason = "nothing of it can be approved: it is not held, or waits for something else";
            return Err(Error::Invalid { field: "document", reason: reason.into() });
        }
        for held in &approved {
            self.judge_waiting(document, held.change)?;
        }
        self.rule(document, &approved, true, by)?;
        self.finish()?;
        Ok(approved)
    }

    /// Sends held changes of a document back to their authors, with all that builds on them; all of the document's if none is named.
    pub(crate) fn give_back(
        &mut self,
        document: DocumentId,
        named: Option<ChangeHash>,
        by: &DecidedBy,
    ) -> Result<Vec<HeldEntry>, Error> {
        let mut lane = self.db.held(Some(document))?;
        let mut returned: Vec<HeldEntry> = Vec::new();
        loop {
            let before = returned.len();
            for held in std::mem::take(&mut lane) {
                let is_meant = named.is_none_or(|named| named == held.change);
                if is_meant || self.follows(&held, &returned)? {
                    self.db.remove_held(document, held.change)?;
                    let (change, device, reason) = (held.change, held.device, by.reason.clone());
                    self.db.add_returned(&ReturnedEntry { document, change, device, reason, returned_at: self.now })?;
                    returned.push(held);
                } else {
                    lane.push(held);
                }
            }
            if returned.len() == before {
                break;
            }
        }
        if returned.is_empty() {
            return Err(Error::Invalid { field: "document", reason: "nothing of it is held".into() });
        }
        for held in &returned {
            self.judge_waiting(document, held.change)?;
        }
        self.rule(document, &returned, false, by)?;
        self.finish()?;
        Ok(returned)
    }

    fn follows(&mut self, held: &HeldEntry, earlier: &[HeldEntry]) -> Result<bool, Error> {
        let Some((_, OpenedEntry { change: Ok(change), .. })) = self.opened(held.bundle, held.entry)? else {
            return Ok(false);
        };
        Ok(change.dependencies().iter().any(|hash| earlier.iter().any(|it| it.change == *hash)))
    }

    /// Tells the devices that made these changes what became of them, and those that they are by now.
    fn rule(
        &mut self,
        document: DocumentId,
        held: &[HeldEntry],
        is_approved: bool,
        by: &DecidedBy,
    ) -> Result<(), Error> {
        for device in self.db.devices()? {
            let lineage = self.source(device.device, BundleHash([0; 32]))?.lineage;
            let is_theirs = |it: &&HeldEntry| lineage.iter().any(|ancestor| ancestor.device == it.device);
            let changes: Vec<ChangeHash> = held.iter().filter(is_theirs).map(|it| it.change).collect();
            if !changes.is_empty() {
                let ruling = Ruling { document, changes, is_approved };
                let scope = Scope::Device(device.device);
                decide(self.db, self.organisation, &scope, self.work, &ruling, by)?;
            }
        }
        Ok(())
    }

    /// Raises what follows from all that was logged.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        for (scope, document) in std::mem::take(&mut self.unknowing) {
            let Some(stored) = self.db.document(document)? else { continue };
            if self.touched.contains_key(&(stored.kind, document)) {
                self.raise(&scope, ReviewCode::GrantEnded, vec![document])?;
            }
        }
        self.raise_reviews()
    }

    /// Two copies of one installation are about: both go on, each under a key of its own.
    fn fork(&mut self, device: DeviceId) -> Result<(), Error> {
        let scope = Scope::Device(device);
        self.raise(&scope, ReviewCode::DeviceFork, vec![DocumentId::from(*device.as_bytes())])?;
        if self.db.order(device)?.is_none() {
            let order = DeviceOrder { device, order: Order::Rekey };
            decide(self.db, self.organisation, &scope, self.work, &order, &DecidedBy::server(self.now))?;
        }
        Ok(())
    }

    fn raise_reviews(&mut self) -> Result<(), Error> {
        // By load, so that each is read once however many deliveries are on it.
        let mut loaded = BTreeMap::<(Scope, LoadId), BTreeSet<DocumentId>>::new();
        for (scope, record) in std::mem::take(&mut self.touched).into_values() {
            let Some(record) = record else { continue };
            if let Some(delivery) = record.downcast_ref::<Delivery>()
                && let Some(load) = delivery.load_id
                && !delivery.is_voided()
            {
                loaded.entry((scope, load)).or_default().insert(delivery.delivery_id.into());
            } else if let Some(load) = record.downcast_ref::<Load>() {
                let on = self.db.deliveries_on(load.load_id)?;
                let on = on.iter().filter(|row| !row.is_voided).map(|row| DocumentId::from(row.delivery_id));
                loaded.entry((scope.clone(), load.load_id)).or_default().extend(on);
                let rivals = self.db.loads_of_lorry(&scope, load.header.date, &load.lorry)?;
                if rivals.len() > 1 {
                    let loads = rivals.iter().map(|row| row.load_id.into()).collect();
                    self.raise(&scope, ReviewCode::LoadContention, loads)?;
                }
            } else if let Some(contact) = record.downcast_ref::<Contact>() {
                for (farmer, details) in self.db.look_alike_candidates(&scope, &contact.details)? {
                    if farmer != contact.farmer_id && look_alike(&details, &contact.details) {
                        let farmers = vec![farmer.into(), contact.farmer_id.into()];
                        self.raise(&scope, ReviewCode::FarmerLookAlike, farmers)?;
                    }
                }
            }
        }
        for ((scope, load), deliveries) in loaded {
            self.review_late(&scope, load, &deliveries)?;
        }
        Ok(())
    }

    /// Deliveries that lie on a load after somebody asked to close it, in no manifest.
    fn review_late(&mut self, scope: &Scope, load: LoadId, deliveries: &BTreeSet<DocumentId>) -> Result<(), Error> {
        if self.db.load(load)?.is_none_or(|row| row.state == LoadState::Open) {
            return Ok(());
        }
        let Some(stored) = self.db.document(load.into())? else { return Ok(()) };
        let merged = records::read(stored.kind, load.into(), &stored.saved).map_err(storage)?;
        let Some(load) = merged.record.and_then(Record::downcast::<Load>) else { return Ok(()) };
        for delivery in deliveries {
            if !load.names((*delivery).into()) {
                self.raise(scope, ReviewCode::LateDelivery, vec![*delivery, load.load_id.into()])?;
            }
        }
        Ok(())
    }

    /// Raises a review once, in the scope of the records that it names and in the transaction that caused it.
    fn raise(&mut self, scope: &Scope, code: ReviewCode, documents: Vec<DocumentId>) -> Result<(), Error> {
        let review = code.review(documents);
        if self.db.has_review(review.review)? {
            return Ok(());
        }
        decide(self.db, self.organisation, scope, self.work, &review, &DecidedBy::server(self.now))
    }
}

/// A change that cannot be approved is passed over, unless it is the one that was named.
fn require_other(named: Option<ChangeHash>, held: &HeldEntry, reason: &str) -> Result<(), Error> {
    if named == Some(held.change) {
        return Err(Error::Invalid { field: "change", reason: format!("it can't be approved: {reason}") });
    }
    Ok(())
}

/// Logs a decision and projects it. What it does beyond that, the caller has done already.
pub(crate) fn decide<D: DecisionKind>(
    db: &mut dyn Transaction,
    organisation: OrganisationId,
    scope: &Scope,
    work: u64,
    content: &D,
    by: &DecidedBy,
) -> Result<(), Error> {
    if !D::AUDIENCE.is_of(scope) {
        return Err(Error::Setup { reason: format!("a {} does not belong to {scope}", D::NAME) });
    }
    let decision = Decision::of(content, scope, by);
    let cursor = db.append(organisation, scope, work, &NewEntry::Decision(decision.as_bytes()))?;
    db.apply_decision(scope, cursor.sequence, &decision)
}

fn storage(error: records::Error) -> Error {
    Error::Storage(error.into())
}

fn check_grant(grant: &Grant, source: &Source, kind: Kind, envelope: &Envelope, change: &Change) -> Result<(), Hold> {
    let is_own = source.lineage.iter().any(|device| device.device == grant.device);
    if grant.user != envelope.author || !is_own {
        return Err(Hold::new("not_allowed", "the grant was given to somebody else"));
    }
    for capability in kind.shape().capabilities(change) {
        if !grant.role.may(capability) {
            return Err(Hold::not_allowed(Denied::Role(grant.role).to_string()));
        }
    }
    if !kind.home().is_of(&envelope.scope) {
        return Err(Hold::new("out_of_scope", format!("a {kind:?} does not belong to {}", envelope.scope)));
    }
    match envelope.scope.centre() {
        Some(centre) if grant.centres.contains(centre) => Ok(()),
        _ => Err(Hold::new("out_of_scope", format!("{} was not granted", envelope.scope))),
    }
}

/// Whether all values name the author and device that the bundle's signature vouches for.
fn require_stamps(source: &Source, kind: Kind, envelope: &Envelope, change: &Change) -> Result<(), Hold> {
    let stamps = kind.shape().stamps(change).map_err(|error| Hold::new("malformed", error.to_string()))?;
    let is_own = |stamp: &Stamp| {
        stamp.user == envelope.author && source.lineage.iter().any(|device| device.code == stamp.device)
    };
    if stamps.iter().all(is_own) {
        Ok(())
    } else {
        Err(Hold::not_allowed("a value names another author or device than the entry"))
    }
}
