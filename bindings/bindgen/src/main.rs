//! The generator binary: writes the Kotlin, Swift and Python sides of the foreign interface.
//!
//! Owns: nothing but the pinned version of the generator, which must be the version that built `farmtally-ffi`.
//! Does not own: names, packages and type mappings (those are in `bindings/ffi/uniffi.toml`) nor the hand-written layers
//! beside the generated code.
//!
//! Invariant: it reads an *unstripped* library; a stripped one has lost the description of the interface. Run it through
//! `tests/run kotlin` or `tests/run python`, or by hand:
//!
//! ```text
//! cargo build -p farmtally-ffi -p farmtally-bindgen
//! target/debug/farmtally-bindgen generate target/debug/libfarmtally_ffi.so --language kotlin --out-dir bindings/kotlin/generated --no-format
//! ```
//!
//! Read next: `bindings/ffi/src/lib.rs`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
