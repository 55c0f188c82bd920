use crate::units::open_codes;

open_codes! {
    /// Reason why the server holds an entry for a person to decide (`docs/protocol.md`, "Verdicts").
    pub HoldCode {
        /// The grant does not allow the change, has ended, is unknown or another user's; or the device is marked as lost.
        NotAllowed = "not_allowed",
        /// The centre is not in the grant, or the scope is not that of the record.
        OutOfScope = "out_of_scope",
        /// The change writes what the shape of its record kind does not allow, or the document is of another kind.
        Shape = "shape",
        /// The bytes are not a change, or a value cannot be read.
        Malformed = "malformed",
        /// The entry builds on a held change.
        FollowsHeld = "follows_held",
        /// The entry is a draft of a phone that was wiped.
        Draft = "draft",
    }
}

open_codes! {
    /// Reason why a whole bundle or parcel was refused (`docs/errors.md`). The sealing device keeps it; server and carrier do not.
    pub RefusalCode {
        /// Not a bundle, or truncated.
        BundleUnreadable = "bundle_unreadable",
        /// Version of the bundle is unknown to this server.
        BundleVersionUnknown = "bundle_version_unknown",
        /// Made for another organisation.
        BundleForeignOrganisation = "bundle_foreign_organisation",
        /// Made by a device that was never enrolled here.
        BundleDeviceUnknown = "bundle_device_unknown",
        /// Not signed by the device's key, or changed after signing.
        BundleSignatureWrong = "bundle_signature_wrong",
        /// Larger than the limit for bundles.
        BundleTooLarge = "bundle_too_large",
        /// Not a parcel, or truncated.
        ParcelUnreadable = "parcel_unreadable",
        /// Version of the parcel is unknown to this server.
        ParcelVersionUnknown = "parcel_version_unknown",
        /// Larger than the limit for parcels.
        ParcelTooLarge = "parcel_too_large",
        /// Made for another organisation.
        ParcelForeignOrganisation = "parcel_foreign_organisation",
        /// Encrypted to another server's key.
        ParcelForeignServer = "parcel_foreign_server",
        /// Changed after encryption, so that it cannot be decrypted.
        ParcelDamaged = "parcel_damaged",
    }
}
