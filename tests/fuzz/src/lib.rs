//! Setup that all targets share.

/// Ignores panics within Automerge. libFuzzer ends at every panic, caught or not; those of Automerge on hostile bytes are expected, and
/// core catches them (`records/change.rs`). One that is not caught still ends the run.
pub fn pass_over_caught_panics() {
    let end = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_expected = panic.location().is_some_and(|location| location.file().contains("automerge"));
        if !is_expected {
            end(panic);
        }
    }));
}
