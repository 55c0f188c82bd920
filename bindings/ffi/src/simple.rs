//! Calls for simple records: recording, steps and lists, the same for each kind, and what only some kinds have.

use farmtally_core::client::{Basis, ListOrder, SimpleFilter};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::plot::{GeoPoint, ring_area_m2};
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{
    AdvanceRequest, ContainerMovement, Dispute, Feedback, InstrumentCheck, LorryRequest, Mark, Note, Plot, QueueTicket,
    ReceivingNote, RetainedSample, Signature, SupplyIntent, WeighbridgeTicket,
};
use farmtally_core::rules::{ContainerBalance, SupplyProposal};
use farmtally_core::units::{BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId};

use crate::client::FieldClient;
use crate::error::FieldError;
use crate::input::SimpleQuery;
use crate::view::simple::{
    AdvanceRequestPage, AdvanceRequestView, ContainerMovementPage, ContainerMovementView, DisputePage, DisputeView,
    FeedbackPage, FeedbackView, InstrumentCheckPage, InstrumentCheckView, LorryRequestPage, LorryRequestView, NotePage,
    NoteView, PlotPage, PlotView, QueueTicketPage, QueueTicketView, ReceivingNotePage, ReceivingNoteView,
    RetainedSamplePage, RetainedSampleView, SignaturePage, SignatureView, SupplyIntentPage, SupplyIntentView,
    WeighbridgeTicketPage, WeighbridgeTicketView,
};

