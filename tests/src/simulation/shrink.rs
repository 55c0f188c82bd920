//! The smallest part of a schedule that fails for the same reason.
//!
//! A step draws from a seed of its own, so the others stay what they are when one is left out.

use std::collections::BTreeSet;

use super::{Failure, MAX_STEPS};

/// Leaves out as many steps as it can while `run` fails with the same reason as it does with all of them; `None` if it does not fail then.
///
/// `run` gets the numbers of the steps to leave out.
pub fn shrink<T>(run: impl Fn(&BTreeSet<usize>) -> Result<T, Box<Failure>>) -> Option<Box<Failure>> {
    let mut smallest = run(&BTreeSet::new()).err()?;
    let mut size = MAX_STEPS / 2;
    while size > 0 {
        let kept: Vec<usize> = (1..=MAX_STEPS).filter(|step| !smallest.without.contains(step)).collect();
        let mut is_smaller = false;
        // The last steps first: without what comes after the failure the rest runs faster.
        for chunk in kept.rchunks(size) {
            let without = smallest.without.iter().chain(chunk).copied().collect();
            if let Some(failure) = run(&without).err().filter(|failure| failure.cause() == smallest.cause()) {
                smallest = failure;
                is_smaller = true;
            }
        }
        if !is_smaller || size > 1 {
            size /= 2;
        }
    }
    Some(smallest)
}
