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
    /// Why the server refused a bundle or a parcel as a whole (`docs/errors.md`). A refused bundle leaves no trace on the server; the device keeps it.
    pub RefusalCode {
        /// Not a bundle, or cut.
        BundleUnreadable = "bundle_unreadable",
        /// A form of bundle that this server does not read.
        BundleVersionUnknown = "bundle_version_unknown",
        /// Made for another organisation.
        BundleForeignOrganisation = "bundle_foreign_organisation",
        /// Made by a device that was never enrolled here.
        BundleDeviceUnknown = "bundle_device_unknown",
        /// Not signed by the device's key, or changed after signing.
        BundleSignatureWrong = "bundle_signature_wrong",
        /// Larger than a bundle may be.
        BundleTooLarge = "bundle_too_large",
        /// Not a parcel, or a part is missing.
        ParcelUnreadable = "parcel_unreadable",
        /// A form of parcel that this server does not read.
        ParcelVersionUnknown = "parcel_version_unknown",
        /// Larger than a parcel may be.
        ParcelTooLarge = "parcel_too_large",
        /// Sealed for another organisation.
        ParcelForeignOrganisation = "parcel_foreign_organisation",
        /// Encrypted to another server's key.
        ParcelForeignServer = "parcel_foreign_server",
        /// Changed after it was sealed: it does not open.
        ParcelDamaged = "parcel_damaged",
    }
}
