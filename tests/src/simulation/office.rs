//! What the office does by command.

use farmtally_sync_server::Error;

use super::world::World;

impl World {
    /// Judges the end of a command: done, or the server died or has no room, or refused. Anything else is a defect.
    pub(super) fn hears_office<T>(&mut self, what: &str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(done) => {
                self.tells(None, &format!("the office {what}"));
                Some(done)
            }
            Err(error) => {
                let is_troubled = self.house.machine.is_dead() || self.house.machine.is_full();
                let is_refused = matches!(error, Error::Recovering | Error::Invalid { .. } | Error::NotFound { .. });
                assert!(is_troubled || is_refused, "the office could not do this: {what}: {error}");
                self.tells(None, &format!("the office {what}: {error}"));
                None
            }
        }
    }

    /// Whether the server has lost data and waits for phones to give it back.
    pub(super) fn is_recovering(&self) -> bool {
        let recovery = self.house.server().recovery(self.house.organisation).expect("a state");
        recovery.is_some_and(|recovery| recovery.ended_at.is_none())
    }

    /// Ends a recovery, if one lasts. Returns whether one did.
    pub(super) fn ends_recovery(&mut self) -> bool {
        if !self.is_recovering() {
            return false;
        }
        let result = self.house.server().end_recovery(self.house.organisation);
        self.hears_office("ends the recovery", result).is_some()
    }
}

/// The office ends a recovery, whoever is still away.
pub(super) fn recovery_ends(world: &mut World, _who: usize) {
    if world.ends_recovery() {
        world.counts("met: a recovery that the office ended");
    }
}
