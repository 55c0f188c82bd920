//! Paths of the device API.

/// Redeems an enrolment code (POST, not signed).
pub const ENROL: &str = "/v1/enrol";
/// Uploads bundles and fetches log entries (POST).
pub const SYNC: &str = "/v1/sync";
/// Signals that logs have new entries (GET).
pub const LIVE: &str = "/v1/live";
/// Gives a copied device a new key (POST).
pub const REKEY: &str = "/v1/rekey";
/// Confirms that a device wipes its data next (POST).
pub const WIPED: &str = "/v1/wiped";
/// Shows a certificate to a server that no longer knows the device (POST, not signed).
pub const READMIT: &str = "/v1/readmit";
