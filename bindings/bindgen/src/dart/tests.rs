//! Tests of each refusal in the support table, and of the code for a small interface.

use std::collections::BTreeSet;
use std::path::Path;

use uniffi_bindgen::interface::{ComponentInterface, DefaultValue, Literal, Type};
use uniffi_meta::{
    EnumMetadata, EnumShape, FnMetadata, FnParamMetadata, Metadata, MetadataGroup, NamespaceMetadata,
    create_metadata_groups, group_metadata,
};

use super::config::{Config, CustomType};
use super::{Module, text_errors};

/// Returns the Dart code of an interface definition, or all refusals.
fn dart(udl: &str) -> String {
    dart_with(udl, Vec::new())
}

/// Returns the Dart code of an interface definition with items that UDL cannot express.
fn dart_with(udl: &str, items: Vec<Metadata>) -> String {
    let mut ci = ComponentInterface::from_webidl(udl, "sample").unwrap();
    let namespace = NamespaceMetadata { crate_name: "sample".into(), name: "sample".into() };
    let items = items.into_iter().collect();
    ci.add_metadata(MetadataGroup { namespace, namespace_docstring: None, items }).unwrap();
    ci.derive_ffi_funcs().unwrap();
    // In UDL, an error written as an enum is a flat one.
    let text_errors: BTreeSet<String> = ci
        .enum_definitions()
        .iter()
        .filter(|it| udl.contains(&format!("[Error]\nenum {}", it.name())))
        .map(|it| it.name().into())
        .collect();
    let module = Module { ci: &ci, config: Config::default(), text_errors, library: None };
    module.render().unwrap_or_else(|error| error.to_string())
}

/// Returns the only refusal of an interface.
fn refusal(udl: &str) -> String {
    refusal_with(udl, Vec::new())
}

fn refusal_with(udl: &str, items: Vec<Metadata>) -> String {
    let text = dart_with(udl, items);
    let (head, refusals) = text.split_once('\n').unwrap();
    assert_eq!(head, "Dart cannot be generated for sample:", "{udl}");
    assert_eq!(refusals.lines().count(), 1, "{refusals}");
    refusals.trim().to_owned()
}

fn function(name: &str, ty: Type) -> FnMetadata {
    FnMetadata {
        module_path: "sample".into(),
        name: name.into(),
        orig_name: None,
        is_async: false,
        inputs: vec![FnParamMetadata::simple("it", ty)],
        return_type: None,
        throws: None,
        checksum: None,
        docstring: None,
    }
}

fn optional(ty: Type) -> Type {
    Type::Optional { inner_type: Box::new(ty) }
}

fn set(ty: Type) -> Type {
    Type::Set { inner_type: Box::new(ty) }
}

fn custom(name: &str, ty: Type) -> Type {
    Type::Custom { module_path: "sample".into(), name: name.into(), builtin: Box::new(ty) }
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
            "namespace sample {}; callback interface Source { void note([ByRef] bytes data); };",
            "Source.note, argument data",
            "after Rust has gone on",
        ),
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
fn what_an_interface_definition_cannot_say_is_refused_too() {
    let is_refused = |item: FnMetadata, path: &str, reason: &str| {
        let found = refusal_with("namespace sample {};", vec![Metadata::Func(item)]);
        assert!(found.starts_with(&format!("{path}: ")) && found.contains(reason), "{found}");
    };
    is_refused(function("f", optional(optional(Type::UInt32))), "f, argument it", "an optional in an optional");
    let list = Type::Sequence { inner_type: Box::new(Type::UInt32) };
    let map = |key| Type::Map { key_type: Box::new(key), value_type: Box::new(Type::UInt32) };
    for key in [Type::Bytes, list, map(Type::UInt32), set(Type::UInt32), optional(Type::Bytes)] {
        is_refused(function("f", set(key.clone())), "f, argument it", "by identity");
        is_refused(function("f", map(key)), "f, argument it", "by identity");
    }
    let kind = Type::Enum { module_path: "sample".into(), name: "Kind".into() };
    let throws = FnMetadata { throws: Some(custom("Problem", kind)), ..function("f", Type::UInt32) };
    is_refused(throws, "f", "only an enum can be thrown");
    is_refused(function("größe", Type::UInt32), "größe", "which Dart cannot read");
}

#[test]
fn an_optional_can_be_a_key_if_what_is_in_it_can() {
    let text = dart_with("namespace sample {};", vec![Metadata::Func(function("f", set(optional(Type::UInt32))))]);
    assert!(text.contains("void f(Set<int?> it)"), "{text}");
}

