use std::collections::BTreeMap;

use super::{corrupt, read};
use crate::decisions::{Audience, Content, DECISIONS, DecisionKind, Organisation, RuleSet, Season, User, Windows};
use crate::store::Error;
use crate::store::sql::Reader;
use crate::units::{BusinessDate, CommodityCode, SeasonCode, UserId};

/// The reference data of an organisation as of [`Self::load`], in memory because it is small.
#[derive(Clone, Debug, Default)]
pub struct Reference(BTreeMap<u8, BTreeMap<String, Content>>);

impl Reference {
    /// Reads the latest decisions of the kinds for [`Audience::Organisation`].
    ///
    /// # Errors
    /// Errors of the database; [`Error::Corrupt`] for an unreadable row.
    pub fn load(db: &mut dyn Reader) -> Result<Self, Error> {
        let cached = DECISIONS.iter().filter(|kind| kind.audience == Audience::Organisation);
        let numbers: Vec<String> = cached.map(|kind| kind.number.to_string()).collect();
        let statement = format!("SELECT kind, subject, body FROM reference WHERE kind IN ({})", numbers.join(", "));
        let rows: Vec<(u8, String, Vec<u8>)> =
            db.query_all(&statement, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut reference = Self::default();
        for (kind, subject, body) in rows {
            let content = read(&body)?.content().map_err(corrupt)?;
            reference.0.entry(kind).or_default().insert(subject, content);
        }
        Ok(reference)
    }

    /// Returns the latest decision about a subject; `None` also for each kind that is not for [`Audience::Organisation`].
    pub fn latest<D: DecisionKind>(&self, subject: &str) -> Option<&D> {
        self.0.get(&D::NUMBER)?.get(subject)?.downcast_ref()
    }

    /// Returns the latest decisions of a kind, ordered by subject as text: rule set 10 comes before 2.
    pub fn all<D: DecisionKind>(&self) -> impl DoubleEndedIterator<Item = &D> {
        let of_kind = self.0.get(&D::NUMBER).into_iter().flat_map(BTreeMap::values);
        of_kind.filter_map(|content| content.downcast_ref::<D>())
    }

    /// Returns the organisation; `None` before the first sync.
    pub fn organisation(&self) -> Option<&Organisation> {
        self.latest("")
    }

    /// Returns the season with this code.
    pub fn season(&self, season: &SeasonCode) -> Option<&Season> {
        self.latest(season.as_str())
    }

    /// Returns a user by id.
    pub fn user(&self, user: UserId) -> Option<&User> {
        self.latest(&user.to_string())
    }

    /// Returns a user's name, or the id of an unknown user.
    pub fn user_name(&self, user: UserId) -> String {
        self.user(user).map_or_else(|| user.to_string(), |known| known.name.clone())
    }

    /// Returns the rule set with this number.
    pub fn rule_set(&self, number: u32) -> Option<&RuleSet> {
        self.latest(&number.to_string())
    }

    /// Returns the windows of the rule set with this number; the defaults if it is not here.
    pub fn windows_of(&self, number: u32) -> Windows {
        self.rule_set(number).map_or_else(Windows::default, |rules| rules.windows)
    }

    /// Returns the rule set of a commodity with the highest number among those valid from this day or earlier.
    pub fn rules_on(&self, commodity: &CommodityCode, date: BusinessDate) -> Option<&RuleSet> {
        let valid = self.all::<RuleSet>().filter(|it| it.commodity == *commodity && it.valid_from <= date);
        valid.max_by_key(|rules| rules.number)
    }
}
