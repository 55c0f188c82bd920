//! Values: records, and enums flat and rich, thrown or not.
//!
//! Records and variants are immutable, have named parameters, and are equal if their contents are. Variants of a rich enum are made through
//! it, `Shape.circle(radius: 1.5)`. Errors are caught by their own classes; the class of all of them has the fields that every variant has.

use uniffi_bindgen::interface::{AsType, DefaultValue, Enum, Field, Record, Type, Variant};

use super::Module;
use super::names;

/// A field of a Dart class.
struct Member<'a> {
    name: String,
    ty: Type,
    default: Option<&'a DefaultValue>,
    docs: Option<&'a str>,
}

fn members(fields: &[Field]) -> Vec<Member<'_>> {
    fields
        .iter()
        .enumerate()
        .map(|(index, field)| Member {
            name: names::field(field.name(), index),
            ty: field.as_type(),
            default: field.default_value(),
            docs: field.docstring(),
        })
        .collect()
}

impl Module<'_> {
    /// Returns whether it becomes a Dart `enum` instead of a sealed class.
    pub(super) fn is_dart_enum(&self, it: &Enum) -> bool {
        !self.ci.is_name_used_as_error(it.name()) && it.variants().iter().all(|variant| !variant.has_fields())
    }

    /// Returns the body of a class with these fields: constructor, fields, and equality by content.
    fn fields(&self, class: &str, members: &[Member<'_>], has_to_string: bool) -> String {
        let mut parameters = Vec::new();
        let mut initialisers = Vec::new();
        let mut is_constant = true;
        for member in members {
            let Some(default) = member.default.map(|default| self.default(default, &member.ty)) else {
                parameters.push(format!("required this.{}", member.name));
                continue;
            };
            let (parameter, initialiser) = default.field(&self.dart_type(&member.ty), &member.name);
            is_constant &= default.is_constant();
            parameters.push(parameter);
            initialisers.extend(initialiser);
        }
        let parameters = if parameters.is_empty() { String::new() } else { format!("{{{}}}", parameters.join(", ")) };
        let initialisers =
            if initialisers.is_empty() { String::new() } else { format!(" : {}", initialisers.join(", ")) };
        let keyword = if is_constant { "const " } else { "" };
        let mut text = format!("  {keyword}{class}({parameters}){initialisers};\n");
        for member in members {
            text += &format!(
                "\n{}  final {} {};\n",
                names::docs(member.docs, "  "),
                self.dart_type(&member.ty),
                member.name
            );
        }
        let each = |form: &dyn Fn(&str) -> String, by: &str| {
            members.iter().map(|member| form(&member.name)).collect::<Vec<_>>().join(by)
        };
        let equal = each(&|name| format!(" && _equal(this.{name}, other.{name})"), "");
        let hashes = each(&|name| format!(", _hash({name})"), "");
        text += &format!(
            "\n  @override\n  bool operator ==(Object other) => identical(this, other) || other is {class}{equal};\n
  @override\n  int get hashCode => Object.hashAll([{class}{hashes}]);\n"
        );
        if !has_to_string {
            let shown = each(&|name| format!("{name}: ${name}"), ", ");
            text += &format!("\n  @override\n  String toString() => '{class}({shown})';\n");
        }
        text
    }

    pub(super) fn record(&self, record: &Record) -> String {
        let class = self.class(record.name());
        let members = members(record.fields());
        let traits = record.uniffi_trait_methods();
        let has_to_string = traits.display_fmt.is_some() || traits.debug_fmt.is_some();
        let writes: String =
            members.iter().map(|it| format!("  {};\n", self.write(&it.ty, &format!("v.{}", it.name)))).collect();
        format!(
            "\n{}final class {class} {{\n{}{}}}\n\n{class} _read${class}(_Reader r) => {};\n\nvoid _write${class}(_Writer w, {class} v) {{\n{writes}}}\n",
            names::docs(record.docstring(), ""),
            self.fields(&class, &members, has_to_string),
            self.value_members(&record.as_type(), record.methods(), names::member, &traits),
            self.construct(&class, &members),
        )
    }

    /// Returns the expression that reads an object of a class.
    fn construct(&self, class: &str, members: &[Member<'_>]) -> String {
        if members.is_empty() {
            return format!("const {class}()");
        }
        let arguments: Vec<String> =
            members.iter().map(|member| format!("{}: {}", member.name, self.read(&member.ty))).collect();
        format!("{class}({})", arguments.join(", "))
    }

    pub(super) fn enumeration(&self, it: &Enum) -> String {
        if self.is_dart_enum(it) { self.flat_enum(it) } else { self.sealed_class(it) }
    }

    fn flat_enum(&self, it: &Enum) -> String {
        let class = self.class(it.name());
        let values: Vec<String> = it
            .variants()
            .iter()
            .map(|variant| {
                format!("{}  {}", names::docs(variant.docstring(), "  "), names::enum_member(variant.name()))
            })
            .collect();
        let members = self.value_members(&it.as_type(), it.methods(), names::enum_member, &it.uniffi_trait_methods());
        let end = if members.is_empty() { ",\n".into() } else { format!(";\n{members}") };
        format!(
            "\n{}enum {class} {{\n{}{end}}}\n\n{class} _read${class}(_Reader r) => {class}.values[_readI32(r) - 1];\n
void _write${class}(_Writer w, {class} v) => _writeI32(w, v.index + 1);\n",
            names::docs(it.docstring(), ""),
            values.join(",\n"),
        )
    }

    fn sealed_class(&self, it: &Enum) -> String {
        let class = self.class(it.name());
        let is_error = self.ci.is_name_used_as_error(it.name());
        let is_text = self.text_errors.contains(it.name());
        let variants: Vec<(&Variant, Vec<Member<'_>>)> = it
            .variants()
            .iter()
            .map(|variant| (variant, if is_text { vec![text_member()] } else { members(variant.fields()) }))
            .collect();
        let traits = it.uniffi_trait_methods();
        let has_to_string = traits.display_fmt.is_some() || traits.debug_fmt.is_some();
        let mut base = if is_error { self.shared_getters(&variants) } else { String::new() };
        let mut classes = String::new();
        let mut reads = String::new();
        let mut writes = String::new();
        for (index, (variant, members)) in variants.iter().enumerate() {
            let variant_class = self.variant_class(it, variant.name());
            if !is_error {
                base += &self.variant_constructor(&class, &variant_class, variant, members);
            }
            classes += &format!(
                "\n{}final class {variant_class} extends {class} {{\n{}}}\n",
                names::docs(variant.docstring(), ""),
                self.fields(&variant_class, members, has_to_string),
            );
            let number = index + 1;
            reads += &format!("  {number} => {},\n", self.construct(&variant_class, members));
            writes += &format!("    case {variant_class}():\n      _writeI32(w, {number});\n");
            for member in members {
                writes += &format!("      {};\n", self.write(&member.ty, &format!("v.{}", member.name)));
            }
        }
        format!(
            "\n{}sealed class {class}{} {{\n  const {class}();\n{base}{}}}\n{classes}
{class} _read${class}(_Reader r) => switch (_readI32(r)) {{\n{reads}  final other => throw StateError('{class} has no variant $other'),\n}};
\nvoid _write${class}(_Writer w, {class} v) {{\n  switch (v) {{\n{writes}  }}\n}}\n",
            names::docs(it.docstring(), ""),
            if is_error { " implements Exception" } else { "" },
            self.value_members(&it.as_type(), it.methods(), names::member, &traits),
        )
    }

    /// Returns the getters of the fields that every variant of an error has.
    fn shared_getters(&self, variants: &[(&Variant, Vec<Member<'_>>)]) -> String {
        let Some(((_, first), others)) = variants.split_first() else { return String::new() };
        let is_shared = |member: &&Member<'_>| {
            let is_same = |other: &Member<'_>| other.name == member.name && other.ty == member.ty;
            others.iter().all(|(_, members)| members.iter().any(is_same))
        };
        let getter = |member: &Member<'_>| format!("\n  {} get {};\n", self.dart_type(&member.ty), member.name);
        first.iter().filter(is_shared).map(getter).collect()
    }

    /// Returns the constructor of a variant in its enum. Its defaults are those of the class that it redirects to.
    fn variant_constructor(
        &self,
        class: &str,
        variant_class: &str,
        variant: &Variant,
        members: &[Member<'_>],
    ) -> String {
        let mut parameters = Vec::new();
        let mut is_constant = true;
        for Member { name, ty, default, .. } in members {
            let dart_type = self.dart_type(ty);
            let Some(default) = default.map(|default| self.default(default, ty)) else {
                parameters.push(format!("required {dart_type} {name}"));
                continue;
            };
            is_constant &= default.is_constant();
            parameters.push(default.redirected(&dart_type, name));
        }
        let parameters = if parameters.is_empty() { String::new() } else { format!("{{{}}}", parameters.join(", ")) };
        format!(
            "\n{}  {}factory {class}.{}({parameters}) = {variant_class};\n",
            names::docs(variant.docstring(), "  "),
            if is_constant { "const " } else { "" },
            names::member(variant.name()),
        )
    }
}

/// Returns the only field of an error of which only the text crosses.
fn text_member() -> Member<'static> {
    Member { name: "message".into(), ty: Type::String, default: None, docs: None }
}
