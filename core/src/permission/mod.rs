//! Permissions as data: roles, their capabilities, and the scopes that a device may read. Phone and server use this implementation.
//!
//! Does not own record kinds and grants.

mod visibility;

pub use visibility::Visibility;

use minicbor::{Decode, Encode};

use crate::units::{FromValue, TRUSTED_LEAD_MS, ToValue, Value, named};

named! {
    /// Role that a grant gives a user. The names are in every grant: never reuse one.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Role, "a role" {
        /// Weighs and records deliveries at a centre.
        #[n(0)]
        Clerk = "clerk",
        /// Runs the field work of a centre and its loads.
        #[n(1)]
        FieldManager = "field_manager",
        /// Heads a centre and its lorries.
        #[n(2)]
        Dispatcher = "dispatcher",
        /// Weighs and receives loads at their destination.
        #[n(3)]
        Receiver = "receiver",
        /// Drives a load.
        #[n(4)]
        Driver = "driver",
        /// Owns or manages the organisation.
        #[n(5)]
        Admin = "admin",
        /// Keeps the accounts.
        #[n(6)]
        Accountant = "accountant",
        /// Reads everything, changes nothing.
        #[n(7)]
        Auditor = "auditor",
        /// Delivers produce; has no phone of the organisation.
        #[n(8)]
        Farmer = "farmer",
        /// Runs the server for several organisations; sees no records.
        #[n(9)]
        PlatformAdmin = "platform_admin",
    }
}

named! {
    /// What a role may or may not do. The phone checks it without network, the server again.
    pub Capability, "a capability" {
        /// Record deliveries.
        RecordDelivery = "record_delivery",
        /// Amend and void a recorded delivery.
        AmendDelivery = "amend_delivery",
        /// Add moisture readings and observations of quality to a recorded delivery.
        ObserveQuality = "observe_quality",
        /// Print receipts.
        PrintReceipt = "print_receipt",
        /// Have a record signed.
        TakeSignature = "take_signature",
        /// Write notes.
        Comment = "comment",
        /// Register farmers.
        RegisterFarmer = "register_farmer",
        /// Correct the contact details of a farmer.
        EditFarmer = "edit_farmer",
        /// Open a load, correct it, seal it, ask to close it, cancel it.
        OpenLoad = "open_load",
        /// Join a load that another person opened.
        JoinLoad = "join_load",
        /// Record that a load departed or arrived.
        DriveLoad = "drive_load",
        /// Record that a load was received at its destination.
        ReceiveLoad = "receive_load",
        /// Record weighbridge tickets and checks of instruments.
        UseInstruments = "use_instruments",
        /// Ask for a lorry.
        RequestLorry = "request_lorry",
        /// Pass on a farmer's request for an advance.
        RequestAdvance = "request_advance",
        /// Record what farmers and staff say: feedback and disputes.
        HearFarmer = "hear_farmer",
        /// Keep the queue of a centre, and its empty bags and crates.
        KeepYard = "keep_yard",
        /// Give advances to farmers, and cancel them.
        PayAdvance = "pay_advance",
        /// Hand cash over, confirm that it was received, and count it.
        KeepCash = "keep_cash",
        /// Write how farmers are paid: national id and account.
        ProposePayout = "propose_payout",
        /// See in full how farmers are paid, for a reason that is recorded.
        RevealPayout = "reveal_payout",
    }
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

/// How long after its recording a person may change an own record, in minutes. The rule set of a delivery has them; without one, the
/// defaults count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeWindows {
    /// Minutes for a clerk.
    pub clerk_minutes: u32,
    /// Minutes for a field manager.
    pub field_manager_minutes: u32,
}

impl Default for ChangeWindows {
    fn default() -> Self {
        Self { clerk_minutes: 60, field_manager_minutes: 24 * 60 }
    }
}

/// How far a role has a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// Not at all.
    No,
    /// For what the person created, within a time afterwards.
    Own(Limit),
    /// For every record of the grant's centres.
    Yes,
}

/// Time after which an own record can no longer be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// The same for all records.
    Minutes(u32),
    /// [`ChangeWindows::clerk_minutes`] of the record.
    Clerk,
    /// [`ChangeWindows::field_manager_minutes`] of the record.
    FieldManager,
}

