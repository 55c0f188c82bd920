//! A library's interface as text, one line an item, for reviewers and for a test that compares it.
//!
//! Names are Rust's; documentation is left out. Items are sorted by name, except fields and variants, whose order is part of the interface.
//! A flat error has no variants here, because only its text crosses.

use std::collections::BTreeSet;

use anyhow::Result;
use uniffi_bindgen::interface::{
    AsType, Callable, ComponentInterface, Constructor, DefaultValue, Field, Literal, Method, Type, UniffiTraitMethods,
};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, GlobalConfig};

use crate::dart::text_errors;

/// Returns the interfaces of all crates of a library.
pub(crate) fn describe(source: &str) -> Result<String> {
    let mut paths = BindgenPaths::default();
    paths.add_cargo_metadata_layer(false)?;
    let loader = BindgenLoader::new(paths, GlobalConfig::default());
    let metadata = loader.load_metadata(source.as_ref())?;
    let mut flat_errors = text_errors(&metadata);
    let mut crates = loader.load_cis(metadata)?;
    crates.sort_by(|a, b| a.crate_name().cmp(b.crate_name()));
    let texts = crates.iter().map(|ci| describe_crate(ci, &flat_errors.remove(ci.crate_name()).unwrap_or_default()));
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

fn describe_crate(ci: &ComponentInterface, flat_errors: &BTreeSet<String>) -> String {
    let mut items = Vec::new();
    for it in ci.function_definitions() {
        items.push(vec![callable("function", it.name(), it)]);
    }
    for object in ci.object_definitions() {
        let what = match (object.is_trait_interface(), object.has_callback_interface()) {
            (true, true) => "trait of both sides",
            (true, false) => "trait",
            (false, _) => "object",
        };
        let traits = object.trait_impls().into_iter().map(|it| name_of(&it.trait_ty));
        let head = head(what, object.name(), &object.uniffi_trait_methods(), traits);
        items.push([head].into_iter().chain(callables(object.constructors(), object.methods())).collect());
    }
    for interface in ci.callback_interface_definitions() {
        let head = format!("callback interface {}", interface.name());
        items.push([head].into_iter().chain(callables([], interface.methods())).collect());
    }
    for record in ci.record_definitions() {
        let head = head("record", record.name(), &record.uniffi_trait_methods(), []);
        let fields = record.fields().iter().map(|it| format!("  {}", field(it)));
        items.push([head].into_iter().chain(fields).chain(callables([], record.methods())).collect());
    }
    for it in ci.enum_definitions() {
        let what = match (ci.is_name_used_as_error(it.name()), flat_errors.contains(it.name())) {
            (_, true) => "flat error",
            (true, false) => "error",
            (false, false) => "enum",
        };
        let head = head(what, it.name(), &it.uniffi_trait_methods(), []);
        let variants = it.variants().iter().map(|variant| match variant.fields() {
            [] => format!("  {}", variant.name()),
            fields => {
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("  {}({})", variant.name(), fields.join(", "))
            }
        });
        items.push([head].into_iter().chain(variants).chain(callables([], it.methods())).collect());
    }
    items.sort();
    let items = items.into_iter().map(|lines| lines.join("\n") + "\n").collect::<Vec<_>>().join("\n");
    format!("namespace {}\n\n{items}", ci.namespace())
}

/// Returns an item's first line: its kind, name and the traits that the other language gets.
fn head(what: &str, name: &str, traits: &UniffiTraitMethods, more: impl IntoIterator<Item = String>) -> String {
    let UniffiTraitMethods { debug_fmt, display_fmt, eq_eq, eq_ne: _, hash_hash, ord_cmp } = traits;
    let own = [("Debug", debug_fmt), ("Display", display_fmt), ("Eq", eq_eq), ("Hash", hash_hash), ("Ord", ord_cmp)];
    let own = own.into_iter().filter(|(_, method)| method.is_some()).map(|(name, _)| name.to_owned());
    let all: BTreeSet<String> = own.chain(more).collect();
    let traits = Vec::from_iter(all).join(", ");
    if traits.is_empty() { format!("{what} {name}") } else { format!("{what} {name}: {traits}") }
}

/// Returns the lines of constructors and methods, in source order.
fn callables<'a>(
    constructors: impl IntoIterator<Item = &'a Constructor>,
    methods: impl IntoIterator<Item = &'a Method>,
) -> BTreeSet<String> {
    let constructors = constructors.into_iter().map(|it| callable("  constructor", it.name(), it));
    constructors.chain(methods.into_iter().map(|it| callable("  method", it.name(), it))).collect()
}

fn callable(what: &str, name: &str, it: &impl Callable) -> String {
    let is_async = if it.is_async() { "async " } else { "" };
    let arguments = it.arguments().into_iter().map(|argument| {
        format!("{}: {}{}", argument.name(), name_of(&argument.as_type()), default(argument.default_value()))
    });
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    let result = it.return_type().map_or_else(String::new, |ty| format!(" -> {}", name_of(ty)));
    let throws = it.throws_type().map_or_else(String::new, |ty| format!(" throws {}", name_of(ty)));
    format!("{what} {is_async}{name}({arguments}){result}{throws}")
}

