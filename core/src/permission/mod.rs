//! Who may do and read what, as data: one implementation for phone and server.
//!
//! Owns roles, their capabilities and what a device may read. Knows no record kind and no grant.

mod visibility;

pub use visibility::Visibility;

use minicbor::{Decode, Encode};

use crate::units::{FromValue, ToValue, Value, named};

named! {
    /// What a person is in the organisation. The numbers are in every grant: never reuse one.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Role, "a role" {
        /// Records deliveries; may not open loads or edit what others recorded.
        #[n(0)]
        Clerk = "clerk",
        /// Runs the field work of a centre.
        #[n(1)]
        FieldManager = "field_manager",
        /// Heads a centre and its lorries.
        #[n(2)]
        Dispatcher = "dispatcher",
    }
}

/// Something that a role may or may not do without network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Record deliveries.
    RecordDelivery,
    /// Register and change farmers.
    RegisterFarmer,
    /// Open a load and ask to close it.
    OpenLoad,
    /// Join a load that somebody else opened.
    JoinLoad,
    /// Amend and void a recorded delivery.
    AmendDelivery,
}

/// Whose record somebody changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One that did not exist before.
    New,
    /// One that they created, this many milliseconds before.
    Own {
        /// By the clocks of both changes; negative if the earlier one's was ahead.
        age_ms: i64,
    },
    /// One that somebody else created, or nobody knows who.
    Others,
}

const HOUR_MS: i64 = 3_600_000;

impl Role {
    /// Whether the role may do this: the table in `docs/records.md`, "Who may do what".
    pub fn may(self, capability: Capability) -> bool {
        match capability {
            Capability::RecordDelivery
            | Capability::AmendDelivery
            | Capability::RegisterFarmer
            | Capability::JoinLoad => true,
            Capability::OpenLoad => self != Self::Clerk,
        }
    }

    /// Checks that the role may do this to this record: what the phone refuses, the server holds.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check(self, capability: Capability, subject: Subject) -> Result<(), Denied> {
        if !self.may(capability) {
            return Err(Denied::Role(self));
        }
        match (capability, subject) {
            (Capability::AmendDelivery, Subject::Others) if self != Self::Dispatcher => Err(Denied::Others(self)),
            (Capability::AmendDelivery, Subject::Own { age_ms }) => match self.amend_window_ms() {
                Some(window_ms) if age_ms > window_ms => Err(Denied::Late { role: self, hours: window_ms / HOUR_MS }),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// How long after recording somebody may amend or void their own delivery; `None` is without end.
    fn amend_window_ms(self) -> Option<i64> {
        match self {
            Self::Clerk => Some(HOUR_MS),
            Self::FieldManager => Some(24 * HOUR_MS),
            Self::Dispatcher => None,
        }
    }
}

/// Why a role may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role does not do this at all.
    #[error("a {0} may not do this")]
    Role(Role),
    /// Not to what others recorded.
    #[error("a {0} may not change what others recorded")]
    Others(Role),
    /// Not any more.
    #[error("a {role} may change it until {hours} h after recording")]
    Late {
        /// Whose role.
        role: Role,
        /// How long it is allowed.
        hours: i64,
    },
}

/// Stored as its name.
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
        let at = |age_ms| Subject::Own { age_ms };
        for (role, subject, allowed) in [
            (Role::Clerk, at(HOUR_MS), true),
            (Role::Clerk, at(HOUR_MS + 1), false),
            (Role::Clerk, at(-HOUR_MS), true),
            (Role::Clerk, Subject::Others, false),
            (Role::FieldManager, at(24 * HOUR_MS), true),
            (Role::FieldManager, at(24 * HOUR_MS + 1), false),
            (Role::FieldManager, Subject::Others, false),
            (Role::Dispatcher, at(i64::MAX), true),
            (Role::Dispatcher, Subject::Others, true),
        ] {
            assert_eq!(role.check(Capability::AmendDelivery, subject).is_ok(), allowed, "{role:?} {subject:?}");
        }
        assert_eq!(Role::Clerk.check(Capability::OpenLoad, Subject::New), Err(Denied::Role(Role::Clerk)));
        assert_eq!(Role::Clerk.check(Capability::RegisterFarmer, Subject::Others), Ok(()), "contacts have no owner");
    }
}
