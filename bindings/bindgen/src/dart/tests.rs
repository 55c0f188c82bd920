//! What is refused, line by line of the support table, and what a small interface becomes.

use std::collections::BTreeSet;
use std::path::Path;

use uniffi_bindgen::interface::{ComponentInterface, DefaultValue, Literal, Type};
use uniffi_meta::{EnumMetadata, EnumShape, Metadata, NamespaceMetadata, create_metadata_groups, group_metadata};

use super::config::Config;
use super::{Module, text_errors};

/// What is generated for an interface definition, or all refusals.
fn dart(udl: &str) -> String {
    let mut ci = ComponentInterface::from_webidl(udl, "sample").unwrap();
    ci.derive_ffi_funcs().unwrap();
    // In an interface definition, an error written as an enum is a flat one.
    let text_errors: BTreeSet<String> = ci
        .enum_definitions()
        .iter()
        .filter(|it| udl.contains(&format!("[Error]\nenum {}", it.name())))
        .map(|it| it.name().into())
        .collect();
    let module = Module { ci: &ci, config: Config::default(), text_errors, library: None };
    module.render().unwrap_or_else(|error| error.to_string())
}

/// The one refusal of an interface.
fn refusal(udl: &str) -> String {
    let text = dart(udl);
    let (head, refusals) = text.split_once('\n').unwrap();
    assert_eq!(head, "Dart cannot be generated for sample:", "{udl}");
    assert_eq!(refusals.lines().count(), 1, "{refusals}");
    refusals.trim().to_owned()
}

#[test]
fn what_dart_cannot_do_is_refused_by_name_and_reason() {
    let flat = "cannot be turned back into one";
    for (udl, item, reason) in [
        (
            "namespace sample {}; [Trait, WithForeign] interface Source { u32 next(); };",
            "Source.next",
            "Dart cannot answer a thread of Rust at once",
        ),
        (
            "namespace sample {}; callback interface Source { string next(); };",
            "Source.next",
            "Dart cannot answer a thread",
        ),
        (
            "namespace sample {}; [Error] interface E { A(u32 x); }; callback interface Source { [Throws=E] void note(); };",
            "Source.note",
            "so it cannot throw",
        ),
        (
            "namespace sample {}; dictionary Pair { Source? left; }; [Trait, WithForeign] interface Source { void note(sequence<Pair> all); };",
            "Source.note, argument all",
            "cannot be cloned on a thread of Rust",
        ),
        (
            "namespace sample {}; [Error]\nenum Flat { \"A\" }; [Trait, WithForeign] interface Source { [Async, Throws=Flat] void note(); };",
            "Source.note",
            flat,
        ),
        (
            "namespace sample { void f(Flat error); [Throws=Flat] void g(); }; [Error]\nenum Flat { \"A\" };",
            "f, argument error",
            flat,
        ),
        (
            "namespace sample {}; interface Box { [Async] constructor(); };",
            "Box",
            "a constructor `new` cannot be asynchronous",
        ),
        (
            "namespace sample { [Throws=Problem] void f(); }; interface Problem { u32 code(); };",
            "f",
            "only an enum can be thrown",
        ),
        ("namespace sample { [Async] void f([ByRef] bytes data); };", "f, argument data", "cannot outlive the call"),
        (
            "namespace sample { void f(Maybe? it); }; [Custom] typedef u32? Maybe;",
            "f, argument it",
            "an optional in an optional",
        ),
        (
            "namespace sample { void f(record<Key, u32> it); }; [Custom] typedef bytes Key;",
            "f, argument it",
            "by identity",
        ),
        (
            "namespace sample { void f(Other it); }; [External=\"other\"] typedef dictionary Other;",
            "Other",
            "comes from another crate",
        ),
        ("namespace sample { void do_it(); void doIt(); };", "do_it", "is called `doIt` in Dart, as is `doIt`"),
        ("namespace sample { void f(u32 a_b, u32 aB); };", "f, argument aB", "is called `aB` in Dart, as is `a_b`"),
        (
            "namespace sample { [Async] void f(u32 cancel_token); };",
            "f, argument cancel_token",
            "the token that cancels",
        ),
        ("namespace sample {}; dictionary Pair { u32 a_b; u32 aB; };", "Pair.aB", "as is `a_b`"),
        ("namespace sample {}; callback interface Source { void a_b(); void aB(); };", "Source.aB", "as is `a_b`"),
        ("namespace sample {}; enum Kind { \"a_b\", \"AB\", \"aB\" };", "Kind.aB", "as is `a_b`"),
        (
            "namespace sample {}; [Enum] interface Form { Round(u32 a); }; dictionary FormRound { u32 a; };",
            "Round",
            "is called `FormRound` in Dart, as is `FormRound`",
        ),
        (
            "namespace sample { [Throws=FieldError] void f(); }; [Error] interface FieldError { Stale(); }; dictionary FieldStale { u32 a; };",
            "Stale",
            "is called `FieldStale` in Dart, as is `FieldStale`",
        ),
        (
            "namespace sample { [Throws=FieldError] void f(); }; [Error] interface FieldError { Exception(); };",
            "Exception",
            "is called `FieldException` in Dart, as is `FieldError`",
        ),
        ("namespace sample { void f(u32 _1); };", "f, argument 1", "would be called `1`, which Dart cannot read"),
        ("namespace sample {}; dictionary Size { u32 _2d; };", "Size.2d", "would be called `2d`"),
        (
            "namespace sample {}; dictionary SampleLibrary { u32 a; };",
            "SampleLibrary",
            "the class that loads the library",
        ),
    ] {
        let found = refusal(udl);
        assert!(found.starts_with(&format!("{item}: ")) && found.contains(reason), "{udl}\n{found}");
    }
}

