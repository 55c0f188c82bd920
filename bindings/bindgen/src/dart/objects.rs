//! Objects: a Dart class has a handle that it frees once, and every call takes a clone of it.
//!
//! A trait that only Rust implements is such a class too; one that Dart may implement is in `traits.rs`.

use uniffi_bindgen::interface::{Object, UniffiTraitMethods};

use super::Module;
use super::names;

/// The object as its C functions take it.
pub(super) const RECEIVER: &str = "_handle.clone()";

impl Module<'_> {
    pub(super) fn object(&self, object: &Object) -> String {
        if object.has_callback_interface() {
            return self.foreign_trait(object);
        }
        let class = self.class(object.name());
        let traits = object.uniffi_trait_methods();
        let comparable =
            if traits.ord_cmp.is_some() { format!(" implements Comparable<{class}>") } else { String::new() };
        let mut text = format!(
            "\n{}@pragma('vm:isolate-unsendable')\nfinal class {class}{comparable} {{\n{}",
            names::docs(object.docstring(), ""),
            self.handle_members(&class, object),
        );
        for constructor in object.constructors() {
            let name = names::member(constructor.name());
            text += &if constructor.is_primary_constructor() {
                self.factory(&class, constructor)
            } else if constructor.is_async() {
                self.function_as("static ", &name, constructor, None, "  ")
            } else {
                self.factory(&format!("{class}.{name}"), constructor)
            };
        }
        for method in object.methods() {
            text += &self.function(&names::member(method.name()), method, Some(RECEIVER), "  ");
        }
        text += &self.trait_members(&class, &traits);
        text += &format!(
            "}}\n\nint _lower${class}({class} v) => v._handle.clone();\n\n{class} _lift${class}(int handle) => {class}._(handle);\n"
        );
        text
    }

    /// Returns the members that hold, create and free the handle.
    pub(super) fn handle_members(&self, class: &str, object: &Object) -> String {
        format!(
            "  {class}._(int handle) {{
    _handle = _Handle(this, '{}', handle, _{}, _{});
  }}

  late final _Handle _handle;

  /// Frees the Rust object now instead of some time after this one is unreachable. Later calls throw a [StateError].
  void dispose() => _handle.dispose();\n",
            self.class(object.name()),
            object.ffi_object_clone().name(),
            object.ffi_object_free().name(),
        )
    }

    /// Returns the Dart members for Rust's own traits.
    fn trait_members(&self, class: &str, traits: &UniffiTraitMethods) -> String {
        let other = ["other".to_owned()];
        let mut text = String::new();
        if let Some(method) = traits.display_fmt.as_ref().or(traits.debug_fmt.as_ref()) {
            let call = self.call(method, Some(RECEIVER), &[], "");
            text += &format!(
                "\n  @override\n  String toString() => _handle.isDisposed ? '{class}, disposed of' : {call};\n"
            );
        }
        if let Some(method) = &traits.eq_eq {
            let call = self.call(method, Some(RECEIVER), &other, "");
            text += &format!(
                "\n  @override\n  bool operator ==(Object other) => identical(this, other) || other is {class} && {call};\n"
            );
        }
        if let Some(method) = &traits.hash_hash {
            let call = self.call(method, Some(RECEIVER), &[], "");
            text += &format!("\n  @override\n  int get hashCode => {};\n", call.replacen("_u64", "", 1));
        } else if traits.eq_eq.is_some() {
            text += "\n  // Equal objects must have equal hashes, and Rust offers none.\n  @override\n  int get hashCode => 0;\n";
        }
        if let Some(method) = &traits.ord_cmp {
            let call = self.call(method, Some(RECEIVER), &other, "");
            text += &format!("\n  @override\n  int compareTo({class} other) => {call};\n");
        }
        text
    }
}
