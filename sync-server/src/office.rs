//! Office commands for organisations, reference data and enrolment codes, and the search for records.

use farmtally_core::decisions::{AnyContent, Centre, DecidedBy, DecisionKind, Organisation, RuleSet};
use farmtally_core::permission::Role;
use farmtally_core::rules::{PublicationCode, PublicationError, check_text};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::rows::{self, FoundRecord};
use farmtally_core::text::has_phone_numbers;
use farmtally_core::units::{CentreCode, CountryCode, Currency, CurrencyCode, EnrolCode, OrganisationId, Timestamp};
use sha2::{Digest, Sha256};

use crate::ingest::decide;
use crate::land;
use crate::recovery::require_no_recovery;
use crate::reference::ReferenceFile;
use crate::storage::{EnrolmentCode, WriteTransaction};
use crate::users::{NamedUser, require_not_suspended, user_or_new};
use crate::{Error, Server};

/// Number of found records from which a search looks for farmers in no further scope.
const MAX_FOUND: u32 = 50;

/// Returns a name trimmed; fails if it is empty or too long.
fn text(field: &'static str, text: &str) -> Result<String, Error> {
    check_text(text, true).map_err(|wrong| Error::invalid(field, wrong))
}

/// Returns a currency by its code, or that of a country, with the decimals of ISO 4217.
fn currency_of(country: &CountryCode, code: Option<&CurrencyCode>) -> Result<Currency, Error> {
    let known = match code {
        Some(code) => iso_currency::Currency::from_code(code.as_str()),
        None => country.as_str().parse::<iso_country::Country>().ok().map(iso_currency::Currency::from),
    };
    let exponent =
        known.and_then(iso_currency::Currency::exponent).and_then(|it| u8::try_from(it).ok()).filter(|it| *it <= 3);
    let code = known.and_then(|it| it.code().parse().ok());
    code.zip(exponent).map(|(code, exponent)| Currency { code, exponent }).ok_or_else(|| {
        Error::invalid("currency", "not a currency with at most three decimals: use a code of ISO 4217, such as INR")
    })
}

impl Server {
    /// Runs `f` while no other process does the same on this folder, so that what it looks for before it creates an organisation stays true.
    ///
    /// # Errors
    /// [`Error::Io`], and those of `f`.
    pub fn while_creating<T, E: From<Error>>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _locked = self.journal.lock_creation()?;
        f()
    }

    /// Creates an organisation with its reference data; the currency is that of the country unless another one is given.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Io`], [`Error::Storage`].
    pub fn create_organisation(
        &self,
        name: &str,
        country: &CountryCode,
        zone_minutes: i16,
        currency: Option<&CurrencyCode>,
        file: &ReferenceFile,
    ) -> Result<OrganisationId, Error> {
        let name = text("name", name)?;
        if !has_phone_numbers(country.as_str()) {
            return Err(Error::invalid(
                "country",
                format!("no country has the code {country}: use one of ISO 3166, such as IN"),
            ));
        }
        let organisation_id: OrganisationId = self.environment.new_id();
        let (country, currency) = (country.clone(), currency_of(country, currency)?);
        let organisation = Organisation { organisation_id, name, zone_minutes, country, currency };
        self.storage.prepare(organisation_id)?;
        self.write(organisation_id, |db| {
            db.mark_folded()?;
            Ok(())
        })?;
        // Listed only once it is complete: a crash in between leaves rows that nothing reads.
        self.publish(organisation_id, &[organisation], file)?;
        self.storage.add_route(&self.keys.public(), organisation_id)?;
        self.storage.add_organisation(organisation_id)?;
        Ok(organisation_id)
    }

    /// Adds reference data to an organisation, or replaces records of the same codes. Deletes nothing, and logs only what is new or changed;
    /// returns how many records that are.
    ///
    /// # Errors
    /// [`Error::Reference`] if the file changes a published rule set; nothing of it is written then. [`Error::Io`], [`Error::Storage`].
    pub fn update_reference(&self, organisation: OrganisationId, file: &ReferenceFile) -> Result<usize, Error> {
        self.publish(organisation, &[], file)
    }

    fn publish(
        &self,
        organisation: OrganisationId,
        organisations: &[Organisation],
        file: &ReferenceFile,
    ) -> Result<usize, Error> {
        let by = self.decided_by_operator();
        // Destructured by name, so that the compiler warns of a list that is not published.
        let ReferenceFile {
            centres,
            commodities,
            seasons,
            lorries,
            rule_sets,
            notices,
            instruments,
            paper_books,
            certificates,
            quotas,
        } = file;
        self.write(organisation, |db| {
            let known = Reference::load(db.reader())?;
            let changed = changed_rule_sets(&known, rule_sets);
            if !changed.is_empty() {
                return Err(Error::Reference { errors: changed });
            }
            let mut logged = decide_each(db, &known, organisations, &by)?;
            logged += decide_each(db, &known, centres, &by)?;
            logged += decide_each(db, &known, commodities, &by)?;
            logged += decide_each(db, &known, seasons, &by)?;
            logged += decide_each(db, &known, lorries, &by)?;
            logged += decide_each(db, &known, notices, &by)?;
            logged += decide_each(db, &known, instruments, &by)?;
            logged += decide_each(db, &known, rule_sets, &by)?;
            logged += decide_each(db, &known, paper_books, &by)?;
            logged += land::publish(db, certificates, quotas, &by)?;
            Ok(logged)
        })
    }

    /// Returns the operator as author of decisions, with a new request id at each call: call it once for a command, outside of the write.
    pub(crate) fn decided_by_operator(&self) -> DecidedBy {
        DecidedBy::operator(self.environment.clock.now(), self.environment.new_id())
    }

    /// Finds records: a delivery by its receipt number, a load by its number, farmers by code, name, village or telephone number.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn find(&self, organisation: OrganisationId, text: &str) -> Result<Vec<FoundRecord>, Error> {
        self.read(organisation, |db| {
            let scopes = db.scopes()?;
            Ok(rows::find(db.reader(), &scopes, text.trim(), MAX_FOUND)?)
        })
    }

    /// Creates a code that enrols one phone of a user, once, within seven days. It is stored only as a hash. A new user is added.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the name, a suspended user or an unknown centre, [`Error::LikeKnownUser`], [`Error::Recovering`], [`Error::Io`], [`Error::Storage`].
    pub fn create_code<'a>(
        &self,
        organisation: OrganisationId,
        user: impl Into<NamedUser<'a>>,
        role: Role,
        centres: &[CentreCode],
    ) -> Result<String, Error> {
        let user = user.into();
        require_phone(role)?;
        let code = EnrolCode::new(self.environment.random());
        let hash = code_hash(&code);
        let (by, fresh) = (self.decided_by_operator(), self.environment.new_id());
        self.storage.add_route(&hash, organisation)?;
        self.write(organisation, |db| {
            require_no_recovery(db)?;
            require_centres(db, centres)?;
            let user = user_or_new(db, user, &by, fresh)?;
            require_not_suspended(db, user)?;
            db.save_enrolment_code(&EnrolmentCode {
                hash,
                user_id: user,
                role,
                centres: centres.to_vec(),
                expires_at: Timestamp(by.decided_at.0 + EnrolmentCode::LIFE_MS),
                device_id: None,
            })
        })?;
        Ok(code.to_string())
    }
}

