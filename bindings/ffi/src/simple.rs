//! Calls for simple records, such as notes.

use farmtally_core::client::{ListOrder, SimpleFilter};
use farmtally_core::records::Note;
use farmtally_core::units::DocumentId;

use crate::client::FieldClient;
use crate::error::FieldError;
use crate::view::{NotePage, NoteView};

#[uniffi::export]
impl FieldClient {
    /// Writes a note on a delivery, a load, or another record of a season. Fails with Invalid if the text is empty or too long (field text),
    /// or the record is a draft or has no notes (field record_id); with NotFound if it is not on this phone.
    pub async fn add_note(&self, record_id: DocumentId, text: String) -> Result<NoteView, FieldError> {
        self.call(move |engine| Ok(engine.core.add_note(record_id, &text)?)).await
    }

    /// Returns a page of the notes on a record, oldest first, which follow the note `after`; `limit` is 1 to 200.
    #[uniffi::method(default(after = None, limit = 50))]
    pub async fn notes(
        &self,
        record_id: DocumentId,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<NotePage, FieldError> {
        self.call(move |engine| {
            let filter = SimpleFilter { about: Some(record_id), ..SimpleFilter::default() };
            Ok(engine.core.simple_records::<Note>(None, &filter, ListOrder::OldestFirst, after, limit)?)
        })
        .await
    }
}
