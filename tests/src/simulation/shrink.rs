//! Reduces a failing schedule to few steps that fail for the same reason.
//!
//! Each step has its own seed, so leaving one out does not change the others.

use std::collections::BTreeSet;

use super::{Failure, MAX_STEPS};

/// Leaves out as many steps as it can while `run` still fails for the same reason. Returns `None` if the whole schedule does not fail.
///
/// `run` gets the numbers of the steps to leave out.
pub fn shrink<T>(run: impl Fn(&BTreeSet<usize>) -> Result<T, Box<Failure>>) -> Option<Box<Failure>> {
    let mut smallest = run(&BTreeSet::new()).err()?;
    let mut size = MAX_STEPS / 2;
    while size > 0 {
        let kept: Vec<usize> = (1..=MAX_STEPS).filter(|step| !smallest.without.contains(step)).collect();
        let mut is_smaller = false;
        // Last steps first: without the steps after the failure, every other run is faster.
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