/// Returns an error for each rule set that is published with other content.
fn changed_rule_sets(known: &Reference, rule_sets: &[RuleSet]) -> Vec<PublicationError> {
    let error = |(place, rules): (usize, &RuleSet)| {
        let published = known.rule_set(rules.number)?;
        (published != rules).then(|| PublicationError {
            path: format!("/rule_sets/{place}"),
            code: PublicationCode::Published,
            reason: format!("rule set {} is published and can't change: use a new number", rules.number),
        })
    };
    rule_sets.iter().enumerate().filter_map(error).collect()
}

/// Logs the reference data of one kind that `known` does not have, each under its own commit id, so that a frame may be cut between them.
/// Returns how many these are.
fn decide_each<D: DecisionKind + PartialEq>(
    db: &mut WriteTransaction<'_>,
    known: &Reference,
    all: &[D],
    by: &DecidedBy,
) -> Result<usize, Error> {
    let is_known = |it: &D| it.subject().is_some_and(|subject| known.latest::<D>(&subject) == Some(it));
    let mut logged = 0;
    for it in all.iter().filter(|it| !is_known(it)) {
        decide(db, &Scope::Organisation, it, by)?;
        logged += 1;
    }
    Ok(logged)
}

/// Requires a role that a grant on a phone can have.
pub(crate) fn require_phone(role: Role) -> Result<(), Error> {
    let reason = format!("a {role} has no phone of the organisation: it would show all records of the centres");
    if role.has_phone() { Ok(()) } else { Err(Error::Invalid { field: "role", reason }) }
}

/// Requires that the centres exist and that none is named twice.
pub(crate) fn require_centres(db: &mut WriteTransaction<'_>, centres: &[CentreCode]) -> Result<(), Error> {
    let wrong = |reason| Err(Error::Invalid { field: "centre", reason });
    let reference = Reference::load(db.reader())?;
    for (at, centre) in centres.iter().enumerate() {
        if reference.latest::<Centre>(centre.as_str()).is_none() {
            return wrong(format!("there is no centre {centre}"));
        }
        if centres.iter().take(at).any(|other| other == centre) {
            return wrong(format!("{centre} is named twice"));
        }
    }
    Ok(())
}

/// Returns the hash under which a code is stored.
pub(crate) fn code_hash(code: &EnrolCode) -> [u8; 32] {
    Sha256::digest(code.to_string()).into()
}
