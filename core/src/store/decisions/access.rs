//! Grants, suspensions and orders of devices, read from projected decisions.

use super::{latest, read, require};
use crate::decisions::{DecisionKind, DeviceOrder, Grant, Order, Revocation, Suspension};
use crate::permission::Role;
use crate::store::Error;
use crate::store::sql::{self, Reader, Row, values};
use crate::units::{DeviceId, GrantId, UserId};

/// Selects grants with their revocation and the suspension of their user, which may be lifted. The appended condition uses `?1`.
const GRANTS: &str = "SELECT grants.grant_id, grants.user_id, grants.device_id, grants.role, grants.centres,
     revocations.seq, suspensions.seq, suspensions.body
 FROM grants
     LEFT JOIN reference AS revocations ON revocations.kind = ?2 AND revocations.subject = grants.revocation_subject
     LEFT JOIN reference AS suspensions ON suspensions.kind = ?3 AND suspensions.subject = grants.suspension_subject";

struct GrantRow {
    grant: Grant,
    revocation_sequence: Option<u64>,
    /// The sequence number and bytes of the last decision that suspended the user or lifted the suspension.
    suspension: Option<(u64, Vec<u8>)>,
}

impl GrantRow {
    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        let grant = Grant {
            grant_id: row.get(0)?,
            user_id: row.get(1)?,
            device_id: row.get(2)?,
            role: row.get(3)?,
            centres: row.get(4)?,
        };
        let suspension = row.get::<Option<u64>>(6)?.zip(row.get::<Option<Vec<u8>>>(7)?);
        Ok(Self { grant, revocation_sequence: row.get(5)?, suspension })
    }

    fn all_of(db: &mut dyn Reader, device: DeviceId) -> Result<Vec<Self>, Error> {
        let params = values![device, Revocation::NUMBER, Suspension::NUMBER];
        Ok(db.query_all(&grants_query(), &params, Self::from_row)?)
    }

    fn end_sequence(&self) -> Result<Option<u64>, Error> {
        let suspension_sequence = match &self.suspension {
            Some((sequence, body)) => require::<Suspension>(&read(body)?)?.is_suspended.then_some(*sequence),
            None => None,
        };
        Ok([self.revocation_sequence, suspension_sequence].into_iter().flatten().min())
    }
}

fn grants_query() -> String {
    format!("{GRANTS} WHERE grants.device_id = ?1 ORDER BY grants.scope, grants.seq")
}

/// Returns the grants of a device that are neither revoked nor suspended, in the order of their log, newest last; also those of a lost
/// device. The time of a decision says nothing about its order: a server's clock may have been wrong.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn grants_of(db: &mut dyn Reader, device: DeviceId) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::new();
    for row in GrantRow::all_of(db, device)? {
        if row.end_sequence()?.is_none() {
            grants.push(row.grant);
        }
    }
    Ok(grants)
}

/// Returns the grants of a device that are not revoked, also those of suspended users, in the order of their log.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn unrevoked_grants_of(db: &mut dyn Reader, device: DeviceId) -> Result<Vec<Grant>, Error> {
    let rows = GrantRow::all_of(db, device)?.into_iter();
    Ok(rows.filter(|row| row.revocation_sequence.is_none()).map(|row| row.grant).collect())
}

fn grant_row(db: &mut dyn Reader, grant: GrantId) -> Result<Option<GrantRow>, Error> {
    let statement = format!("{GRANTS} WHERE grants.grant_id = ?1");
    Ok(db.query_one(&statement, &values![grant, Revocation::NUMBER, Suspension::NUMBER], GrantRow::from_row)?)
}

/// Returns a grant by its id, whether or not it is in force.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn grant(db: &mut dyn Reader, grant: GrantId) -> Result<Option<Grant>, Error> {
    Ok(grant_row(db, grant)?.map(|row| row.grant))
}

/// Returns the sequence number in the device's scope of a grant's revocation or suspension, the lower; `None` if in force or not stored.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn ended_at(db: &mut dyn Reader, grant: &Grant) -> Result<Option<u64>, Error> {
    grant_row(db, grant.grant_id)?.map_or(Ok(None), |row| row.end_sequence())
}

/// Returns each user with each device on which they ever had a grant, in force or ended.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn granted(db: &mut dyn Reader) -> Result<Vec<(UserId, DeviceId)>, Error> {
    let statement = "SELECT DISTINCT user_id, device_id FROM grants ORDER BY user_id, device_id";
    Ok(db.query_all(statement, &[], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Returns the roles that a user ever had, each once.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn roles_of(db: &mut dyn Reader, user: UserId) -> Result<Vec<Role>, Error> {
    let statement = "SELECT DISTINCT role FROM grants WHERE user_id = ?1 ORDER BY role";
    Ok(db.query_all(statement, &values![user], |row| row.get(0))?)
}

/// Returns the last order to a device, carried out or not; `None` if there was none or the last one is `resume`.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn order(db: &mut dyn Reader, device: DeviceId) -> Result<Option<DeviceOrder>, Error> {
    let order: Option<DeviceOrder> = latest(db, &device.to_string())?;
    Ok(order.filter(|order| order.order != Order::Resume))
}

const SUSPENSIONS: &str =
    "SELECT body FROM reference WHERE kind = ?1 AND subject >= ?2 AND subject < ?3 ORDER BY subject";

/// Returns the users who are suspended on a device, ordered by id.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn suspended_on(db: &mut dyn Reader, device: DeviceId) -> Result<Vec<UserId>, Error> {
    let first = Suspension::subjects_of(device);
    // Every character of an id sorts before the tilde.
    let beyond = format!("{first}~");
    let mut users = Vec::new();
    let params = values![Suspension::NUMBER, first, beyond];
    for body in db.query_all(SUSPENSIONS, &params, |row| row.get::<Vec<u8>>(0))? {
        let suspension: Suspension = require(&read(&body)?)?;
        if suspension.is_suspended {
            users.push(suspension.user_id);
        }
    }
    Ok(users)
}

