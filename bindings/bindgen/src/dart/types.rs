//! Types: the Dart type of a UniFFI type, and the expressions that convert values.
//!
//! Single numbers, booleans and handles cross as they are, a single string as its bytes, everything else in a buffer. The functions named
//! here are in `runtime.dart`, or next to each class.

use uniffi_bindgen::interface::{Enum, FfiType, ObjectImpl, Type};

use super::Module;
use super::config::CustomType;
use super::names;

/// Returns the types of a C function's argument or result, in `dart:ffi` and in Dart.
pub(super) fn native(ffi_type: &FfiType) -> (&'static str, &'static str) {
    match ffi_type {
        FfiType::UInt8 => ("_ffi.Uint8", "int"),
        FfiType::Int8 => ("_ffi.Int8", "int"),
        FfiType::UInt16 => ("_ffi.Uint16", "int"),
        FfiType::Int16 => ("_ffi.Int16", "int"),
        FfiType::UInt32 => ("_ffi.Uint32", "int"),
        FfiType::Int32 => ("_ffi.Int32", "int"),
        FfiType::Int64 => ("_ffi.Int64", "int"),
        FfiType::UInt64 | FfiType::Handle => ("_ffi.Uint64", "int"),
        FfiType::Float32 => ("_ffi.Float", "double"),
        FfiType::Float64 => ("_ffi.Double", "double"),
        FfiType::RustBuffer(_) => ("_RustBuffer", "_RustBuffer"),
        FfiType::ForeignBytes => ("_ForeignBytes", "_ForeignBytes"),
        FfiType::RustCallStatus => ("_RustCallStatus", "_RustCallStatus"),
        FfiType::Callback(_)
        | FfiType::Struct(_)
        | FfiType::Reference(_)
        | FfiType::MutReference(_)
        | FfiType::VoidPointer => ("_ffi.Pointer<_ffi.Void>", "_ffi.Pointer<_ffi.Void>"),
    }
}

/// Returns the suffix of the functions for a built-in type, as in `_readU8` and `_writeU8`.
fn builtin(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::UInt8 => "U8",
        Type::Int8 => "I8",
        Type::UInt16 => "U16",
        Type::Int16 => "I16",
        Type::UInt32 => "U32",
        Type::Int32 => "I32",
        Type::UInt64 => "U64",
        Type::Int64 => "I64",
        Type::Float32 => "F32",
        Type::Float64 => "F64",
        Type::Boolean => "Bool",
        Type::String => "String",
        Type::Bytes => "Bytes",
        Type::Timestamp => "Timestamp",
        Type::Duration => "Duration",
        _ => return None,
    })
}

