use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Revocation, StoredAs, Suspension};
use crate::permission::Role;
use crate::records::Table;
use crate::units::{CentreCode, Column, DeviceId, GrantId, ToValue, UserId, Value};

/// A user's permission to work on a device until its [`Revocation`], except during a [`Suspension`]; both are decisions of their own.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grant {
    /// Id of the grant.
    #[n(0)]
    pub grant_id: GrantId,
    /// User who receives it.
    #[n(1)]
    pub user_id: UserId,
    /// Device on which it is valid.
    #[n(2)]
    pub device_id: DeviceId,
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
    const STORED: StoredAs<Self> = StoredAs::Rows(Table {
        name: "grants",
        key: "grant_id",
        columns: &[
            (Column::blob("grant_id"), |it| it.grant_id.to_value()),
            (Column::blob("user_id"), |it| it.user_id.to_value()),
            (Column::blob("device_id"), |it| it.device_id.to_value()),
            (Column::text("role"), |it| it.role.to_value()),
            (Column::text("centres"), |it| it.centres.to_value()),
            (Column::text("revocation_subject"), |it| Value::Text(Revocation::subject_of(it.grant_id).into())),
            (Column::text("suspension_subject"), |it| {
                Value::Text(Suspension::subject_of(it.device_id, it.user_id).into())
            }),
        ],
    });
}
