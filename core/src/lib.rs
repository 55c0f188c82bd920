//! FarmTally's field core: records of farmers' deliveries, the trade rules, the store and the sync. Phone and server run this same code.
//!
//! Owns the formats of documents, decisions, tables and messages, the trade rules, and the [`client::FieldClient`] that an app uses.
//! Does *not* own screens, the foreign interfaces, the server's tables and routes, prices or money. It waits for no decision that only
//! the server may make: it asks for the decision and continues to work.
//!
//! # Layers
//!
//! Each layer imports only from those before it; `tests/tests/layers.rs` fails on an import against the order.
//!
//! | Module | Owns |
//! |---|---|
//! | [`codec`], [`text`] | CBOR; text as people type it: stored, searched, compared |
//! | [`units`], [`limits`], [`environment`] | small exact types, ids and hashes; all limits; time and randomness |
//! | [`scope`] | the unit of permission, log, first sync and purge |
//! | [`permission`] | roles, capabilities, visibility |
//! | [`records`] | Automerge documents, one for each record, and their kinds; drafts |
//! | [`decisions`] | records that only the server writes: reference data, grants, reviews |
//! | [`rules`] | arithmetic and checks |
//! | [`protocol`] | bundles, logs, messages, signed requests, parcels: values and their encoding |
//! | [`store`] | SQL for both engines; SQLite connections and migrations; documents and their rows |
//! | [`sync`] | the exchange, its driver over a store, the network seam |
//! | [`paper`] | receipts and other papers: their content, words, and forms from text to PDF |
//! | [`client`] | the API for an app: session, actions, views |
//!
//! # Invariants
//!
//! - When a call returns, its changes are on disk; a call that fails changes nothing, except that a sync keeps what was exchanged.
//! - A record is a function of its document's *set* of changes, so phones that have the same changes show the same record.
//! - A change leaves a phone's outbox only when a verdict of the server names it. Every request may be repeated.
//! - A value of [`units`] is within its hard bounds, and every quantity is an integer of a named unit.
//! - Time and randomness come only from [`environment::Environment`], so a run can be replayed byte for byte.
//! - Bytes from outside never cause a panic; they are refused, held or set aside.
//! - An [`ErrorCode`] is the same on every surface and never reused.
//!
//! # Example: two phones converge
//!
//! Two phones edit the same farmer without network and sync with a server in the same process:
//!
//! ```
//! use farmtally_core::client::{FarmerInput, FieldClient};
//! use farmtally_core::environment::Environment;
//! use farmtally_core::records::farmer::ContactDetails;
//! use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
//! use farmtally_sync_server::{ReferenceFile, Server};
//!
//! struct InProcess(Server);
//!
//! impl Transport for InProcess {
//!     fn send(&self, request: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
//!         Ok(self.0.respond(request))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let server = Server::open(&folder.join("server"), Environment::system())?;
//! let reference = ReferenceFile::parse(r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}]}"#)?;
//! let organisation = server.create_organisation("Kolar growers", &"IN".parse()?, 330, None, &reference)?;
//! let network = InProcess(server);
//! let enrol = |name: &str| -> Result<FieldClient, Box<dyn std::error::Error>> {
//!     let code = network.0.create_code(organisation, name, "field_manager".parse()?, &["KOLAR".parse()?])?;
//!     let phone = FieldClient::open(&folder.join(name), Environment::system())?;
//!     phone.enrol(&network, "https://sync.example.org", &code, "test phone")?;
//!     Ok(phone)
//! };
//! let (asha, ravi) = (enrol("Asha")?, enrol("Ravi")?);
//! let sync = |phone: &FieldClient| phone.sync(&network, &|_progress| ());
//!
//! let details = ContactDetails { name: "Lakshmi Devi".into(), ..ContactDetails::default() };
//! let farmer = asha.register_farmer(&FarmerInput { centre: "KOLAR".parse()?, details, tags: Vec::new() }, &[])?;
//! sync(&asha)?;
//! sync(&ravi)?;
//!
//! let details = ContactDetails { village: "Vemagal".into(), ..farmer.contact.clone() };
//! asha.edit_farmer(farmer.farmer_id, farmer.basis, &details)?;
//! let seen = ravi.farmer(farmer.farmer_id)?;
//! let details = ContactDetails { phone: "+919845011111".into(), ..seen.contact };
//! ravi.edit_farmer(farmer.farmer_id, seen.basis, &details)?;
//! for phone in [&asha, &ravi, &asha] {
//!     sync(phone)?;
//! }
//!
//! let agreed = asha.farmer(farmer.farmer_id)?.contact;
//! assert_eq!(agreed, ravi.farmer(farmer.farmer_id)?.contact);
//! assert_eq!((agreed.village.as_str(), agreed.phone.as_str()), ("Vemagal", "+919845011111"));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `http` (default) adds transport and live signal over HTTPS; no other code uses the network. `encryption` adds encrypted stores.
//! `paper-shaping` draws scripts that a receipt printer lacks, with fonts that the app hands over; `paper-pdf` adds PDF files.
//!
//! # Read next
//!
//! [`client`] shows how an action is written, [`records`] what a document is, [`protocol`] how it is sent.

pub mod client;
pub mod codec;
pub mod decisions;
pub mod environment;
mod error;
pub mod limits;
pub mod paper;
pub mod permission;
pub mod protocol;
pub mod records;
pub mod rules;
pub mod scope;
pub mod store;
pub mod sync;
pub mod text;
pub mod units;

pub use error::{Error, ErrorCode, SpendingLimit, UnavailableCause};