impl Module<'_> {
    pub(super) fn class(&self, name: &str) -> String {
        if self.ci.is_name_used_as_error(name) { names::exception(name) } else { names::class(name) }
    }

    pub(super) fn variant_class(&self, it: &Enum, variant: &str) -> String {
        let is_error = self.ci.is_name_used_as_error(it.name());
        let prefix = if is_error { names::stem(it.name()) } else { self.class(it.name()) };
        names::variant(&prefix, variant)
    }

    pub(super) fn dart_type(&self, ty: &Type) -> String {
        match ty {
            Type::UInt8
            | Type::Int8
            | Type::UInt16
            | Type::Int16
            | Type::UInt32
            | Type::Int32
            | Type::UInt64
            | Type::Int64 => "int".into(),
            Type::Float32 | Type::Float64 => "double".into(),
            Type::Boolean => "bool".into(),
            Type::String => "String".into(),
            Type::Bytes => "Uint8List".into(),
            Type::Timestamp => "DateTime".into(),
            Type::Duration => "Duration".into(),
            Type::Optional { inner_type } => format!("{}?", self.dart_type(inner_type)),
            Type::Sequence { inner_type } => format!("List<{}>", self.dart_type(inner_type)),
            Type::Set { inner_type } => format!("Set<{}>", self.dart_type(inner_type)),
            Type::Map { key_type, value_type } => {
                format!("Map<{}, {}>", self.dart_type(key_type), self.dart_type(value_type))
            }
            Type::Box { inner_type } => self.dart_type(inner_type),
            Type::Custom { name, .. } => {
                self.config.custom_types.get(name).map_or_else(|| names::class(name), |custom| custom.type_name.clone())
            }
            Type::Object { name, .. }
            | Type::Record { name, .. }
            | Type::Enum { name, .. }
            | Type::CallbackInterface { name, .. } => self.class(name),
        }
    }

    pub(super) fn result_type(&self, ty: Option<&Type>) -> String {
        ty.map_or_else(|| "void".into(), |ty| self.dart_type(ty))
    }

    /// Returns the expression that converts a custom value to its built-in type.
    fn custom_lower(&self, name: &str, value: &str) -> String {
        if self.config.custom_types.contains_key(name) {
            format!("_lower${}({value})", names::upper(name))
        } else {
            format!("{value}.value")
        }
    }

    /// Returns the expression that converts a built-in value to the custom type.
    pub(super) fn custom_lift(&self, name: &str, value: &str) -> String {
        if self.config.custom_types.contains_key(name) {
            format!("_lift${}({value})", names::upper(name))
        } else {
            format!("{}({value})", names::class(name))
        }
    }

    /// Returns the expression that converts a Dart value to an argument of a C function.
    pub(super) fn lower(&self, ty: &Type, value: &str) -> String {
        match ty {
            Type::Int64 | Type::Float32 | Type::Float64 => value.into(),
            Type::UInt8 | Type::Int8 | Type::UInt16 | Type::Int16 | Type::UInt32 | Type::Int32 | Type::UInt64 => {
                format!("_{}({value})", builtin(ty).unwrap_or_default().to_lowercase())
            }
            Type::Boolean => format!("({value} ? 1 : 0)"),
            Type::String => format!("_lowerString({value})"),
            Type::Object { name, .. } | Type::CallbackInterface { name, .. } => {
                format!("_lower${}({value})", self.class(name))
            }
            Type::Box { inner_type } => self.lower(inner_type, value),
            Type::Custom { name, builtin, .. } => self.lower(builtin, &self.custom_lower(name, value)),
            _ => format!("_lower({value}, {})", self.writer(ty)),
        }
    }

    /// Returns the expression that converts a C function's result to a Dart value.
    pub(super) fn lift(&self, ty: &Type, value: &str) -> String {
        match ty {
            Type::UInt64 => format!("_u64({value})"),
            Type::UInt8
            | Type::Int8
            | Type::UInt16
            | Type::Int16
            | Type::UInt32
            | Type::Int32
            | Type::Int64
            | Type::Float32
            | Type::Float64 => value.into(),
            Type::Boolean => format!("{value} != 0"),
            Type::String => format!("_liftString({value})"),
            Type::Object { name, .. } | Type::CallbackInterface { name, .. } => {
                format!("_lift${}({value})", self.class(name))
            }
            Type::Box { inner_type } => self.lift(inner_type, value),
            Type::Custom { name, builtin, .. } => self.custom_lift(name, &self.lift(builtin, value)),
            _ => format!("_lift({value}, {})", self.reader(ty)),
        }
    }

    /// Returns the function that reads a value from a buffer.
    pub(super) fn reader(&self, ty: &Type) -> String {
        match ty {
            Type::Object { name, .. } | Type::CallbackInterface { name, .. } => {
                format!("(_Reader r) => _lift${}(_readI64(r))", self.class(name))
            }
            Type::Record { name, .. } | Type::Enum { name, .. } => format!("_read${}", self.class(name)),
            Type::Box { inner_type } => self.reader(inner_type),
            _ if builtin(ty).is_some() => format!("_read{}", builtin(ty).unwrap_or_default()),
            _ => format!("(_Reader r) => {}", self.read(ty)),
        }
    }

    /// Returns the expression that reads a value from the buffer `r`.
    pub(super) fn read(&self, ty: &Type) -> String {
        match ty {
            Type::Optional { inner_type } => format!("_readOptional(r, {})", self.reader(inner_type)),
            Type::Sequence { inner_type } => format!("_readList(r, {})", self.reader(inner_type)),
            Type::Set { inner_type } => format!("_readSet(r, {})", self.reader(inner_type)),
            Type::Map { key_type, value_type } => {
                format!("_readMap(r, {}, {})", self.reader(key_type), self.reader(value_type))
            }
            Type::Custom { name, builtin, .. } => self.custom_lift(name, &self.read(builtin)),
            Type::Box { inner_type } => self.read(inner_type),
            Type::Object { name, .. } | Type::CallbackInterface { name, .. } => {
                format!("_lift${}(_readI64(r))", self.class(name))
            }
            _ => format!("{}(r)", self.reader(ty)),
        }
    }

    /// Returns the function that writes a value into a buffer.
    pub(super) fn writer(&self, ty: &Type) -> String {
        match ty {
            Type::Record { name, .. } | Type::Enum { name, .. } => format!("_write${}", self.class(name)),
            Type::Box { inner_type } => self.writer(inner_type),
            _ if builtin(ty).is_some() => format!("_write{}", builtin(ty).unwrap_or_default()),
            _ => format!("(_Writer w, {} v) => {}", self.dart_type(ty), self.write(ty, "v")),
        }
    }

    /// Returns the expression that writes a value into the buffer `w`.
    pub(super) fn write(&self, ty: &Type, value: &str) -> String {
        match ty {
            Type::Optional { inner_type } => format!("_writeOptional(w, {value}, {})", self.writer(inner_type)),
            Type::Sequence { inner_type } | Type::Set { inner_type } => {
                format!("_writeAll(w, {value}, {})", self.writer(inner_type))
            }
            Type::Map { key_type, value_type } => {
                format!("_writeMap(w, {value}, {}, {})", self.writer(key_type), self.writer(value_type))
            }
            Type::Custom { name, builtin, .. } => self.write(builtin, &self.custom_lower(name, value)),
            Type::Box { inner_type } => self.write(inner_type, value),
            Type::Object { name, .. } | Type::CallbackInterface { name, .. } => {
                format!("_writeI64(w, _lower${}({value}))", self.class(name))
            }
            _ => format!("{}(w, {value})", self.writer(ty)),
        }
    }

    /// Returns the functions of a configured custom type. They have a parameter, because an expression may name its value more than once.
    pub(super) fn custom_functions(&self, name: &str, builtin: &Type, custom: &CustomType) -> String {
        let (CustomType { type_name, lift, lower, .. }, builtin) = (custom, self.dart_type(builtin));
        let (name, lift, lower) = (names::upper(name), lift.replace("{}", "value"), lower.replace("{}", "value"));
        format!(
            "\n{type_name} _lift${name}({builtin} value) => {lift};\n\n{builtin} _lower${name}({type_name} value) => {lower};\n"
        )
    }

    /// Returns the extension type of a custom type without configuration, which costs nothing at run time.
    pub(super) fn custom_class(&self, name: &str, builtin: &Type, docstring: Option<&str>) -> String {
        let docs = names::docs(docstring, "");
        format!("\n{docs}extension type const {}({} value) {{}}\n", names::class(name), self.dart_type(builtin))
    }
}

/// Returns whether Dart code may implement the type.
pub(super) fn is_foreign(ty: &Type) -> bool {
    match ty {
        Type::CallbackInterface { .. } => true,
        Type::Object { imp, .. } => imp.has_callback_interface(),
        _ => false,
    }
}

/// Returns whether Rust code may implement the trait.
pub(super) fn has_rust(imp: ObjectImpl) -> bool {
    !matches!(imp, ObjectImpl::Trait(kind) if !kind.has_rust())
}
