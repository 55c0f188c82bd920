//! Who may do and read what, as data: one implementation for phone and server.
//!
//! Owns roles, their capabilities and what a device may read. Knows no record kind and no grant.

mod visibility;

pub use visibility::Visibility;

use minicbor::{Decode, Encode};

/// What a person is in the organisation. The numbers are in every grant: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Records deliveries; may not open loads or edit what others recorded.
    #[n(0)]
    Clerk,
    /// Runs the field work of a centre.
    #[n(1)]
    FieldManager,
    /// Heads a centre and its lorries.
    #[n(2)]
    Dispatcher,
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
    /// Amend and void what others recorded.
    AmendOthers,
}

const HOUR_MS: i64 = 3_600_000;

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Clerk, Self::FieldManager, Self::Dispatcher];

    /// The role's name in JSON, SQL and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clerk => "clerk",
            Self::FieldManager => "field_manager",
            Self::Dispatcher => "dispatcher",
        }
    }

    /// Whether the role may do this: the table in `docs/records.md`, "Who may do what".
    pub fn may(self, capability: Capability) -> bool {
        match capability {
            Capability::RecordDelivery | Capability::RegisterFarmer | Capability::JoinLoad => true,
            Capability::OpenLoad => self != Self::Clerk,
            Capability::AmendOthers => self == Self::Dispatcher,
        }
    }

    /// How long after recording somebody may amend or void their own delivery; `None` is without end.
    pub fn amend_window_ms(self) -> Option<i64> {
        match self {
            Self::Clerk => Some(HOUR_MS),
            Self::FieldManager => Some(24 * HOUR_MS),
            Self::Dispatcher => None,
        }
    }
}

impl std::str::FromStr for Role {
    type Err = crate::units::UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| crate::units::UnitError::new(format!("not a role: use one of {}", known())))
    }
}