impl Limit {
    fn minutes(self, windows: ChangeWindows) -> u32 {
        match self {
            Self::Minutes(minutes) => minutes,
            Self::Clerk => windows.clerk_minutes,
            Self::FieldManager => windows.field_manager_minutes,
        }
    }
}

use Right::{No, Own, Yes};

/// Rights of a capability, in the order of [`Role::ALL`].
type Rights = [Right; Role::ALL.len()];

const MINUTE_MS: i64 = 60_000;

impl Capability {
    /// Returns the rights of all roles: a line of the table in `docs/records.md`, "Who may do what".
    #[expect(clippy::match_same_arms, reason = "a line for each capability")]
    const fn rights(self) -> Rights {
        let (hour, clerk, manager) = (Own(Limit::Minutes(60)), Own(Limit::Clerk), Own(Limit::FieldManager));
        // Clerk, field manager, dispatcher, receiver, driver, admin, accountant, auditor, farmer, platform admin.
        match self {
            Self::RecordDelivery => [Yes, Yes, Yes, No, No, No, No, No, No, No],
            Self::AmendDelivery => [clerk, manager, Yes, No, No, Yes, No, No, No, No],
            Self::ObserveQuality => [Yes, Yes, Yes, Yes, No, Yes, No, No, No, No],
            Self::PrintReceipt => [Yes, Yes, Yes, No, No, Yes, Yes, No, No, No],
            Self::TakeSignature => [Yes, Yes, Yes, No, No, Yes, Yes, No, No, No],
            Self::Comment => [Yes, Yes, Yes, Yes, Yes, Yes, Yes, No, No, No],
            Self::RegisterFarmer => [Yes, Yes, Yes, No, No, Yes, No, No, No, No],
            Self::EditFarmer => [hour, Yes, Yes, No, No, Yes, No, No, No, No],
            Self::OpenLoad => [No, Yes, Yes, No, No, Yes, No, No, No, No],
            Self::JoinLoad => [Yes, Yes, Yes, No, No, No, No, No, No, No],
            Self::DriveLoad => [No, Yes, Yes, No, Yes, No, No, No, No, No],
            Self::ReceiveLoad => [No, No, No, Yes, No, Yes, No, No, No, No],
            Self::UseInstruments => [Yes, Yes, Yes, Yes, No, Yes, No, No, No, No],
            Self::RequestLorry => [No, Yes, Yes, No, No, No, No, No, No, No],
            Self::RequestAdvance => [No, Yes, Yes, No, No, No, No, No, No, No],
            Self::HearFarmer => [Yes, Yes, Yes, No, No, Yes, Yes, No, No, No],
            Self::KeepYard => [Yes, Yes, Yes, No, No, Yes, No, No, No, No],
            Self::PayAdvance => [No, Yes, Yes, No, No, Yes, Yes, No, No, No],
            Self::KeepCash => [No, Yes, Yes, No, No, Yes, Yes, No, No, No],
            Self::ProposePayout => [No, Yes, Yes, No, No, Yes, No, No, No, No],
            Self::RevealPayout => [No, No, Yes, No, No, Yes, Yes, No, No, No],
        }
    }
}

impl Role {
    /// Returns whether a grant on a phone can have this role. The others would see all records of the centres there.
    pub fn has_phone(self) -> bool {
        !matches!(self, Self::Farmer | Self::PlatformAdmin)
    }

    /// Returns whether the role may read who the farmers of its centres are.
    pub fn sees_farmers(self) -> bool {
        !matches!(self, Self::Receiver | Self::Driver | Self::Farmer | Self::PlatformAdmin)
    }

    /// Returns whether the role's reports cover what others recorded, besides the person's own work.
    pub fn reports_on_others(self) -> bool {
        matches!(self, Self::FieldManager | Self::Dispatcher | Self::Admin | Self::Accountant | Self::Auditor)
    }

    /// Returns whether the role has a capability, for some records at least; see [`Self::check`].
    pub fn may(self, capability: Capability) -> bool {
        self.right(capability) != No
    }

