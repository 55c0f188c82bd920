//! Refusals: items that cannot be generated, each with the reason. If there is one, nothing is written.
//!
//! A refusal is better than code that fails at run time, so each limit of the support table (see `README.md`) is checked here.

use std::collections::{BTreeMap, BTreeSet};

use uniffi_bindgen::interface::{AsType, Callable, Enum, Field, Method, Record, Type, Variant};

use super::Module;
use super::names;
use super::types::is_foreign;

#[derive(Default)]
struct Refusals(Vec<String>);

impl Refusals {
    fn add(&mut self, item: &str, reason: &str) {
        self.0.push(format!("{item}: {reason}"));
    }

    /// Checks that the names of a scope are valid in Dart and differ from each other.
    fn names<'a>(&mut self, scope: &str, names: impl IntoIterator<Item = (String, &'a str)>) {
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for (dart, rust) in names {
            if !names::is_identifier(&dart) {
                self.add(&format!("{scope}{rust}"), &format!("would be called `{dart}`, which Dart cannot read"));
            }
            if let Some(other) = taken.insert(dart.clone(), rust) {
                self.add(&format!("{scope}{rust}"), &format!("is called `{dart}` in Dart, as is `{other}`"));
            }
        }
    }
}

impl Module<'_> {
    pub(super) fn refusals(&self) -> Vec<String> {
        let mut refusals = Refusals::default();
        self.refuse_external(&mut refusals);
        self.refuse_names(&mut refusals);
        for (path, callable) in self.paths() {
            self.refuse_callable(&mut refusals, &path, callable);
        }
        for record in self.ci.record_definitions() {
            self.refuse_fields(&mut refusals, record.name(), record.fields());
        }
        for it in self.ci.enum_definitions() {
            for variant in it.variants() {
                self.refuse_fields(&mut refusals, &format!("{}.{}", it.name(), variant.name()), variant.fields());
            }
        }
        for object in self.ci.object_definitions() {
            if object.primary_constructor().is_some_and(Callable::is_async) {
                refusals.add(object.name(), "a constructor `new` cannot be asynchronous: give it another name");
            }
            if object.has_callback_interface() {
                self.refuse_foreign(&mut refusals, object.name(), &object.methods());
            }
        }
        for interface in self.ci.callback_interface_definitions() {
            self.refuse_foreign(&mut refusals, interface.name(), &interface.methods());
        }
        refusals.0.sort();
        refusals.0.dedup();
        refusals.0
    }

    /// Returns everything that Dart can call, with its path.
    fn paths(&self) -> Vec<(String, &dyn Callable)> {
        let mut paths: Vec<(String, &dyn Callable)> = Vec::new();
        for it in self.ci.function_definitions() {
            paths.push((it.name().into(), it));
        }
        for object in self.ci.object_definitions() {
            let path = |name: &str| format!("{}.{name}", object.name());
            paths.extend(object.constructors().into_iter().map(|it| (path(it.name()), it as &dyn Callable)));
            paths.extend(object.methods().into_iter().map(|it| (path(it.name()), it as &dyn Callable)));
        }
        for record in self.ci.record_definitions() {
            let path = |name: &str| format!("{}.{name}", record.name());
            paths.extend(record.methods().iter().map(|it| (path(it.name()), it as &dyn Callable)));
        }
        for it in self.ci.enum_definitions() {
            let path = |name: &str| format!("{}.{name}", it.name());
            paths.extend(it.methods().iter().map(|it| (path(it.name()), it as &dyn Callable)));
        }
        paths
    }

    fn refuse_external(&self, refusals: &mut Refusals) {
        for ty in self.ci.iter_external_types() {
            let name = ty.name().unwrap_or("a type");
            refusals.add(name, "comes from another crate, and each generated file stands alone");
        }
    }

    fn refuse_names(&self, refusals: &mut Refusals) {
        let ci = self.ci;
        let mut top: Vec<(String, &str)> = vec![(self.library_class(), "the class that loads the library")];
        top.extend(ci.function_definitions().iter().map(|it| (names::value(it.name()), it.name())));
        top.extend(ci.object_definitions().iter().map(|it| (self.class(it.name()), it.name())));
        top.extend(ci.callback_interface_definitions().iter().map(|it| (self.class(it.name()), it.name())));
        top.extend(ci.record_definitions().iter().map(|it| (self.class(it.name()), it.name())));
        let custom_types = self.custom_types().into_iter().map(|(name, _)| name);
        let plain = custom_types.filter(|name| !self.config.custom_types.contains_key(*name));
        top.extend(plain.map(|name| (names::class(name), name)));
        for it in ci.enum_definitions() {
            top.push((self.class(it.name()), it.name()));
            if self.is_dart_enum(it) {
                let values = it.variants().iter().map(|it| (names::enum_member(it.name()), it.name()));
                let methods = it.methods().iter().map(|it| (names::enum_member(it.name()), it.name()));
                refusals.names(&format!("{}.", it.name()), values.chain(methods));
            } else {
                let variants = it.variants().iter().map(Variant::name);
                top.extend(variants.map(|variant| (self.variant_class(it, variant), variant)));
            }
        }
        refusals.names("", top);
        for object in ci.object_definitions() {
            let constructors = object.constructors().into_iter().filter(|it| !it.is_primary_constructor());
            let constructors = constructors.map(|it| (names::member(it.name()), it.name()));
            let methods = object.methods().into_iter().map(|it| (names::member(it.name()), it.name()));
            refusals.names(&format!("{}.", object.name()), constructors.chain(methods));
        }
        for interface in ci.callback_interface_definitions() {
            let methods = interface.methods().into_iter().map(|it| (names::member(it.name()), it.name()));
            refusals.names(&format!("{}.", interface.name()), methods);
        }
        for record in ci.record_definitions() {
            let fields = record.fields().iter().enumerate();
            let fields = fields.map(|(index, it)| (names::field(it.name(), index), it.name()));
            let methods = record.methods().iter().map(|it| (names::member(it.name()), it.name()));
            refusals.names(&format!("{}.", record.name()), fields.chain(methods));
        }
        self.refuse_variant_names(refusals, ci.enum_definitions());
    }

    fn refuse_variant_names(&self, refusals: &mut Refusals, enums: &[Enum]) {
        for it in enums.iter().filter(|it| !self.is_dart_enum(it)) {
            let methods = || it.methods().iter().map(|method| (names::member(method.name()), method.name()));
            for variant in it.variants() {
                let fields = variant.fields().iter().enumerate();
                let fields = fields.map(|(index, field)| (names::field(field.name(), index), field.name()));
                refusals.names(&format!("{}.{}.", it.name(), variant.name()), fields.chain(methods()));
            }
        }
    }

    fn refuse_fields(&self, refusals: &mut Refusals, item: &str, fields: &[Field]) {
        for field in fields {
            let path = format!("{item}.{}", field.name());
            self.refuse_type(refusals, &path, &field.as_type());
            let default = field.default_value().map(|default| self.default(default, &field.as_type()));
            if let Some(reason) = default.and_then(|default| default.refusal) {
                refusals.add(&path, reason);
            }
        }
    }

    fn refuse_callable(&self, refusals: &mut Refusals, path: &str, callable: &dyn Callable) {
        let token = callable.is_async().then(|| ("cancelToken".to_owned(), "the token that cancels"));
        let arguments = callable.arguments();
        let argument_names = arguments.iter().map(|it| (names::value(it.name()), it.name()));
        refusals.names(&format!("{path}, argument "), token.into_iter().chain(argument_names));
        for argument in &arguments {
            let ty = argument.as_type();
            let item = format!("{path}, argument {}", argument.name());
            self.refuse_type(refusals, &item, &ty);
            if callable.is_async() && argument.is_borrowed_bytes() {
                refusals.add(&item, "borrowed bytes cannot outlive the call: take `Vec<u8>`");
            }
            if self.reaches(&ty, &|ty| self.is_text_error(ty)) {
                refusals.add(&item, "only the text of a flat error crosses, and cannot be turned back into one");
            }
            let default = argument.default_value().map(|default| self.default(default, &ty));
            if let Some(reason) = default.and_then(|default| default.refusal) {
                refusals.add(&item, reason);
            }
        }
        if let Some(ty) = callable.return_type() {
            self.refuse_type(refusals, &format!("{path}, result"), ty);
        }
        if callable.throws_type().is_some_and(|ty| !matches!(ty, Type::Enum { .. })) {
            refusals.add(path, "only an enum can be thrown");
        }
    }

    /// Refuses methods that Dart would have to answer synchronously on a thread of Rust.
    fn refuse_foreign(&self, refusals: &mut Refusals, item: &str, methods: &[&Method]) {
        for method in methods {
            let path = format!("{item}.{}", method.name());
            if !method.is_async() && method.return_type().is_some() {
                refusals.add(
                    &path,
                    "Dart cannot answer a thread of Rust at once: make the method async, or let it return nothing",
                );
            }
            if !method.is_async() && method.throws_type().is_some() {
                refusals.add(
                    &path,
                    "Rust does not wait for a method that returns nothing, so it cannot throw: make it async",
                );
            }
            if method.throws_type().is_some_and(|ty| self.is_text_error(ty)) {
                refusals.add(&path, "only the text of a flat error crosses, and cannot be turned back into one");
            }
            self.refuse_callable(refusals, &path, *method);
            for argument in method.arguments() {
                let item = format!("{path}, argument {}", argument.name());
                if argument.is_borrowed_bytes() {
                    refusals.add(&item, "Dart sees the bytes after Rust has gone on: pass `Vec<u8>`");
                }
                if self.reaches(&argument.as_type(), &is_foreign) {
                    refusals.add(&item, "a trait that Dart implements cannot be cloned on a thread of Rust");
                }
            }
        }
    }

    fn refuse_type(&self, refusals: &mut Refusals, item: &str, ty: &Type) {
        if let Some(reason) = self.refusal_of(ty) {
            refusals.add(item, reason);
        }
    }

    /// Returns why Dart cannot express a type.
    pub(super) fn refusal_of(&self, ty: &Type) -> Option<&'static str> {
        ty.iter_types().find_map(|ty| match ty {
            Type::Optional { inner_type } if self.is_nullable(inner_type) => {
                Some("Dart cannot tell an optional in an optional from none")
            }
            Type::Map { key_type: inner_type, .. } | Type::Set { inner_type }
                if is_compared_by_identity(inner_type) =>
            {
                Some("Dart compares lists, maps and sets by identity, so they cannot be keys or in a set")
            }
            _ => None,
        })
    }

    /// Returns whether null is a value of the type in Dart.
    fn is_nullable(&self, ty: &Type) -> bool {
        match ty {
            Type::Optional { .. } => true,
            Type::Box { inner_type } => self.is_nullable(inner_type),
            Type::Custom { name, builtin, .. } => match self.config.custom_types.get(name) {
                Some(custom) => custom.type_name.ends_with('?') || custom.type_name == "dynamic",
                None => self.is_nullable(builtin),
            },
            _ => false,
        }
    }

    fn is_text_error(&self, ty: &Type) -> bool {
        matches!(ty, Type::Enum { name, .. } if self.text_errors.contains(name))
    }

    /// Returns whether `wanted` holds for a type or for one that it contains at any depth.
    fn reaches(&self, ty: &Type, wanted: &dyn Fn(&Type) -> bool) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![ty.clone()];
        while let Some(ty) = open.pop() {
            if wanted(&ty) {
                return true;
            }
            if !seen.insert(ty.clone()) {
                continue;
            }
            match &ty {
                Type::Optional { inner_type }
                | Type::Sequence { inner_type }
                | Type::Set { inner_type }
                | Type::Box { inner_type } => open.push((**inner_type).clone()),
                Type::Map { key_type, value_type } => open.extend([(**key_type).clone(), (**value_type).clone()]),
                Type::Custom { builtin, .. } => open.push((**builtin).clone()),
                Type::Record { name, .. } => {
                    let record = self.ci.get_record_definition(name);
                    open.extend(record.into_iter().flat_map(Record::fields).map(AsType::as_type));
                }
                Type::Enum { name, .. } => {
                    let variants = self.ci.get_enum_definition(name).into_iter().flat_map(Enum::variants);
                    open.extend(variants.flat_map(Variant::fields).map(AsType::as_type));
                }
                _ => {}
            }
        }
        false
    }
}

/// Returns a type without custom types around it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Custom { builtin, .. } => bare(builtin),
        Type::Box { inner_type } => bare(inner_type),
        _ => ty,
    }
}

/// Returns whether two Dart values of the type differ although their contents are equal.
fn is_compared_by_identity(ty: &Type) -> bool {
    match bare(ty) {
        Type::Optional { inner_type } => is_compared_by_identity(inner_type),
        ty => matches!(ty, Type::Bytes | Type::Sequence { .. } | Type::Map { .. } | Type::Set { .. }),
    }
}
