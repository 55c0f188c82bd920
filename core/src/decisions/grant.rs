use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Revocation, Stored, Suspension};
use crate::permission::Role;
use crate::records::Table;
use crate::units::{CentreCode, Column, DeviceId, GrantId, ToValue, UserId, Value};

/// A user's permission to work on a device. The phone checks it offline, the server for each entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grant {
    /// Id of the grant.
    #[n(0)]
    pub grant: GrantId,
    /// User who receives it.
    #[n(1)]
    pub user: UserId,
    /// Device on which it is valid.
    #[n(2)]
    pub device: DeviceId,
    /// Role of the user.
    #[n(3)]
    pub role: Role,
    /// Centres that it covers.
    #[n(4)]
    pub centres: Vec<CentreCode>,
}

impl DecisionKind for Grant {
    const NUMBER: u8 = 7;
    const NAME: &'static str = "grant";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: Stored<Self> = Stored::Rows(Table {
        name: "grants",
        key: "grant_id",
        columns: &[
            (Column::blob("grant_id"), |it| it.grant.to_value()),
            (Column::blob("user_id"), |it| it.user.to_value()),
            (Column::blob("device_id"), |it| it.device.to_value()),
            (Column::text("role"), |it| it.role.to_value()),
            (Column::text("centres"), |it| it.centres.to_value()),
            (Column::text("revocation_code"), |it| Value::Text(Revocation::code_of(it.grant).into())),
            (Column::text("suspension_code"), |it| Value::Text(Suspension::code_of(it.device, it.user).into())),
        ],
    });
}
