//! Work that reaches the server through others: as a file, as QR codes on a screen, on a USB stick.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::world::{CallOutcome, World};

/// A colleague's phone takes over what a phone exports, from a file or from its screen.
pub(super) fn hands_over(world: &mut World, who: usize) {
    let unwiped = world.unwiped();
    let Some(carrier) = world.picks(&unwiped).filter(|carrier| *carrier != who) else { return };
    if world.once_in(2) {
        return shows(world, who, carrier);
    }
    let Some((file, is_whole)) = exports(world, who) else { return };
    let text = format!("takes a file of phone {who}");
    let result = world.phones[carrier].client().carry_parcel(file.as_slice());
    match result {
        Err(error) if !is_whole => world.log(Some(carrier), &format!("{text}: {error}")),
        result => {
            if let CallOutcome::Done(()) = world.observe(carrier, &text, result) {
                world.counts("met: a file that was taken");
            }
        }
    }
}

/// The office imports a USB stick.
pub(super) fn hands_to_office(world: &mut World, who: usize) {
    let Some((file, is_whole)) = exports(world, who) else { return };
    for result in world.server.handle().import(Some(world.server.organisation), file.as_slice()) {
        match result {
            Ok(imported) => world.log(None, &format!("the office reads a stick of phone {who}: {imported}")),
            Err(error) => {
                let is_troubled = world.server.machine.is_dead() || world.server.machine.is_full();
                assert!(is_troubled || !is_whole, "the office could not read a stick of phone {who}: {error}");
                world.log(None, &format!("the office reads a stick of phone {who}: {error}"));
            }
        }
    }
}

/// Exports a phone's work as a file, sometimes truncated or with a bit flipped. Returns it, and whether it is intact; `None` if refused.
fn exports(world: &mut World, who: usize) -> Option<(Vec<u8>, bool)> {
    let result = world.phones[who].client().export_parcel();
    let CallOutcome::Done(mut file) = world.observe(who, "exports a file", result) else { return None };
    let outcome = world.rng.random_range(0..8);
    match outcome {
        0 => file.truncate(world.rng.random_range(0..file.len())),
        1 => {
            let byte = world.rng.random_range(0..file.len());
            file[byte] ^= 1 << world.rng.random_range(0..8);
        }
        _ => {}
    }
    Some((file, outcome > 1))
}

/// One phone shows its QR frames repeatedly, in any order; the other's camera misses some and misreads some.
fn shows(world: &mut World, who: usize, carrier: usize) {
    let result = world.phones[who].client().parcel_qr_frames();
    let CallOutcome::Done(mut frames) = world.observe(who, "shows codes", result) else { return };
    for _ in 0..6 {
        frames.shuffle(&mut world.rng);
        for frame in &frames {
            let mut seen = frame.clone();
            match world.rng.random_range(0..8) {
                0 | 1 => continue,
                2 => {
                    let byte = world.rng.random_range(0..seen.len());
                    seen[byte] ^= 1 << world.rng.random_range(0..8);
                }
                _ => {}
            }
            let result = world.phones[carrier].client().add_qr_frame(&seen);
            match world.observe(carrier, &format!("reads a code of phone {who}"), result) {
                CallOutcome::Done(progress) if progress.missing.is_empty() => {
                    return world.counts("met: a series of codes that was read to its end");
                }
                CallOutcome::Done(_) | CallOutcome::Refused(_) => {}
                CallOutcome::Died => return,
            }
        }
    }
}