fn field(it: &Field) -> String {
    format!("{}: {}{}", it.name(), name_of(&it.as_type()), default(it.default_value()))
}

fn default(value: Option<&DefaultValue>) -> String {
    match value {
        None => String::new(),
        Some(DefaultValue::Default) => " = default".into(),
        Some(DefaultValue::Literal(literal)) => format!(" = {}", literal_of(literal)),
    }
}

fn literal_of(literal: &Literal) -> String {
    match literal {
        Literal::Boolean(value) => value.to_string(),
        Literal::String(value) => format!("{value:?}"),
        Literal::UInt(value, ..) => value.to_string(),
        Literal::Int(value, ..) => value.to_string(),
        Literal::Float(value, _) | Literal::Enum(value, _) => value.clone(),
        Literal::EmptySequence => "[]".into(),
        Literal::EmptyMap | Literal::EmptySet => "{}".into(),
        Literal::None => "none".into(),
        Literal::Some { inner } => default(Some(inner)).trim_start_matches(" = ").to_owned(),
    }
}

fn name_of(ty: &Type) -> String {
    match ty {
        Type::UInt8 => "u8".into(),
        Type::Int8 => "i8".into(),
        Type::UInt16 => "u16".into(),
        Type::Int16 => "i16".into(),
        Type::UInt32 => "u32".into(),
        Type::Int32 => "i32".into(),
        Type::UInt64 => "u64".into(),
        Type::Int64 => "i64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Boolean => "bool".into(),
        Type::String => "text".into(),
        Type::Bytes => "bytes".into(),
        Type::Timestamp => "timestamp".into(),
        Type::Duration => "duration".into(),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. } => name.clone(),
        Type::Box { inner_type } => name_of(inner_type),
        Type::Optional { inner_type } => format!("{}?", name_of(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", name_of(inner_type)),
        Type::Set { inner_type } => format!("set of {}", name_of(inner_type)),
        Type::Map { key_type, value_type } => format!("map of {} to {}", name_of(key_type), name_of(value_type)),
        Type::Custom { name, builtin, .. } => format!("{name}<{}>", name_of(builtin)),
    }
}

#[cfg(test)]
mod tests {
    use uniffi_meta::{Metadata, MetadataGroup, MethodMetadata, NamespaceMetadata, ObjectTraitImplMetadata};

    use super::*;

    const UDL: &str = r#"
        namespace sample { [Throws=Flat] void check(); [Throws=Rich] void look(); };
        [Traits=(Display, Debug, Eq, Hash, Ord)] interface Box { constructor(u32 size); u32 count(); };
        [Traits=(Display)] dictionary Pair { u32 right; u32 left = 2; };
        [Enum, Traits=(Eq)] interface Form { Round(u32 radius); Empty(); };
        [Error] enum Flat { "Missing" };
        [Error] interface Rich { Missing(string name); };
        [Trait] interface Named { };
        callback interface Watcher { void changed(string what); };
    "#;

    const TEXT: &str = "\
namespace sample

callback interface Watcher
  method changed(what: text)

enum Form: Eq
  Round(radius: u32)
  Empty
  method shorter() -> u32

error Rich
  Missing(name: text)

flat error Flat
  Missing

function check() throws Flat

function look() throws Rich

object Box: Debug, Display, Eq, Hash, Named, Ord
  constructor new(size: u32) -> Box
  method count() -> u32

record Pair: Display
  right: u32
  left: u32 = 2
  method longer() -> u32

trait Named
";

    fn method(of: &str, name: &str) -> Metadata {
        Metadata::Method(MethodMetadata {
            module_path: "sample".into(),
            self_name: of.into(),
            name: name.into(),
            orig_name: None,
            is_async: false,
            inputs: Vec::new(),
            return_type: Some(Type::UInt32),
            throws: None,
            takes_self_by_arc: false,
            checksum: None,
            docstring: None,
        })
    }

    #[test]
    fn everything_that_crosses_is_shown() {
        let mut ci = ComponentInterface::from_webidl(UDL, "sample").unwrap();
        let object = |name: &str| ci.get_object_definition(name).unwrap().as_type();
        let named = Metadata::ObjectTraitImpl(ObjectTraitImplMetadata { ty: object("Box"), trait_ty: object("Named") });
        let namespace = NamespaceMetadata { crate_name: "sample".into(), name: "sample".into() };
        let items = [method("Pair", "longer"), method("Form", "shorter"), named].into();
        ci.add_metadata(MetadataGroup { namespace, namespace_docstring: None, items }).unwrap();
        assert_eq!(describe_crate(&ci, &BTreeSet::from(["Flat".into()])), TEXT);
    }
}
