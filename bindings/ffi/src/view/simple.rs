//! Simple records: each kind's fields, and its view and page, which have the same form for all kinds.

use farmtally_core::client::{Basis, SimplePage, SimpleView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::{SimpleEvent, SimpleState, SimpleStep};
use farmtally_core::records::{Conflict, Note, Stamp};
use farmtally_core::rules::ActionCode;
use farmtally_core::units::{CentreCode, DocumentId, SeasonCode};

/// State of a simple record, as far as this phone knows.
#[uniffi::remote(Enum)]
pub enum SimpleState {
    /// It stands as it was recorded
    Open,
    /// It was withdrawn
    Withdrawn,
}

/// What happened to a simple record after it was made.
#[uniffi::remote(Enum)]
pub enum SimpleStep {
    /// It was withdrawn: a mistake, or not wanted any more
    Withdrawn,
}

/// A step of a simple record, with author, device and time.
#[uniffi::remote(Record)]
pub struct SimpleEvent {
    /// Author, device and time
    pub stamp: Stamp,
    /// The step itself
    pub step: SimpleStep,
    /// Reason that the person gave; null for a step without one
    pub reason: Option<Reason>,
}

/// Describes the view and the page of a kind.
macro_rules! views {
    ($($(#[$doc:meta])* $content:ident, $view:ident, $page:ident;)*) => {$(
        pub(crate) type $view = SimpleView<$content>;
        pub(crate) type $page = SimplePage<$content>;

        $(#[$doc])*
        #[uniffi::remote(Record)]
        pub struct $view {
            /// Id of the record
            pub record_id: DocumentId,
            /// The version shown here; pass it to the next change
            pub basis: Basis,
            /// Centre to which it belongs
            pub centre: CentreCode,
            /// Season to which it belongs; null if it belongs to a centre only
            pub season: Option<SeasonCode>,
            /// Author, device and time of the recording
            pub made: Stamp,
            /// Its fields
            pub content: $content,
            /// State that follows from all steps that this phone knows
            pub state: SimpleState,
            /// Steps, oldest first
            pub steps: Vec<SimpleEvent>,
            /// What the current user may do with it now
            pub actions: Vec<ActionCode>,
            /// How far it is on its way to the server's log
            pub sync: SyncState,
            /// Fields that have concurrent values
            pub conflicts: Vec<Conflict>,
            /// Codes of the reviews that name it
            pub reviews: Vec<ReviewCode>,
        }

        /// A page of records.
        #[uniffi::remote(Record)]
        pub struct $page {
            /// The records
            pub items: Vec<$view>,
            /// Pass it as `after` for the next page; null on the last page
            pub next: Option<DocumentId>,
        }
    )*};
}

views! {
    /// A note as a screen shows it.
    Note, NoteView, NotePage;
}

/// Fields of a note.
#[uniffi::remote(Record)]
pub struct Note {
    /// Number of the kind of the record that it is about
    pub record_kind: u8,
    /// Record that it is about
    pub record_id: DocumentId,
    /// The remark, one line of at most 200 characters
    pub text: String,
}
