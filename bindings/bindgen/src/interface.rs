//! The interface of a library as text, a line an item: what a reviewer reads, and what a test compares.
//!
//! Owns the form of that text. Names are Rust's; documentation is left out; the order is that of the items' names, but for fields and variants,
//! whose order crosses the border and so belongs to the interface.

use anyhow::Result;
use uniffi_bindgen::interface::{AsType, Callable, ComponentInterface, DefaultValue, Field, Literal, Type};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, GlobalConfig};

/// The interfaces of a library's crates.
pub(crate) fn describe(source: &str) -> Result<String> {
    let mut paths = BindgenPaths::default();
    paths.add_cargo_metadata_layer(false)?;
    let loader = BindgenLoader::new(paths, GlobalConfig::default());
    let mut crates = loader.load_cis(loader.load_metadata(source.as_ref())?)?;
    crates.sort_by(|a, b| a.crate_name().cmp(b.crate_name()));
    Ok(crates.iter().map(describe_crate).collect::<Vec<_>>().join("\n"))
}

fn describe_crate(ci: &ComponentInterface) -> String {
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
        let constructors = object.constructors().into_iter().map(|it| callable("  constructor", it.name(), it));
        let methods = object.methods().into_iter().map(|it| callable("  method", it.name(), it));
        let mut lines: Vec<String> = constructors.chain(methods).collect();
        lines.sort();
        lines.insert(0, format!("{what} {}", object.name()));
        items.push(lines);
    }
    for interface in ci.callback_interface_definitions() {
        let mut lines: Vec<String> =
            interface.methods().into_iter().map(|it| callable("  method", it.name(), it)).collect();
        lines.sort();
        lines.insert(0, format!("callback interface {}", interface.name()));
        items.push(lines);
    }
    for record in ci.record_definitions() {
        let fields = record.fields().iter().map(|it| format!("  {}", field(it)));
        items.push([format!("record {}", record.name())].into_iter().chain(fields).collect());
    }
    for it in ci.enum_definitions() {
        let what = if ci.is_name_used_as_error(it.name()) { "error" } else { "enum" };
        let variants = it.variants().iter().map(|variant| match variant.fields() {
            [] => format!("  {}", variant.name()),
            fields => {
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("  {}({})", variant.name(), fields.join(", "))
            }
        });
        items.push([format!("{what} {}", it.name())].into_iter().chain(variants).collect());
    }
    items.sort();
    let items = items.into_iter().map(|lines| lines.join("\n") + "\n").collect::<Vec<_>>().join("\n");
    format!("namespace {}\n\n{items}", ci.namespace())
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
