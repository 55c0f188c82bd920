//! The estimated position of a queue ticket.

use crate::records::simple::SimpleState;
use crate::records::{QueueTicket, Simple};

/// Returns the position of a ticket among those of its centre and day, from 1, in the order of arrival; `None` if it does not wait any more.
/// Tickets that another phone has made and this one does not know are missing, so it is an estimate; the server decides.
pub fn queue_position(ticket: &Simple<QueueTicket>, others: &[Simple<QueueTicket>]) -> Option<u32> {
    let is_waiting = |it: &Simple<QueueTicket>| it.state() == SimpleState::Open;
    let place = |it: &Simple<QueueTicket>| (it.made.at, it.record_id);
    let is_before = |it: &&Simple<QueueTicket>| is_waiting(it) && place(it) < place(ticket);
    let before = others.iter().filter(is_before).count();
    is_waiting(ticket).then(|| u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Stamp;
    use crate::records::simple::{SimpleEvent, SimpleStep};
    use crate::units::{BusinessDate, DeviceCode, DocumentId, HybridTime, UserId};

    fn ticket(id: u8, wall_ms: i64, step: Option<SimpleStep>) -> Simple<QueueTicket> {
        let at = HybridTime { wall_ms, counter: 0 };
        let made = Stamp { user_id: UserId::from([1; 16]), device_code: DeviceCode(32), at, clock_suspect: false };
        let content = QueueTicket {
            commodity: "MAIZE".parse().expect("a code"),
            date: BusinessDate(18_025),
            farmer_id: None,
            lorry: Some("KA07A1111".parse().expect("a plate")),
            bags: 10,
        };
        let steps = step.into_iter().map(|step| SimpleEvent { stamp: made, step, reason: None }).collect();
        Simple {
            record_id: DocumentId::from([id; 16]),
            made,
            content,
            steps,
            corrections: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    #[test]
    fn only_those_who_arrived_before_and_still_wait_are_counted() {
        let all = [
            ticket(1, 10, Some(SimpleStep::Served)),
            ticket(2, 20, None),
            ticket(3, 30, Some(SimpleStep::Called)),
            ticket(5, 40, None),
            ticket(4, 40, None),
            ticket(6, 50, Some(SimpleStep::Left)),
            ticket(7, 60, Some(SimpleStep::Withdrawn)),
            ticket(8, 70, None),
        ];
        let positions: Vec<Option<u32>> = all.iter().map(|it| queue_position(it, &all)).collect();
        assert_eq!(positions, [None, Some(1), None, Some(3), Some(2), None, None, Some(4)]);
    }
}
