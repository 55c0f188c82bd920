//! Simple records in a schedule: people record a sample of any kind about a delivery that they know, and withdraw some.

use farmtally_core::Error;
use farmtally_core::client::{FieldClient, SyncState};
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{Kind, Simple};
use farmtally_core::rules::ActionCode;
use farmtally_core::units::{CentreCode, DocumentId, FarmerId};
use rand::RngExt;

use super::action::{any_delivery, any_load_here};
use super::oracle::FactKind;
use super::world::{CallOutcome, World};
use crate::samples::{Sample, Subjects};
use crate::{for_each_simple_kind, reason};

/// The calls for a simple kind, without its type.
struct Calls {
    kind: Kind,
    record: fn(&FieldClient, &Subjects, &CentreCode) -> Result<DocumentId, Error>,
    withdraw: fn(&FieldClient, DocumentId) -> Result<(), Error>,
    state: fn(&FieldClient, DocumentId) -> Result<SyncState, Error>,
    may_withdraw: fn(&FieldClient, DocumentId) -> bool,
}

fn calls() -> Vec<Calls> {
    fn add<C: Sample>(all: &mut Vec<Calls>) {
        all.push(Calls {
            kind: Kind::of::<Simple<C>>(),
            record: |client, subjects, centre| Ok(C::valid(subjects).recorded_by(client, centre)?.record_id),
            withdraw: |client, record| {
                let basis = client.simple_record::<C>(record)?.basis;
                client.step_simple::<C>(basis, SimpleStep::Withdrawn, Some(&reason("mistake"))).map(|_view| ())
            },
            state: |client, record| Ok(client.simple_record::<C>(record)?.sync),
            may_withdraw: |client, record| {
                let view = client.simple_record::<C>(record);
                view.is_ok_and(|it| it.state == SimpleState::Open && it.actions.contains(&ActionCode::Withdraw))
            },
        });
    }
    let mut all = Vec::new();
    for_each_simple_kind!(add(&mut all));
    all
}

/// The sync state that a phone shows of a simple record.
pub(super) fn state_of(client: &FieldClient, kind: Kind, record: DocumentId) -> Result<SyncState, Error> {
    let calls = calls().into_iter().find(|calls| calls.kind == kind).expect("a simple kind");
    (calls.state)(client, record)
}

/// Records a sample of a kind about a delivery on a load.
pub(super) fn records_another(world: &mut World, who: usize) {
    let (Some(delivery), Some(load)) = (any_delivery(world), any_load_here(world, who)) else { return };
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let Some(farmer) = view.farmer_id else { return };
    let mut all = calls();
    let Calls { kind, record, .. } = all.swap_remove(world.rng.random_range(0..all.len()));
    let (subjects, centre) = (Subjects { delivery, load, farmer }, world.centre(who));
    let result = record(world.phones[who].client(), &subjects, &centre);
    if let CallOutcome::Done(record) = world.observe(who, &format!("records a {kind}"), result) {
        world.expect_durable(who, FactKind::Made { record, kind, farmer }, |_| Ok(()));
    }
}

/// Withdraws a simple record that this phone shows as open.
pub(super) fn withdraws(world: &mut World, who: usize) {
    let made = world.facts.iter().filter_map(|fact| match fact.what {
        FactKind::Made { record, kind, farmer } => Some((record, kind, farmer)),
        _ => None,
    });
    let mut made: Vec<(DocumentId, Kind, FarmerId)> = made.collect();
    made.retain(|(record, kind, _)| {
        calls().iter().any(|it| it.kind == *kind && (it.may_withdraw)(world.phones[who].client(), *record))
    });
    let Some((record, kind, farmer)) = world.picks(&made) else { return };
    let calls = calls().into_iter().find(|it| it.kind == kind).expect("a simple kind");
    world.expect_durable(who, FactKind::Withdrawn { record, kind, farmer }, |client| (calls.withdraw)(client, record));
}
