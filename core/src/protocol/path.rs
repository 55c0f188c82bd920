//! Paths of the device API.

/// Redeems an enrolment code (POST).
pub const ENROL: &str = "/v1/enrol";
/// Exchanges work and news (POST).
pub const SYNC: &str = "/v1/sync";
/// Signals that there is news (GET).
pub const LIVE: &str = "/v1/live";
/// Takes a new key for a copied device (POST).
pub const REKEY: &str = "/v1/rekey";
/// Confirms that a device has destroyed its data (POST).
pub const WIPED: &str = "/v1/wiped";
/// Shows a certificate to a server that no longer knows the device (POST).
pub const READMIT: &str = "/v1/readmit";
