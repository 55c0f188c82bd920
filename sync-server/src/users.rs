//! Users: the list of them, and the user whom an office names.

use farmtally_core::decisions::{DecidedBy, User};
use farmtally_core::rules::check_text;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::text::{folded_text, normalize};
use farmtally_core::units::{OrganisationId, UserId};

use crate::ingest::decide;
use crate::storage::WriteTransaction;
use crate::{Error, Server};

/// A user whom the office gives something: an existing one, or a new one.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// Id of an existing user, or name of a new one.
    pub name: &'a str,
    /// Whether it is another person than the users whose names look like this one.
    pub is_another: bool,
}

/// A user as the office sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The user's id.
    pub user_id: UserId,
    /// The user's name.
    pub name: String,
    /// Number of devices on which the user was ever granted anything.
    pub devices: usize,
    /// Whether the user is suspended.
    pub is_suspended: bool,
}

impl<'a> From<&'a str> for NewUser<'a> {
    /// Returns a user who must not look like another.
    fn from(name: &'a str) -> Self {
        Self { name, is_another: false }
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
            let mut lines = Vec::new();
            for User { user_id, name, is_suspended } in reference.all::<User>() {
                let (name, is_suspended) = (name.clone(), *is_suspended);
                let mut line = UserLine { user_id: *user_id, name, devices: 0, is_suspended };
                for device in &devices {
                    line.devices += usize::from(decisions::has_grant(db.reader(), *user_id, device.device_id)?);
                }
                lines.push(line);
            }
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

/// Returns the user whom an office names: by id, or by a name that no other user has, however it is spelled.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`], which lists the users, if several have such a name.
pub(crate) fn known_user(reference: &Reference, user: &str) -> Result<UserId, Error> {
    if let Ok(user_id) = user.parse::<UserId>() {
        return reference.user(user_id).map(|it| it.user_id).ok_or(Error::NotFound { what: "user" });
    }
    match alike(reference, user).as_slice() {
        [] => Err(Error::NotFound { what: "user" }),
        [one] => Ok(one.user_id),
        several => {
            Err(Error::invalid("user", format!("several users have this name, name one by id: {}", list(several))))
        }
    }
}

/// Returns the only user of exactly this name, unless it is said to be another person.
pub(crate) fn known_by_name(reference: &Reference, user: &NewUser<'_>) -> Option<UserId> {
    let name = normalize(user.name);
    match alike(reference, &name).as_slice() {
        [only] if only.name == name && !user.is_another => Some(only.user_id),
        _ => None,
    }
}

/// Returns the known user with this id, or adds a user of this name, with the id `fresh`.
///
/// # Errors
/// [`Error::NotFound`] for an id. [`Error::Invalid`] for a name that is empty or too long; also, unless `is_another`, for one that a user has
/// already, however it is spelled: they may be one person or two.
pub(crate) fn user_or_new(
    db: &mut WriteTransaction<'_>,
    user: &NewUser<'_>,
    by: &DecidedBy,
    fresh: UserId,
) -> Result<UserId, Error> {
    let reference = Reference::load(db.reader())?;
    if let Ok(user_id) = user.name.parse::<UserId>() {
        return known_user(&reference, &user_id.to_string());
    }
    let name = check_text(user.name, true).map_err(|wrong| Error::invalid("user", wrong))?;
    if !user.is_another {
        require_unlike(&alike(&reference, &name))?;
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

fn require_unlike(alike: &[&User]) -> Result<(), Error> {
    if alike.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "a user has this name: {}. Name them by id, or say that this is another person (`--another`)",
        list(alike)
    );
    Err(Error::invalid("user", reason))
}

fn list(users: &[&User]) -> String {
    let lines: Vec<String> = users.iter().map(|user| format!("{} ({})", user.name, user.user_id)).collect();
    lines.join(", ")
}
