//! Office commands for organisations, reference data and enrolment codes, and the search for records.

use std::collections::BTreeMap;

use farmtally_core::decisions::{
    AnyContent, BagTypeRule, Centre, Commodity, DecidedBy, DecisionKind, Lorry, Notice, Organisation, RuleSet, Season,
};
use farmtally_core::limits::{MAX_PAYLOAD, MAX_RULE_SET};
use farmtally_core::permission::Role;
use farmtally_core::rules::check_text;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::rows::{self, FoundRecord};
use farmtally_core::text::has_phone_numbers;
use farmtally_core::units::{
    BagWeight, BusinessDate, CentreCode, CountryCode, EnrolCode, Grams, OrganisationId, Timestamp,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::ingest::decide;
use crate::recovery::require_no_recovery;
use crate::storage::{EnrolmentCode, WriteTransaction};
use crate::users::{NamedUser, require_not_suspended, user_or_new};
use crate::{Error, Server};

/// Number of found records from which a search looks for farmers in no further scope.
const MAX_FOUND: u32 = 50;

/// Reference data of an operator's JSON file (format: `docs/operating.md`).
#[derive(Debug, Default)]
pub struct ReferenceFile {
    centres: Vec<Centre>,
    commodities: Vec<Commodity>,
    seasons: Vec<Season>,
    lorries: Vec<Lorry>,
    rule_sets: Vec<RuleSet>,
    notices: Vec<Notice>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Entries {
    centres: Vec<CentreEntry>,
    commodities: Vec<CommodityEntry>,
    seasons: Vec<SeasonEntry>,
    lorries: Vec<LorryEntry>,
    rule_sets: Vec<RuleSetEntry>,
    notices: Vec<NoticeEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CentreEntry {
    code: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommodityEntry {
    code: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeasonEntry {
    code: String,
    commodity: String,
    from: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LorryEntry {
    plate: String,
    payload_g: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSetEntry {
    number: u32,
    commodity: String,
    valid_from: String,
    bag_types: Vec<BagTypeEntry>,
    #[serde(default)]
    moisture_required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BagTypeEntry {
    number: u8,
    name: String,
    tare_g: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeEntry {
    code: String,
    text: String,
}

impl ReferenceFile {
    /// Parses the JSON text.
    ///
    /// # Errors
    /// [`Error::Invalid`], with line and column if the text is not JSON of this form.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let wrong = |reason| Error::Invalid { field: "reference", reason };
        // Some editors begin a file with a byte order mark.
        let json = json.trim_start_matches('\u{feff}').trim();
        // Serde would accept an array in place of an object, with the fields in order.
        if !json.starts_with('{') {
            return Err(wrong("it must be a JSON object: `{ … }`".into()));
        }
        Self::read(&serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?)
    }

    fn read(entries: &Entries) -> Result<Self, Error> {
        let mut data = Self::default();
        for it in &entries.centres {
            data.centres.push(Centre { code: read("centres.code", &it.code)?, name: text("centres.name", &it.name)? });
        }
        for it in &entries.commodities {
            let (code, name) = (read("commodities.code", &it.code)?, text("commodities.name", &it.name)?);
            data.commodities.push(Commodity { code, name });
        }
        for it in &entries.seasons {
            let (from, to): (BusinessDate, BusinessDate) = (read("from", &it.from)?, read("to", &it.to)?);
            if from > to {
                return Err(Error::Invalid { field: "season", reason: format!("{} ends before it begins", it.code) });
            }
            let (code, commodity) = (read("seasons.code", &it.code)?, read("seasons.commodity", &it.commodity)?);
            data.seasons.push(Season { code, commodity, from, to });
        }
        for it in &entries.lorries {
            if !(1..=MAX_PAYLOAD.0).contains(&it.payload_g) {
                let reason = format!("{} carries {} g: it must be 1 to {} g", it.plate, it.payload_g, MAX_PAYLOAD.0);
                return Err(Error::Invalid { field: "payload_g", reason });
            }
            data.lorries.push(Lorry { plate: read("lorries.plate", &it.plate)?, payload: Grams(it.payload_g) });
        }
        for it in &entries.rule_sets {
            data.rule_sets.push(it.rule_set()?);
        }
        for it in &entries.notices {
            let shown = check_text(&it.text, false).map_err(|wrong| Error::invalid("text", wrong))?;
            data.notices.push(Notice { code: text("notices.code", &it.code)?, text: shown });
        }
        require_unique("centres", &data.centres, entries.centres.iter().map(|it| it.code.clone()))?;
        require_unique("commodities", &data.commodities, entries.commodities.iter().map(|it| it.code.clone()))?;
        require_unique("seasons", &data.seasons, entries.seasons.iter().map(|it| it.code.clone()))?;
        require_unique("lorries", &data.lorries, entries.lorries.iter().map(|it| it.plate.clone()))?;
        require_unique("rule_sets", &data.rule_sets, entries.rule_sets.iter().map(|it| it.number.to_string()))?;
        require_unique("notices", &data.notices, entries.notices.iter().map(|it| it.code.clone()))?;
        Ok(data)
    }
}

/// Requires that a list has no two entries with one code, of which only the last would count; `written` are the codes as in the file.
fn require_unique<D: DecisionKind>(
    list: &'static str,
    entries: &[D],
    written: impl Iterator<Item = String>,
) -> Result<(), Error> {
    let mut seen = BTreeMap::new();
    for (code, written) in entries.iter().filter_map(AnyContent::subject).zip(written) {
        match seen.insert(code.clone(), written.clone()) {
            None => {}
            Some(first) if first == written => return Err(Error::invalid(list, format!("{code} is there twice"))),
            Some(first) => {
                return Err(Error::invalid(list, format!("{first:?} and {written:?} are one code, {code}")));
            }
        }
    }
    Ok(())
}

impl RuleSetEntry {
    fn rule_set(&self) -> Result<RuleSet, Error> {
        if !(1..=MAX_RULE_SET).contains(&self.number) {
            return Err(Error::invalid("rule_sets", format!("number {}: it must be 1 to {MAX_RULE_SET}", self.number)));
        }
        if self.bag_types.is_empty() {
            // Without a bag type no bag has a tare, and every net weight would be the gross weight.
            let reason = format!("rule set {} has no bag type: name at least one", self.number);
            return Err(Error::Invalid { field: "bag_types", reason });
        }
        let mut bag_types = Vec::new();
        for it in &self.bag_types {
            let is_twice = bag_types.iter().any(|other: &BagTypeRule| other.number == it.number);
            if it.number > 15 || is_twice || !(0..=BagWeight::MAX.0).contains(&it.tare_g) {
                let reason = format!("bag type {}: numbers are 0 to 15, each once; tares 0 to 1,000 kg", it.number);
                return Err(Error::Invalid { field: "bag_types", reason });
            }
            bag_types.push(BagTypeRule { number: it.number, name: text("name", &it.name)?, tare: Grams(it.tare_g) });
        }
        Ok(RuleSet {
            number: self.number,
            commodity: read("commodity", &self.commodity)?,
            valid_from: read("valid_from", &self.valid_from)?,
            bag_types,
            moisture_required: self.moisture_required,
        })
    }
}

/// Returns a name trimmed; fails if it is empty or too long.
fn text(field: &'static str, text: &str) -> Result<String, Error> {
    check_text(text, true).map_err(|wrong| Error::invalid(field, wrong))
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(field: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::invalid(field, format_args!("{text:?}: {error}")))
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

    /// Creates an organisation with its reference data.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Io`], [`Error::Storage`].
    pub fn create_organisation(
        &self,
        name: &str,
        country: &CountryCode,
        zone_minutes: i16,
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
        let organisation = Organisation { organisation_id, name, zone_minutes, country: country.clone() };
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
    /// [`Error::Invalid`] also if the file changes a published rule set; nothing of it is written then. [`Error::Io`], [`Error::Storage`].
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
        let ReferenceFile { centres, commodities, seasons, lorries, rule_sets, notices } = file;
        self.write(organisation, |db| {
            let known = Reference::load(db.reader())?;
            let is_changed =
                |rules: &&RuleSet| known.rule_set(rules.number).is_some_and(|published| published != *rules);
            if let Some(rules) = rule_sets.iter().find(is_changed) {
                let reason = format!("rule set {} is published and can't change: use a new number", rules.number);
                return Err(Error::Invalid { field: "rule_sets", reason });
            }
            let mut logged = decide_each(db, &known, organisations, &by)?;
            logged += decide_each(db, &known, centres, &by)?;
            logged += decide_each(db, &known, commodities, &by)?;
            logged += decide_each(db, &known, seasons, &by)?;
            logged += decide_each(db, &known, lorries, &by)?;
            logged += decide_each(db, &known, notices, &by)?;
            logged += decide_each(db, &known, rule_sets, &by)?;
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