/// The grants and the order of a device as of [`Self::load`]: what a phone keeps in memory about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceAccess {
    /// Grants in force, newest last.
    pub grants: Vec<Grant>,
    /// The last order; `None` if there is none, or it is to resume.
    pub order: Option<Order>,
}

impl DeviceAccess {
    /// Reads the grants and the order of a device.
    ///
    /// # Errors
    /// Errors of the database; [`Error::Corrupt`] for an unreadable row.
    pub fn load(db: &mut dyn Reader, device: DeviceId) -> Result<Self, Error> {
        let order = order(db, device)?.map(|order| order.order);
        Ok(Self { grants: grants_of(db, device)?, order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::{AppliedAt, DecidedBy, Decision};
    use crate::scope::Scope;
    use crate::store::decisions::project;
    use crate::store::sql::{Column, Dialect, RowVisitor};
    use crate::store::{PHONE, Store, seam};
    use crate::units::{Timestamp, Value};

    fn device(number: u8) -> DeviceId {
        DeviceId::from([number; 16])
    }

    fn decide<D: DecisionKind>(db: &mut dyn sql::Writer, device: DeviceId, sequence: u64, content: &D) {
        let (scope, by) = (Scope::Device(device), DecidedBy::server(Timestamp(7)));
        let decision = Decision::of(content, &scope, &by);
        let (envelope, content) = decision.read().expect("it reads");
        project(db, &AppliedAt { scope: &scope, sequence, envelope: &envelope }, &decision, &content)
            .expect("projected");
    }

    fn grant_on(number: u8) -> Grant {
        let centres = vec!["KOLAR".parse().expect("a code"), "MALUR".parse().expect("a code")];
        let (grant, user) = (GrantId::from([number; 16]), UserId::from([1; 16]));
        Grant { grant_id: grant, user_id: user, device_id: device(number), role: Role::Clerk, centres }
    }

    struct Counting<'a>(&'a mut dyn Reader, usize);

    impl Reader for Counting<'_> {
        fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), sql::Error> {
            let rows = &mut self.1;
            self.0.query(statement, params, &mut |row| {
                *rows += 1;
                visit(row)
            })
        }

        fn query_keys(
            &mut self,
            keys: &[Column<'_>],
            rows: &[Value<'_>],
            statement: &str,
            visit: RowVisitor<'_>,
        ) -> Result<(), sql::Error> {
            self.0.query_keys(keys, rows, statement, visit)
        }

        fn dialect(&self) -> Dialect {
            self.0.dialect()
        }
    }

    fn with_grants(f: impl FnOnce(&mut dyn sql::Writer)) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("field.db"), PHONE).expect("it opens");
        let run = store.write(|db| {
            let mut db = seam(db);
            for number in 0..200 {
                decide(&mut db, device(number), 1, &grant_on(number));
            }
            f(&mut db);
            Ok::<_, Error>(())
        });
        run.expect("written");
    }

    #[test]
    fn the_grants_of_a_device_are_read_without_those_of_others() {
        with_grants(|db| {
            let mut counting = Counting(db, 0);
            assert_eq!(grants_of(&mut counting, device(7)).expect("grants"), [grant_on(7)]);
            assert_eq!(counting.1, 1, "one query, one row");
        });
    }

    #[test]
    fn every_read_about_a_device_uses_an_index() {
        with_grants(|db| {
            for statement in [&grants_query(), SUSPENSIONS] {
                let explain = format!("EXPLAIN QUERY PLAN {statement}");
                let params = values![[7; 16], "a", "b"];
                let params = params.get(..statement.matches('?').count().min(3)).expect("parameters");
                let plan: Vec<String> = db.query_all(&explain, params, |row| row.get(3)).expect("a plan");
                let searches = plan.iter().filter(|step| step.starts_with("SEARCH"));
                assert!(searches.count() > 0, "{plan:?}");
                assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
            }
        });
    }

    #[test]
    fn a_grant_ends_by_its_revocation_or_while_its_user_is_suspended() {
        with_grants(|db| {
            let (device, user) = (device(7), UserId::from([1; 16]));
            let ended = |db: &mut dyn sql::Writer| ended_at(db, &grant_on(7)).expect("an answer");
            assert_eq!(ended(db), None);
            decide(db, device, 2, &Suspension { user_id: user, device_id: device, is_suspended: true });
            assert_eq!((ended(db), suspended_on(db, device).expect("users")), (Some(2), vec![user]));
            let grants = (grants_of(db, device).expect("grants"), unrevoked_grants_of(db, device).expect("grants"));
            assert_eq!(grants, (vec![], vec![grant_on(7)]));
            decide(db, device, 3, &Suspension { user_id: user, device_id: device, is_suspended: false });
            assert_eq!((ended(db), suspended_on(db, device).expect("users")), (None, vec![]));
            decide(db, device, 4, &Revocation { grant_id: GrantId::from([7; 16]) });
            decide(db, device, 5, &Suspension { user_id: user, device_id: device, is_suspended: true });
            assert_eq!((ended(db), grants_of(db, device).expect("grants")), (Some(4), vec![]));
            assert_eq!(unrevoked_grants_of(db, device).expect("grants"), []);
        });
    }
}
