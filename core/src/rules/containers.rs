//! Balances of empty bags and crates.

use std::collections::BTreeMap;

use crate::records::container_movement::{MovementKind, Party};
use crate::records::simple::SimpleState;
use crate::records::{ContainerMovement, Simple};
use crate::units::ContainerCode;

/// How many containers of one type and owner a party has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerBalance {
    /// Party that has them.
    pub party: Party,
    /// Their type.
    pub container: ContainerCode,
    /// Their owner.
    pub owner: Party,
    /// Number of containers; negative if the party brought back more than is known to have been issued.
    pub count: i64,
}

/// Returns the balances that movements add up to, sorted by party, type and owner; those of zero are left out. Withdrawn movements do not
/// count. Movements are taken in their hybrid times' order: a count replaces all before it.
pub fn container_balances(movements: &[Simple<ContainerMovement>]) -> Vec<ContainerBalance> {
    let mut open: Vec<_> = movements.iter().filter(|it| it.state() == SimpleState::Open).collect();
    open.sort_by_key(|it| (it.made.at, it.record_id));
    let mut counts = BTreeMap::<(&Party, &ContainerCode, &Party), i64>::new();
    for ContainerMovement { container, owner, party, kind, count, .. } in open.into_iter().map(|it| &it.content) {
        let (balance, count) = (counts.entry((party, container, owner)).or_default(), i64::from(*count));
        *balance = match kind {
            MovementKind::Issued => balance.saturating_add(count),
            MovementKind::Returned | MovementKind::Damaged => balance.saturating_sub(count),
            MovementKind::Counted => count,
        };
    }
    let balances = counts.into_iter().filter(|(_, count)| *count != 0);
    let balance = |((party, container, owner), count): ((&Party, &ContainerCode, &Party), i64)| ContainerBalance {
        party: party.clone(),
        container: container.clone(),
        owner: owner.clone(),
        count,
    };
    balances.map(balance).collect()
}

#[cfg(test)]
mod tests {
    use MovementKind::{Counted, Damaged, Issued, Returned};

    use super::*;
    use crate::records::Stamp;
    use crate::records::simple::{SimpleEvent, SimpleStep};
    use crate::units::{DeviceCode, DocumentId, FarmerId, HybridTime, UserId};

    fn movement(wall_ms: i64, party: &Party, kind: MovementKind, count: u32) -> Simple<ContainerMovement> {
        let at = HybridTime { wall_ms, counter: 0 };
        let made = Stamp { user_id: UserId::from([1; 16]), device_code: DeviceCode(32), at, clock_suspect: false };
        let content = ContainerMovement {
            container: "CRATE".parse().expect("a code"),
            owner: Party::Organisation,
            party: party.clone(),
            place: String::new(),
            kind,
            count,
        };
        Simple {
            record_id: DocumentId::from([7; 16]),
            made,
            content,
            steps: Vec::new(),
            corrections: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn counts(movements: &[Simple<ContainerMovement>]) -> Vec<(Party, i64)> {
        container_balances(movements).into_iter().map(|it| (it.party, it.count)).collect()
    }

    #[test]
    fn issued_containers_are_due_until_they_are_returned_damaged_or_counted() {
        let farmer = Party::Farmer { farmer_id: FarmerId::from([1; 16]) };
        let mill = Party::Other { name: "Mill".into() };
        let mut all = vec![
            movement(10, &farmer, Issued, 20),
            movement(20, &farmer, Returned, 5),
            movement(30, &farmer, Damaged, 1),
            movement(10, &mill, Issued, 7),
            movement(20, &mill, Returned, 7),
        ];
        assert_eq!(counts(&all), [(farmer.clone(), 14)]);
        // A count that arrives late still counts at its own time.
        all.insert(0, movement(25, &farmer, Counted, 12));
        assert_eq!(counts(&all), [(farmer.clone(), 11)]);
        all.push(movement(40, &farmer, Counted, 0));
        all.push(movement(50, &mill, Returned, 2));
        assert_eq!(counts(&all), [(mill.clone(), -2)]);
        let stamp = all[0].made;
        for it in &mut all {
            it.steps.push(SimpleEvent { stamp, step: SimpleStep::Withdrawn, reason: None });
        }
        assert_eq!(counts(&all), []);
    }
}