#[test]
fn an_optional_is_refused_around_what_is_nullable_in_dart() {
    let ci = ComponentInterface::from_webidl("namespace sample {};", "sample").unwrap();
    let text = "[bindings.dart.custom_types.NAME]\ntype_name = 'TYPE'\nlift = 'toLimit({})'\nlower = '{}.number'\n";
    let configured = [("Nullable", "Limit? "), ("Anything", "dynamic"), ("Whole", "Limit")];
    let config = configured.map(|(name, ty)| text.replace("NAME", name).replace("TYPE", ty)).concat();
    let config = Config::parse(&toml::from_str(&config).unwrap()).unwrap();
    let module = Module { ci: &ci, config, text_errors: BTreeSet::new(), library: None };
    let number = || optional(Type::UInt32);
    let list = |ty| Type::Sequence { inner_type: Box::new(ty) };
    let map = |ty| Type::Map { key_type: Box::new(Type::String), value_type: Box::new(ty) };
    let boxed = |ty| Type::Box { inner_type: Box::new(ty) };
    let nullable = || custom("Nullable", Type::UInt32);
    for refused in [
        optional(nullable()),
        optional(boxed(nullable())),
        optional(custom("Outer", nullable())),
        list(optional(nullable())),
        map(optional(nullable())),
        optional(list(optional(nullable()))),
        optional(custom("Anything", Type::UInt32)),
        optional(custom("Maybe", number())),
        optional(number()),
    ] {
        assert_eq!(
            module.refusal_of(&refused),
            Some("Dart cannot tell an optional in an optional from none"),
            "{refused:?}"
        );
    }
    for (allowed, dart_type) in [
        (nullable(), "Limit?"),
        (list(nullable()), "List<Limit?>"),
        (map(nullable()), "Map<String, Limit?>"),
        (optional(list(nullable())), "List<Limit?>?"),
        (optional(custom("Whole", number())), "Limit?"),
        (optional(list(optional(custom("Whole", number())))), "List<Limit?>?"),
    ] {
        assert_eq!((module.refusal_of(&allowed), module.dart_type(&allowed).as_str()), (None, dart_type));
    }
}

#[test]
fn none_is_a_default_of_optionals_and_of_custom_types_over_them() {
    let ci = ComponentInterface::from_webidl("namespace sample {};", "sample").unwrap();
    let configured = |type_name: &str| CustomType {
        type_name: type_name.into(),
        lift: "Limit({})".into(),
        lower: "{}.number".into(),
        imports: Vec::new(),
    };
    let custom_types = [("Configured", "Limit"), ("Nullable", "Limit?")];
    let custom_types = custom_types.map(|(name, type_name)| (name.to_owned(), configured(type_name)));
    let config = Config { cdylib_name: None, custom_types: custom_types.into() };
    let module = Module { ci: &ci, config, text_errors: BTreeSet::new(), library: None };
    let number = optional(Type::UInt32);
    for (ty, expected) in [
        (number.clone(), Ok("int? it")),
        (custom("Maybe", number.clone()), Ok("Maybe it = const Maybe(null)")),
        (custom("Outer", custom("Maybe", number.clone())), Ok("Outer it = const Outer(const Maybe(null))")),
        (custom("Configured", number.clone()), Ok("Limit? it")),
        (custom("Nullable", number), Err("null stands for it, and is a value of the configured type")),
        (custom("Tag", Type::String), Err("the type is not optional")),
        (Type::UInt32, Err("the type is not optional")),
    ] {
        let default = module.default(&DefaultValue::Literal(Literal::None), &ty);
        let parameter = default.parameter(&module.dart_type(&ty), "it");
        assert_eq!(default.refusal.map_or(Ok(parameter.as_str()), Err), expected);
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
    // UDL cannot express these.
    let udl = "namespace sample {}; dictionary Pair { u32 left; };";
    let ci = ComponentInterface::from_webidl(udl, "sample").unwrap();
    let module = Module { ci: &ci, config: Config::default(), text_errors: BTreeSet::new(), library: None };
    let some = DefaultValue::Literal(Literal::Some { inner: Box::new(DefaultValue::Default) });
    let infinite = DefaultValue::Literal(Literal::Float("inf".into(), Type::Float64));
    let pair = Type::Record { module_path: "sample".into(), name: "Pair".into() };
    for (default, ty, reason) in [
        (some, optional(Type::Bytes), "an optional can only have a constant default"),
        (infinite, Type::Float64, "Dart has no literal for the number"),
        (DefaultValue::Default, pair, "the record has fields without a default"),
        (DefaultValue::Default, Type::Timestamp, "Dart has no default for the type"),
    ] {
        assert_eq!(module.default(&default, &ty).refusal, Some(reason));
    }
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
