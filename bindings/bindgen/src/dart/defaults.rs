//! Defaults of arguments and fields, as Dart expressions.

use uniffi_bindgen::interface::{AsType, DefaultValue, Literal, Radix, Type};

use super::Module;
use super::names;

/// A default. If it is not a constant, the body has it, and the parameter is nullable: null means the default.
pub(super) struct Default {
    expression: String,
    is_constant: bool,
    /// Why no default can be generated.
    pub(super) refusal: Option<&'static str>,
}

impl Default {
    fn constant(expression: impl Into<String>) -> Self {
        Self { expression: expression.into(), is_constant: true, refusal: None }
    }

    fn variable(expression: impl Into<String>) -> Self {
        Self { expression: expression.into(), is_constant: false, refusal: None }
    }

    fn refused(refusal: &'static str) -> Self {
        Self { expression: String::new(), is_constant: true, refusal: Some(refusal) }
    }

    /// Returns whether a `const` constructor can have it.
    pub(super) fn is_constant(&self) -> bool {
        self.is_constant
    }

    /// Returns a named parameter of a function.
    pub(super) fn parameter(&self, dart_type: &str, name: &str) -> String {
        match (self.is_constant, self.expression.as_str()) {
            (false, _) => format!("{dart_type}? {name}"),
            (true, "null") => format!("{dart_type} {name}"),
            (true, expression) => format!("{dart_type} {name} = {expression}"),
        }
    }

    /// Returns a named parameter of a constructor that redirects to another one, which has the default.
    pub(super) fn redirected(&self, dart_type: &str, name: &str) -> String {
        let optional = if self.is_constant { "" } else { "?" };
        format!("{dart_type}{optional} {name}")
    }

    /// Returns a named parameter of a constructor, and its initialiser if it needs one.
    pub(super) fn field(&self, dart_type: &str, name: &str) -> (String, Option<String>) {
        match (self.is_constant, self.expression.as_str()) {
            (false, expression) => (format!("{dart_type}? {name}"), Some(format!("{name} = {name} ?? {expression}"))),
            (true, "null") => (format!("this.{name}"), None),
            (true, expression) => (format!("this.{name} = {expression}"), None),
        }
    }

    /// Returns the expression that a body uses for the parameter.
    pub(super) fn value(&self, name: &str) -> String {
        if self.is_constant { name.into() } else { format!("({name} ?? {})", self.expression) }
    }
}

impl Module<'_> {
    /// Returns the default of an argument or field of this type.
    pub(super) fn default(&self, default: &DefaultValue, ty: &Type) -> Default {
        match (default, ty) {
            (_, Type::Box { inner_type }) => self.default(default, inner_type),
            (DefaultValue::Literal(Literal::None), Type::Optional { .. }) => Default::constant("null"),
            (DefaultValue::Literal(Literal::Some { inner }), Type::Optional { inner_type }) => {
                let inner = self.default(inner, inner_type);
                if inner.is_constant { inner } else { Default::refused("an optional can only have a constant default") }
            }
            (_, Type::Custom { name, builtin, .. }) => {
                let inner = self.default(default, builtin);
                if inner.refusal.is_some() {
                    return inner;
                }
                let is_constant = inner.is_constant && !self.config.custom_types.contains_key(name);
                let lifted = self.custom_lift(name, &inner.expression);
                if is_constant {
                    Default::constant(format!("const {lifted}"))
                } else if self.dart_type(ty).ends_with('?') {
                    Default::refused("null stands for it, and is a value of the configured type")
                } else {
                    Default::variable(lifted)
                }
            }
            (DefaultValue::Literal(literal), _) => self.literal(literal, ty),
            (DefaultValue::Default, _) => self.empty(ty),
        }
    }

    fn literal(&self, literal: &Literal, ty: &Type) -> Default {
        match literal {
            Literal::Boolean(value) => Default::constant(value.to_string()),
            Literal::String(text) => Default::constant(quoted(text)),
            Literal::UInt(value, ..) if i64::try_from(*value).is_err() => {
                Default::refused("the number does not fit into a Dart int")
            }
            Literal::UInt(value, Radix::Hexadecimal, _) => Default::constant(format!("{value:#x}")),
            Literal::UInt(value, ..) => Default::constant(value.to_string()),
            Literal::Int(value, ..) => Default::constant(value.to_string()),
            Literal::Float(text, _) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Default::constant(format!("{value:?}")),
                _ => Default::refused("Dart has no literal for the number"),
            },
            Literal::Enum(variant, _) => self.enum_literal(variant, ty),
            Literal::EmptySequence | Literal::EmptyMap | Literal::EmptySet => self.empty(ty),
            Literal::None | Literal::Some { .. } => Default::refused("the type is not optional"),
        }
    }

    fn enum_literal(&self, variant: &str, ty: &Type) -> Default {
        let Some(definition) = ty.name().and_then(|name| self.ci.get_enum_definition(name)) else {
            return Default::refused("the type is no enum");
        };
        if self.is_dart_enum(definition) {
            let class = self.class(definition.name());
            Default::constant(format!("{class}.{}", names::enum_member(variant)))
        } else if definition.variants().iter().any(|it| it.name() == variant && !it.has_fields()) {
            Default::constant(format!("const {}()", self.variant_class(definition, variant)))
        } else {
            Default::refused("the variant has fields")
        }
    }

    /// Returns the default of a type without a given value.
    fn empty(&self, ty: &Type) -> Default {
        match ty {
            Type::Boolean => Default::constant("false"),
            Type::String => Default::constant("''"),
            Type::Bytes => Default::variable("Uint8List(0)"),
            Type::Duration => Default::constant("Duration.zero"),
            Type::Optional { .. } => Default::constant("null"),
            Type::Sequence { .. } => Default::constant("const []"),
            Type::Map { .. } | Type::Set { .. } => Default::constant("const {}"),
            Type::Float32 | Type::Float64 => Default::constant("0.0"),
            Type::UInt8
            | Type::Int8
            | Type::UInt16
            | Type::Int16
            | Type::UInt32
            | Type::Int32
            | Type::UInt64
            | Type::Int64 => Default::constant("0"),
            Type::Record { name, .. } if self.has_only_defaults(name) => {
                Default::variable(format!("{}()", self.class(name)))
            }
            Type::Record { .. } => Default::refused("the record has fields without a default"),
            _ => Default::refused("Dart has no default for the type"),
        }
    }

    fn has_only_defaults(&self, record: &str) -> bool {
        self.ci.get_record_definition(record).is_some_and(|record| {
            record.fields().iter().all(|field| {
                field.default_value().is_some_and(|default| self.default(default, &field.as_type()).refusal.is_none())
            })
        })
    }
}

/// Returns a Dart string literal.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' | '$' => quoted.extend(['\\', letter]),
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            _ if letter.is_control() => quoted += &format!("\\u{{{:x}}}", u32::from(letter)),
            _ => quoted.push(letter),
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn text_is_quoted() {
        assert_eq!(quoted("it's $5 \\ \"so\"\n\0"), r#"'it\'s \$5 \\ "so"\n\u{0}'"#);
    }
}