#[test]
fn a_default_that_dart_cannot_write_is_refused() {
    for (udl, reason) in [
        ("namespace sample { void f(optional u64 it = 18446744073709551615); };", "does not fit into a Dart int"),
        (
            "namespace sample { void f(optional Form it = \"Round\"); }; [Enum] interface Form { Round(u32 a); };",
            "the variant has fields",
        ),
    ] {
        let found = refusal(udl);
        assert!(found.starts_with("f, argument it: ") && found.contains(reason), "{udl}\n{found}");
    }
    // An interface definition cannot say this one.
    let ci = ComponentInterface::from_webidl("namespace sample {};", "sample").unwrap();
    let module = Module { ci: &ci, config: Config::default(), text_errors: BTreeSet::new(), library: None };
    let some = DefaultValue::Literal(Literal::Some { inner: Box::new(DefaultValue::Default) });
    let optional = Type::Optional { inner_type: Box::new(Type::Bytes) };
    assert_eq!(module.default(&some, &optional).refusal, Some("an optional can only have a constant default"));
}

#[test]
fn a_flat_error_is_one_of_its_own_crate_only() {
    let crates = ["flat", "rich"].map(|name| NamespaceMetadata { crate_name: name.into(), name: name.into() });
    let error = |module_path: &str, flat| {
        Metadata::Enum(EnumMetadata {
            module_path: module_path.into(),
            name: "Error".into(),
            orig_name: None,
            shape: EnumShape::Error { flat },
            remote: false,
            variants: Vec::new(),
            discr_type: None,
            non_exhaustive: false,
            docstring: None,
        })
    };
    let items: Vec<Metadata> = crates.into_iter().map(Metadata::Namespace).collect();
    let mut metadata = create_metadata_groups(&items);
    group_metadata(&mut metadata, vec![error("flat::errors", true), error("rich", false)]).unwrap();
    let found = text_errors(&metadata);
    assert_eq!((found["flat"].len(), found["rich"].len()), (1, 0));
}

#[test]
fn all_refusals_come_at_once() {
    let text = dart("namespace sample {}; callback interface Source { u32 a(); u32 b(); };");
    assert!(text.contains("Source.a") && text.contains("Source.b"), "{text}");
}

/// A change of the generated code must be looked at and accepted: `ACCEPT=1 cargo test -p farmtally-bindgen`.
#[test]
fn a_small_interface_becomes_the_accepted_dart() {
    let text = dart(include_str!("sample/sample.udl"));
    let (generated, _) = text.split_once("// --- what every generated library needs").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dart/sample/sample.dart");
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == generated, "see git diff after ACCEPT=1");
}

#[test]
fn the_same_interface_gives_the_same_file() {
    let udl = include_str!("sample/sample.udl");
    assert!(dart(udl) == dart(udl));
}
