//! Users: the list of them, and the user whom an office names.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::decisions::{DecidedBy, User};
use farmtally_core::rules::check_text;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::text::{folded_text, normalize};
use farmtally_core::units::{DeviceId, OrganisationId, UserId};

use crate::ingest::{decide, lineage};
use crate::storage::WriteTransaction;
use crate::{Error, Server};

/// A user as the office names them.
#[derive(Clone, Copy, Debug)]
pub enum NamedUser<'a> {
    /// The known user with this id.
    Id(UserId),
    /// A user by name, known or new as each command says.
    Name {
        /// The name.
        name: &'a str,
        /// Whether it is another person than the users whose names look like this one.
        is_another: bool,
    },
}

/// A user as the office sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The user's id.
    pub user_id: UserId,
    /// The user's name.
    pub name: String,
    /// Number of phones on which the user was ever granted anything; a phone that took a new key is still one.
    pub phones: usize,
    /// Whether the user is suspended.
    pub is_suspended: bool,
}

impl<'a> From<&'a str> for NamedUser<'a> {
    /// Returns a user by a name that must not look like another's.
    fn from(name: &'a str) -> Self {
        Self::Name { name, is_another: false }
    }
}

impl From<UserId> for NamedUser<'_> {
    fn from(user: UserId) -> Self {
        Self::Id(user)
    }
}

impl Server {
    /// Returns all users, sorted by name and id.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn users(&self, organisation: OrganisationId) -> Result<Vec<UserLine>, Error> {
        self.read(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let devices = db.devices()?;
            let mut phones = BTreeMap::<UserId, BTreeSet<DeviceId>>::new();
            for (user, device) in decisions::granted(db.reader())? {
                phones.entry(user).or_default().extend(lineage(&devices, device).last());
            }
            let line = |User { user_id, name, is_suspended }: &User| {
                let phones = phones.get(user_id).map_or(0, BTreeSet::len);
                UserLine { user_id: *user_id, name: name.clone(), phones, is_suspended: *is_suspended }
            };
            let mut lines: Vec<UserLine> = reference.all::<User>().map(line).collect();
            lines.sort_by(|a, b| (&a.name, a.user_id).cmp(&(&b.name, b.user_id)));
            Ok(lines)
        })
    }
}

/// Returns whether a user is suspended.
pub(crate) fn is_suspended(db: &mut WriteTransaction<'_>, user: UserId) -> Result<bool, Error> {
    Ok(Reference::load(db.reader())?.user(user).is_some_and(|user| user.is_suspended))
}

/// Requires that a user is not suspended.
pub(crate) fn require_not_suspended(db: &mut WriteTransaction<'_>, user: UserId) -> Result<(), Error> {
    if is_suspended(db, user)? {
        return Err(Error::invalid("user", "the user is suspended: lift the suspension first"));
    }
    Ok(())
}

/// Returns a known user: by id, or by a name that no other user has, however it is spelled.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`], which lists the users, if several have such a name.
pub(crate) fn known_user(reference: &Reference, user: NamedUser<'_>) -> Result<UserId, Error> {
    let found = match user {
        NamedUser::Id(id) => reference.user(id).into_iter().collect(),
        NamedUser::Name { name, .. } => alike(reference, name),
    };
    match found.as_slice() {
        [] => Err(Error::NotFound { what: "user" }),
        [one] => Ok(one.user_id),
        several => {
            Err(Error::invalid("user", format!("several users have this name, name one by id: {}", list(several))))
        }
    }
}

/// Returns the only user of exactly this name, unless it is said to be another person.
pub(crate) fn known_by_name(reference: &Reference, user: NamedUser<'_>) -> Option<UserId> {
    let NamedUser::Name { name, is_another: false } = user else { return None };
    let name = normalize(name);
    let mut same = reference.all::<User>().filter(|user| user.name == name);
    same.next().filter(|_| same.next().is_none()).map(|only| only.user_id)
}

/// Returns the known user with this id, or adds a user of this name, with the id `fresh`.
///
/// # Errors
/// [`Error::NotFound`] for an id. [`Error::Invalid`] for a name that is empty or too long. [`Error::LikeKnownUser`], unless `is_another`,
/// for one that a user has already, however it is spelled.
pub(crate) fn user_or_new(
    db: &mut WriteTransaction<'_>,
    user: NamedUser<'_>,
    by: &DecidedBy,
    fresh: UserId,
) -> Result<UserId, Error> {
    let reference = Reference::load(db.reader())?;
    let NamedUser::Name { name, is_another } = user else { return known_user(&reference, user) };
    let name = check_text(name, true).map_err(|wrong| Error::invalid("user", wrong))?;
    let alike = alike(&reference, &name);
    if !is_another && !alike.is_empty() {
        return Err(Error::LikeKnownUser { users: list(&alike) });
    }
    decide(db, &Scope::Organisation, &User { user_id: fresh, name, is_suspended: false }, by)?;
    Ok(fresh)
}

/// Returns the users whose names differ from `name` only in case, blanks, accents and the like, ordered by id.
fn alike<'r>(reference: &'r Reference, name: &str) -> Vec<&'r User> {
    let wanted = folded_text(name);
    let mut alike: Vec<&User> = reference.all::<User>().filter(|user| folded_text(&user.name) == wanted).collect();
    alike.sort_by_key(|user| user.user_id);
    alike
}

fn list(users: &[&User]) -> String {
    let lines: Vec<String> = users.iter().map(|user| format!("{} ({})", user.name, user.user_id)).collect();
    lines.join(", ")
}
