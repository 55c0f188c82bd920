//! Permissions as data: roles, their capabilities, and the scopes that a device may read. Phone and server use this implementation.
//!
//! Does not own record kinds and grants.

mod visibility;

pub use visibility::Visibility;

use minicbor::{Decode, Encode};

use crate::units::{FromValue, TRUSTED_LEAD_MS, ToValue, Value, named};

named! {
    /// Role that a grant gives a user. The numbers are in every grant: never reuse one.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Role, "a role" {
        /// Records deliveries, and amends own ones for an hour; may not open loads or amend those of others.
        #[n(0)]
        Clerk = "clerk",
        /// Runs the field work of a centre; may also open loads, and amend own deliveries for 24 hours.
        #[n(1)]
        FieldManager = "field_manager",
        /// Heads a centre and its lorries; may also amend and void any delivery at any time.
        #[n(2)]
        Dispatcher = "dispatcher",
    }
}

/// An action that a role may or may not take. The phone checks it without network, the server again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Record deliveries and write notes.
    RecordDelivery,
    /// Register farmers, and correct the contact details of any farmer.
    RegisterFarmer,
    /// Open a load, correct its lorry, and ask to close it.
    OpenLoad,
    /// Join a load that another person opened.
    JoinLoad,
    /// Amend and void a recorded delivery; whose, and for how long, depends on the role.
    AmendDelivery,
}

/// Authorship of a record, relative to the person who changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A record that did not exist before.
    New,
    /// A record that the person created.
    Own {
        /// Milliseconds since then, by the times of both changes; negative if the time of the earlier change was ahead.
        age_ms: i64,
    },
    /// A record that another user created.
    Others,
}

const HOUR_MS: i64 = 3_600_000;

impl Role {
    /// Returns whether the role has a capability, for some records at least (`docs/records.md`, "Who may do what"); see [`Self::check`].
    pub fn may(self, capability: Capability) -> bool {
        match capability {
            Capability::RecordDelivery
            | Capability::AmendDelivery
            | Capability::RegisterFarmer
            | Capability::JoinLoad => true,
            Capability::OpenLoad => self != Self::Clerk,
        }
    }

    /// Checks that the role may do this to this record, but not centre, grant or lapse. On an error, the phone refuses, the server holds.
    ///
    /// # Errors
    /// [`Denied`] if the role may not do this, not to this record, or not so late.
    pub fn check(self, capability: Capability, target: Target) -> Result<(), Denied> {
        if !self.may(capability) {
            return Err(Denied::Role(self));
        }
        match (capability, target) {
            (Capability::AmendDelivery, Target::Others) if self != Self::Dispatcher => Err(Denied::Others(self)),
            (Capability::AmendDelivery, Target::Own { age_ms }) => match self.amend_window_ms() {
                Some(_) if age_ms < -TRUSTED_LEAD_MS => Err(Denied::Clocks { role: self }),
                Some(window_ms) if age_ms > window_ms => Err(Denied::Late { role: self, hours: window_ms / HOUR_MS }),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Returns the time after recording within which a person may amend or void their own delivery; `None` is no limit.
    fn amend_window_ms(self) -> Option<i64> {
        match self {
            Self::Clerk => Some(HOUR_MS),
            Self::FieldManager => Some(24 * HOUR_MS),
            Self::Dispatcher => None,
        }
    }
}

/// The reason why a role may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role lacks the capability.
    #[error("role {0} does not permit this")]
    Role(Role),
    /// The role may not change what others recorded.
    #[error("role {0} does not permit changes to what others recorded")]
    Others(Role),
    /// The change is more than a day older than the record, so nobody knows whether the role's time limit for own records has passed.
    #[error(
        "role {role} may change a delivery only for some hours, and its time is more than a day ahead: ask a dispatcher"
    )]
    Clocks {
        /// Role of the person.
        role: Role,
    },
    /// The role's time limit for own records has passed.
    #[error("role {role} may change a delivery only within {hours} h of recording")]
    Late {
        /// Role of the person.
        role: Role,
        /// Time limit in hours after recording.
        hours: i64,
    },
}

/// Stores the name of the role.
impl ToValue for Role {
    fn to_value(&self) -> Value<'_> {
        Value::text(self.as_str())
    }
}

impl FromValue for Role {
    fn from_value(value: Value<'_>) -> Option<Self> {
        value.as_text()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_deliveries_are_amended_within_the_window_and_others_by_dispatchers() {
        let at = |age_ms| Target::Own { age_ms };
        for (role, target, allowed) in [
            (Role::Clerk, at(HOUR_MS), true),
            (Role::Clerk, at(HOUR_MS + 1), false),
            (Role::Clerk, at(-24 * HOUR_MS), true),
            (Role::Clerk, at(-24 * HOUR_MS - 1), false),
            (Role::Dispatcher, at(i64::MIN), true),
            (Role::Clerk, Target::Others, false),
            (Role::FieldManager, at(24 * HOUR_MS), true),
            (Role::FieldManager, at(24 * HOUR_MS + 1), false),
            (Role::FieldManager, Target::Others, false),
            (Role::Dispatcher, at(i64::MAX), true),
            (Role::Dispatcher, Target::Others, true),
        ] {
            assert_eq!(role.check(Capability::AmendDelivery, target).is_ok(), allowed, "{role:?} {target:?}");
        }
        assert_eq!(Role::Clerk.check(Capability::OpenLoad, Target::New), Err(Denied::Role(Role::Clerk)));
        assert_eq!(Role::Clerk.check(Capability::RegisterFarmer, Target::Others), Ok(()), "contacts have no owner");
    }
}
