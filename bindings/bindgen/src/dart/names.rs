//! Names of Rust items in Dart.
//!
//! Owns the case conventions, the escape of words that Dart or the generated code needs (a trailing `_`), and the names of errors:
//! `FieldError` is `FieldException`, its variant `Stale` is `FieldStale`. Does not own collisions: `refusals.rs` finds them.

use heck::{ToLowerCamelCase, ToUpperCamelCase};

/// Words that cannot name a value everywhere, and the types, functions and annotations that generated code needs. Other words of Dart, such
/// as `sync` and `required`, are allowed.
const RESERVED_WORDS: &str = "as assert await bool break case catch class const continue default do double dynamic else enum extends false \
    final finally for identical if in int is new null num override pragma rethrow return super switch this throw true \
    try var void when while with yield";

/// Members that every Dart object, or every generated one, has.
const RESERVED_MEMBERS: &str = "compareTo dispose hashCode noSuchMethod runtimeType toString";

/// Members that every Dart enum has.
const RESERVED_IN_ENUMS: &str = "index values";

/// Types that generated code uses by these names.
const RESERVED_TYPES: &str = "ArgumentError BigInt ByteData CallCancelled CancelToken Comparable Completer DateTime Duration Exception \
    Finalizer Function Future Iterable LibraryException List Map MapEntry Object RangeError RustPanic Set \
    StateError String Uint8List";

fn escaped(name: String, reserved: &[&str]) -> String {
    if reserved.iter().any(|words| words.split(' ').any(|word| word == name)) { name + "_" } else { name }
}

/// Returns whether Dart accepts it as a name. Rust also allows letters of other scripts, and digits after an underscore that is dropped
/// here.
pub(super) fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word) && name.starts_with(|c: char| !c.is_ascii_digit())
}

pub(super) fn value(name: &str) -> String {
    escaped(name.to_lower_camel_case(), &[RESERVED_WORDS])
}

/// Returns the name of a method or field of a class.
pub(super) fn member(name: &str) -> String {
    escaped(name.to_lower_camel_case(), &[RESERVED_WORDS, RESERVED_MEMBERS])
}

pub(super) fn enum_member(name: &str) -> String {
    escaped(name.to_lower_camel_case(), &[RESERVED_WORDS, RESERVED_MEMBERS, RESERVED_IN_ENUMS])
}

pub(super) fn class(name: &str) -> String {
    escaped(upper(name), &[RESERVED_TYPES])
}

pub(super) fn exception(name: &str) -> String {
    let (name, stem) = (upper(name), stem(name));
    escaped(if stem == name { name } else { stem + "Exception" }, &[RESERVED_TYPES])
}

/// Returns the prefix of the classes of an error's variants.
pub(super) fn stem(error: &str) -> String {
    let name = upper(error);
    name.strip_suffix("Error").filter(|stem| !stem.is_empty()).unwrap_or(&name).to_owned()
}

/// Returns the name of a variant's field, made from its index if it has none.
pub(super) fn field(name: &str, index: usize) -> String {
    if name.is_empty() { format!("v{}", index + 1) } else { member(name) }
}

pub(super) fn variant(prefix: &str, variant: &str) -> String {
    escaped(prefix.to_owned() + &upper(variant), &[RESERVED_TYPES])
}

/// Returns a part of a name within the generated code.
pub(super) fn upper(name: &str) -> String {
    name.to_upper_camel_case()
}

/// Returns documentation, each line at `indent`.
pub(super) fn docs(text: Option<&str>, indent: &str) -> String {
    text.into_iter()
        .flat_map(str::lines)
        .map(|line| format!("{indent}/// {}", line.trim_end()).trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_dart() {
        for (rust, dart) in [
            ("shut_down", "shutDown"),
            ("class", "class_"),
            ("in_", "in_"),
            ("gross_g", "grossG"),
            ("dispose", "dispose"),
            ("sync", "sync"),
        ] {
            assert_eq!(value(rust), dart);
        }
        assert_eq!(value("override"), "override_");
        assert_eq!(member("hash_code"), "hashCode_");
        assert_eq!(enum_member("Index"), "index_");
        assert_eq!(class("Duration"), "Duration_");
        assert_eq!(exception("FieldError"), "FieldException");
        assert_eq!(exception("Error"), "Error");
        assert_eq!(exception("Failure"), "Failure");
        assert_eq!([stem("FieldError"), stem("Error"), stem("Failure")], ["Field", "Error", "Failure"]);
        assert_eq!(variant("Date", "time"), "DateTime_");
    }
}