    /// Returns the capabilities that the role has for some records at least.
    pub fn capabilities(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.may(*capability))
    }

    /// Checks that the role may do this to this record, within the default times; see [`Self::check_within`].
    ///
    /// # Errors
    /// As for [`Self::check_within`].
    pub fn check(self, capability: Capability, target: Target) -> Result<(), Denied> {
        self.check_within(capability, target, ChangeWindows::default())
    }

    /// Checks that the role may do this to a record with these windows, but not centre, grant or lapse. On an error, the phone refuses, the
    /// server holds.
    ///
    /// # Errors
    /// [`Denied`] if the role may not do this, not to this record, or not so late.
    pub fn check_within(self, capability: Capability, target: Target, windows: ChangeWindows) -> Result<(), Denied> {
        let limit = match self.right(capability) {
            No => return Err(Denied::Role(self)),
            Yes => return Ok(()),
            Own(limit) => limit.minutes(windows),
        };
        match target {
            Target::Others => Err(Denied::Others(self)),
            Target::Own { age_ms } if age_ms < -TRUSTED_LEAD_MS => Err(Denied::Clocks { role: self }),
            Target::Own { age_ms } if age_ms > i64::from(limit) * MINUTE_MS => {
                Err(Denied::Late { role: self, minutes: limit })
            }
            Target::New | Target::Own { .. } => Ok(()),
        }
    }

    fn right(self, capability: Capability) -> Right {
        let rights = Self::ALL.into_iter().zip(capability.rights());
        rights.into_iter().find(|(role, _)| *role == self).map_or(No, |(_, right)| right)
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
    #[error("role {role} may change this only for some time, and its time is more than a day ahead: ask a dispatcher")]
    Clocks {
        /// Role of the person.
        role: Role,
    },
    /// The role's time limit for own records has passed.
    #[error("role {role} may change this only within {} of recording", time(*minutes))]
    Late {
        /// Role of the person.
        role: Role,
        /// Time limit in minutes after recording.
        minutes: u32,
    },
}

/// Returns a time in hours, or in minutes if these are no whole hours.
fn time(minutes: u32) -> String {
    if minutes.is_multiple_of(60) { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
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

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    #[test]
    fn the_windows_of_a_record_say_how_long_its_author_may_change_it() {
        let windows = ChangeWindows { clerk_minutes: 0, field_manager_minutes: 90 };
        let amend = |role: Role, age_ms, windows| {
            role.check_within(Capability::AmendDelivery, Target::Own { age_ms }, windows).map_err(|it| it.to_string())
        };
        let late = |role: &str, time: &str| Err(format!("role {role} may change this only within {time} of recording"));
        assert_eq!(amend(Role::Clerk, 0, windows), Ok(()));
        assert_eq!(amend(Role::Clerk, 1, windows), late("clerk", "0 h"));
        assert_eq!(amend(Role::FieldManager, 90 * MINUTE_MS - 1, windows), Ok(()));
        assert_eq!(amend(Role::FieldManager, 90 * MINUTE_MS, windows), Ok(()));
        assert_eq!(amend(Role::FieldManager, 90 * MINUTE_MS + 1, windows), late("field_manager", "90 min"));
        assert_eq!(amend(Role::Dispatcher, i64::MAX, windows), Ok(()));
        let longest = ChangeWindows { clerk_minutes: u32::MAX, field_manager_minutes: u32::MAX };
        assert_eq!(amend(Role::Clerk, i64::from(u32::MAX) * MINUTE_MS, longest), Ok(()));
        let contact = Target::Own { age_ms: HOUR_MS + 1 };
        assert!(Role::Clerk.check_within(Capability::EditFarmer, contact, longest).is_err(), "not of a delivery");
    }

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
        assert_eq!(Role::Clerk.check(Capability::RegisterFarmer, Target::Others), Ok(()));
    }

    #[test]
    fn an_auditor_changes_nothing_and_roles_without_a_phone_may_nothing_on_one() {
        for capability in Capability::ALL {
            for role in [Role::Auditor, Role::Farmer, Role::PlatformAdmin] {
                assert!(!role.may(capability), "{role} {capability}");
            }
            assert!(Role::ALL.into_iter().any(|role| role.may(capability)), "{capability}");
        }
    }
}