/// Makes the calls of a kind: `add`, with or without a centre, and those that every kind has.
macro_rules! calls {
    ($($(#[$doc:meta])* $add:ident($content:ident $(at $centre:ident)?) -> $view:ident, $get:ident, $list:ident -> $page:ident, $withdraw:ident;)*) => {
        #[uniffi::export]
        impl FieldClient {$(
            $(#[$doc])*
            pub async fn $add(&self, $($centre: CentreCode,)? content: $content) -> Result<$view, FieldError> {
                self.call(move |engine| Ok(engine.core.record_simple(calls!(@centre $($centre)?), content)?)).await
            }

            /// Returns a record. Fails with NotFound if it is not on this phone, of another kind, or not in a granted centre.
            pub async fn $get(&self, record_id: DocumentId) -> Result<$view, FieldError> {
                self.call(move |engine| Ok(engine.core.simple_record(record_id)?)).await
            }

            /// Returns a page of records, newest first. Fails with Refused (code out_of_scope) if the query's centre is not granted; with
            /// NotFound if the record `after` is not on this phone any more: begin with the first page.
            pub async fn $list(&self, query: SimpleQuery) -> Result<$page, FieldError> {
                self.call(move |engine| {
                    let (centre, after, limit) = (query.centre.clone(), query.after, query.limit);
                    let filter = SimpleFilter::from(query);
                    Ok(engine.core.simple_records(centre.as_ref(), &filter, ListOrder::NewestFirst, after, limit)?)
                })
                .await
            }

            /// Withdraws a record. It stays visible. Fails with Refused if `withdraw` is not among its actions; with Invalid (field reason).
            pub async fn $withdraw(&self, basis: Basis, reason: Reason) -> Result<$view, FieldError> {
                self.call(move |engine| {
                    Ok(engine.core.step_simple::<$content>(basis, SimpleStep::Withdrawn, Some(&reason))?)
                })
                .await
            }
        )*}
    };
    (@centre $centre:ident) => { Some(&$centre) };
    (@centre) => { None };
}

calls! {
    /// Records a weighbridge ticket of a load or delivery. Fails with Invalid (field record_id, weight, tare, number, place or operator_name).
    add_weighbridge_ticket(WeighbridgeTicket) -> WeighbridgeTicketView, weighbridge_ticket,
        weighbridge_tickets -> WeighbridgeTicketPage, withdraw_weighbridge_ticket;
    /// Records what a destination counted and found. Fails with Invalid (field load_id, bags, rejected_bags or remarks).
    add_receiving_note(ReceivingNote) -> ReceivingNoteView, receiving_note,
        receiving_notes -> ReceivingNotePage, withdraw_receiving_note;
    /// Asks the office for a lorry. Fails with Invalid, which names the field, also if no season of the commodity covers the wanted day; with
    /// Refused (code out_of_scope) if the centre is not granted.
    add_lorry_request(LorryRequest at centre) -> LorryRequestView, lorry_request,
        lorry_requests -> LorryRequestPage, withdraw_lorry_request;
    /// Records what a farmer means to bring. Fails with Invalid, which names the field, also if no season of the commodity covers the day.
    add_supply_intent(SupplyIntent at centre) -> SupplyIntentView, supply_intent,
        supply_intents -> SupplyIntentPage, withdraw_supply_intent;
    /// Passes on a farmer's request for an advance. It is no advance: the office decides. Fails with Invalid (field farmer_id, amount_minor or
    /// reason). The request is erased with the farmer.
    add_advance_request(AdvanceRequest) -> AdvanceRequestView, advance_request,
        advance_requests -> AdvanceRequestPage, withdraw_advance_request;
    /// Records that a farmer does not agree with a delivery or advance. Fails with Invalid (field record_id, farmer_id, subject or text). The dispute is
    /// erased with the farmer.
    add_dispute(Dispute) -> DisputeView, dispute, disputes -> DisputePage, withdraw_dispute;
    /// Records a rating by a farmer or by staff. Fails with Invalid (field farmer_id, rating, reason_codes or text). A farmer's feedback is
    /// erased with the farmer.
    add_feedback(Feedback at centre) -> FeedbackView, feedback, feedbacks -> FeedbackPage, withdraw_feedback;
    /// Puts a farmer or a lorry into the queue of a centre. Fails with Invalid, which names the field, also if neither is named (field
    /// farmer_id).
    add_queue_ticket(QueueTicket at centre) -> QueueTicketView, queue_ticket,
        queue_tickets -> QueueTicketPage, withdraw_queue_ticket;
    /// Records that a party got, brought back or damaged empty bags or crates, or how many it has. Fails with Invalid (field owner, party,
    /// place or count).
    add_container_movement(ContainerMovement at centre) -> ContainerMovementView, container_movement,
        container_movements -> ContainerMovementPage, withdraw_container_movement;
    /// Records that a sample of a delivery is kept under seal. Fails with Invalid (field delivery_id, label, seal or witness).
    add_retained_sample(RetainedSample) -> RetainedSampleView, retained_sample,
        retained_samples -> RetainedSamplePage, withdraw_retained_sample;
    /// Records a check of an instrument against a reference. Fails with Invalid, which names the field. For a check that failed,
    /// deliveries_in_doubt lists what was weighed since the last good one.
    add_instrument_check(InstrumentCheck at centre) -> InstrumentCheckView, instrument_check,
        instrument_checks -> InstrumentCheckPage, withdraw_instrument_check;
    /// Records a plot of a farmer, as a point or as its border. Fails with Invalid (field farmer_id, name, shape or declared_area_m2). The plot
    /// is erased with the farmer.
    add_plot(Plot) -> PlotView, plot, plots -> PlotPage, withdraw_plot;
}

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

    /// Puts a signature or thumb mark under a recorded delivery, a load or another record; `basis` is that of its view, as shown to the person
    /// who signs. A draft is signed with DraftEdit.SetMark. Fails with Invalid if the mark has no point, one outside of
    /// the field, or too many (field mark), or the record is a draft or is not signed (field record_id); with Refused by role, or if a
    /// delivery is voided. The signature is erased with the farmer of the record.
    pub async fn sign(&self, basis: Basis, mark: Mark) -> Result<SignatureView, FieldError> {
        self.call(move |engine| Ok(engine.core.sign(basis, mark)?)).await
    }

    /// Returns a page of the signatures under a record, oldest first, which follow the signature `after`; `limit` is 1 to 200.
    #[uniffi::method(default(after = None, limit = 50))]
    pub async fn signatures(
        &self,
        record_id: DocumentId,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<SignaturePage, FieldError> {
        self.call(move |engine| {
            let filter = SimpleFilter { about: Some(record_id), ..SimpleFilter::default() };
            Ok(engine.core.simple_records::<Signature>(None, &filter, ListOrder::OldestFirst, after, limit)?)
        })
        .await
    }

    /// Withdraws a signature. It stays visible. Fails with Refused if `withdraw` is not among its actions; with Invalid (field reason).
    pub async fn withdraw_signature(&self, basis: Basis, reason: Reason) -> Result<SignatureView, FieldError> {
        self.call(move |engine| {
            Ok(engine.core.step_simple::<Signature>(basis, SimpleStep::Withdrawn, Some(&reason))?)
        })
        .await
    }

    /// Changes a lorry request: all fields but the commodity, those that are equal stay. Fails with Refused if `correct` is not among its
    /// actions; with Invalid, which names the field.
    pub async fn change_lorry_request(
        &self,
        basis: Basis,
        content: LorryRequest,
    ) -> Result<LorryRequestView, FieldError> {
        self.call(move |engine| Ok(engine.core.change_simple(basis, content)?)).await
    }

    /// Records that a farmer or lorry that waits was called. Fails with Refused if `call` is not among the ticket's actions.
    pub async fn call_queue_ticket(&self, basis: Basis) -> Result<QueueTicketView, FieldError> {
        self.call(move |engine| Ok(engine.core.step_simple(basis, SimpleStep::Called, None)?)).await
    }

    /// Records that a farmer or lorry was served. Fails with Refused if `serve` is not among the ticket's actions.
    pub async fn serve_queue_ticket(&self, basis: Basis) -> Result<QueueTicketView, FieldError> {
        self.call(move |engine| Ok(engine.core.step_simple(basis, SimpleStep::Served, None)?)).await
    }

    /// Records that a farmer or lorry left without being served. Fails with Refused if `leave` is not among the ticket's actions.
    pub async fn leave_queue(&self, basis: Basis) -> Result<QueueTicketView, FieldError> {
        self.call(move |engine| Ok(engine.core.step_simple(basis, SimpleStep::Left, None)?)).await
    }

    /// Returns the position of a queue ticket, from 1, among the tickets of its day that this phone knows; null if it does not wait any more.
    /// An estimate: the server decides the order.
    pub async fn queue_position(&self, record_id: DocumentId) -> Result<Option<u32>, FieldError> {
        self.call(move |engine| Ok(engine.core.queue_position(record_id)?)).await
    }

    /// Returns how many empty bags and crates parties have, by the movements of a centre that this phone knows. Fails with Refused for a
    /// centre that is not granted, and for a receiver or driver.
    pub async fn container_balances(&self, centre: CentreCode) -> Result<Vec<ContainerBalance>, FieldError> {
        self.call(move |engine| Ok(engine.core.container_balances(&centre)?)).await
    }

    /// Returns the deliveries that a failed check puts in doubt, in the order of their recording: those of its centre since the instrument's
    /// last good check that name the instrument, or none. Empty for a check that passed or was withdrawn.
    pub async fn deliveries_in_doubt(&self, record_id: DocumentId) -> Result<Vec<DeliveryId>, FieldError> {
        self.call(move |engine| Ok(engine.core.deliveries_in_doubt(record_id)?)).await
    }

    /// Returns the area in square metres that a border encloses, 0 for fewer than three points: to show it while a person walks or draws.
    pub async fn plot_area(&self, points: Vec<GeoPoint>) -> Result<u32, FieldError> {
        self.call(move |_| Ok(ring_area_m2(&points))).await
    }

    /// Returns what the supply intents for a day at a centre add up to, as estimates of a lorry request. Fails with Refused (code
    /// out_of_scope) if the centre is not granted; with Invalid if no season of the commodity covers the day.
    pub async fn propose_supply(
        &self,
        centre: CentreCode,
        commodity: CommodityCode,
        date: BusinessDate,
    ) -> Result<SupplyProposal, FieldError> {
        self.call(move |engine| Ok(engine.core.propose_supply(&centre, &commodity, date)?)).await
    }
}
