use crate::units::open_codes;

open_codes! {
    /// Why the server keeps an entry for a person to decide (`docs/protocol.md`, "Verdicts").
    pub HoldCode {
        /// The author's grant does not allow it.
        NotAllowed = "not_allowed",
        /// The entry is outside of the granted centres, or not where its record belongs.
        OutOfScope = "out_of_scope",
        /// A key of the change does not belong to the record's kind.
        Shape = "shape",
        /// The bytes are no change, or a value cannot be read.
        Malformed = "malformed",
        /// It builds on a change that is held.
        FollowsHeld = "follows_held",
        /// A draft of a phone that was wiped.
        Draft = "draft",
    }
}

open_codes! {
    /// Why the server refused a bundle or a parcel as a whole (`docs/errors.md`).
    pub RefusalCode {
        /// [`Refusal::Unreadable`](super::bundle::Refusal::Unreadable).
        BundleUnreadable = "bundle_unreadable",
        /// [`Refusal::UnknownVersion`](super::bundle::Refusal::UnknownVersion).
        BundleVersionUnknown = "bundle_version_unknown",
        /// [`Refusal::ForeignOrganisation`](super::bundle::Refusal::ForeignOrganisation).
        BundleForeignOrganisation = "bundle_foreign_organisation",
        /// [`Refusal::UnknownDevice`](super::bundle::Refusal::UnknownDevice).
        BundleDeviceUnknown = "bundle_device_unknown",
        /// [`Refusal::BadSignature`](super::bundle::Refusal::BadSignature).
        BundleSignatureWrong = "bundle_signature_wrong",
        /// [`Refusal::TooLarge`](super::bundle::Refusal::TooLarge).
        BundleTooLarge = "bundle_too_large",
        /// [`HandoverError::Unreadable`](super::parcel::HandoverError::Unreadable).
        ParcelUnreadable = "parcel_unreadable",
        /// [`HandoverError::UnknownVersion`](super::parcel::HandoverError::UnknownVersion).
        ParcelVersionUnknown = "parcel_version_unknown",
        /// [`HandoverError::TooLarge`](super::parcel::HandoverError::TooLarge).
        ParcelTooLarge = "parcel_too_large",
        /// [`HandoverError::ForeignOrganisation`](super::parcel::HandoverError::ForeignOrganisation).
        ParcelForeignOrganisation = "parcel_foreign_organisation",
        /// [`HandoverError::ForeignServer`](super::parcel::HandoverError::ForeignServer).
        ParcelForeignServer = "parcel_foreign_server",
        /// [`HandoverError::Damaged`](super::parcel::HandoverError::Damaged).
        ParcelDamaged = "parcel_damaged",
    }
}
