//! Calls: lookups of the C functions, and the Dart functions and methods that call them.
//!
//! Required arguments are positional, those with a default are named, and an asynchronous call takes a `cancelToken`.

use std::collections::BTreeMap;

use uniffi_bindgen::interface::{
    Argument, AsType, Callable, FfiFunction, FfiType, Function, Method, Type, UniffiTraitMethods,
};

use super::Module;
use super::names;
use super::types::native;

/// Returns the suffix of the names for futures of a result type, as in `_futureU8`.
pub(super) fn future_name(result: Option<&FfiType>) -> String {
    let name = FfiType::return_type_name(result);
    if name == "rust_buffer" { "Buffer".into() } else { names::upper(&name) }
}

/// The parameters of a Dart function, and the expressions that its body uses for them.
pub(super) struct Parameters {
    required: Vec<String>,
    named: Vec<String>,
    values: Vec<String>,
}

impl Parameters {
    fn list(&self) -> String {
        let mut all = self.required.clone();
        if !self.named.is_empty() {
            all.push(format!("{{{}}}", self.named.join(", ")));
        }
        all.join(", ")
    }
}

impl Module<'_> {
    /// Returns the parameters with their defaults.
    fn parameters(&self, callable: &dyn Callable) -> Parameters {
        let mut parameters = Parameters { required: Vec::new(), named: Vec::new(), values: Vec::new() };
        for argument in callable.arguments() {
            let name = names::value(argument.name());
            let ty = argument.as_type();
            let dart_type = self.dart_type(&ty);
            let Some(default) = argument.default_value() else {
                parameters.required.push(format!("{dart_type} {name}"));
                parameters.values.push(name);
                continue;
            };
            let default = self.default(default, &ty);
            parameters.named.push(default.parameter(&dart_type, &name));
            parameters.values.push(default.value(&name));
        }
        if callable.is_async() {
            parameters.named.push("CancelToken? cancelToken".into());
        }
        parameters
    }

    /// Returns the parameters of a method that Dart implements: all positional, without defaults.
    pub(super) fn plain_parameters(&self, arguments: &[&Argument]) -> String {
        let parameters: Vec<String> = arguments
            .iter()
            .map(|argument| format!("{} {}", self.dart_type(&argument.as_type()), names::value(argument.name())))
            .collect();
        parameters.join(", ")
    }

    /// Returns the last argument of a call that throws: the reader of its errors.
    fn error_argument(&self, callable: &dyn Callable) -> String {
        callable.throws_type().map_or_else(String::new, |ty| format!(", {}", self.reader(ty)))
    }

    /// Returns the expression that makes the call. `receiver` is the object as its C function takes it.
    pub(super) fn call(
        &self,
        callable: &dyn Callable,
        receiver: Option<&str>,
        values: &[String],
        token: &str,
    ) -> String {
        let mut lent = Vec::new();
        let mut arguments: Vec<String> = receiver.into_iter().map(ToOwned::to_owned).collect();
        for (argument, value) in callable.arguments().iter().zip(values) {
            if argument.is_borrowed_bytes() {
                let name = format!("$lent{}", lent.len());
                arguments.push(name.clone());
                lent.push((value.clone(), name));
            } else {
                arguments.push(self.lower(&argument.as_type(), value));
            }
        }
        let symbol = callable.ffi_func().name();
        let error = self.error_argument(callable);
        let result = callable.return_type();
        let mut expression = if callable.is_async() {
            let future = future_name(result.map(FfiType::from).as_ref());
            let lift = match result {
                Some(ty) => format!("($value) => {}", self.lift(ty, "$value")),
                None => "(_) {}".into(),
            };
            format!("_callAsync(() => _{symbol}({}), _future{future}, {lift}, {token}{error})", arguments.join(", "))
        } else {
            arguments.push("$status".into());
            let call = format!("_call(($status) => _{symbol}({}){error})", arguments.join(", "));
            result.map_or_else(|| call.clone(), |ty| self.lift(ty, &call))
        };
        for (value, name) in lent.iter().rev() {
            expression = format!("_lend({value}, ({name}) => {expression})");
        }
        expression
    }

    pub(super) fn function(&self, name: &str, callable: &dyn Callable, receiver: Option<&str>, indent: &str) -> String {
        self.function_as("", name, callable, receiver, indent)
    }

    /// Returns a function or method, with a choice of `static`.
    pub(super) fn function_as(
        &self,
        modifier: &str,
        name: &str,
        callable: &dyn Callable,
        receiver: Option<&str>,
        indent: &str,
    ) -> String {
        let parameters = self.parameters(callable);
        let result = self.result_type(callable.return_type());
        let result = if callable.is_async() { format!("Future<{result}>") } else { result };
        format!(
            "\n{}{indent}{modifier}{result} {name}({}) => {};\n",
            names::docs(callable.docstring(), indent),
            parameters.list(),
            self.call(callable, receiver, &parameters.values, "cancelToken"),
        )
    }

    /// Returns a synchronous constructor.
    pub(super) fn factory(&self, head: &str, callable: &dyn Callable) -> String {
        let parameters = self.parameters(callable);
        format!(
            "\n{}  factory {head}({}) => {};\n",
            names::docs(callable.docstring(), "  "),
            parameters.list(),
            self.call(callable, None, &parameters.values, ""),
        )
    }

    /// Returns a method of a trait that Dart may also implement, for its implementation in Rust.
    pub(super) fn plain_method(&self, callable: &dyn Callable, name: &str, receiver: &str) -> String {
        let values: Vec<String> = callable.arguments().iter().map(|argument| names::value(argument.name())).collect();
        let result = self.result_type(callable.return_type());
        let result = if callable.is_async() { format!("Future<{result}>") } else { result };
        format!(
            "\n  @override\n  {result} {name}({}) => {};\n",
            self.plain_parameters(&callable.arguments()),
            self.call(callable, Some(receiver), &values, "null"),
        )
    }

    pub(super) fn top_level(&self, function: &Function) -> String {
        self.function(&names::value(function.name()), function, None, "")
    }

    /// Returns the lookups of all C functions that the interface names.
    pub(super) fn lookups(&self) -> String {
        let mut lookups: BTreeMap<String, String> = self
            .ci
            .iter_user_ffi_function_definitions()
            .map(|function| (function.name().to_owned(), lookup(&format!("_{}", function.name()), function)))
            .collect();
        for (name, function) in
            [("_rustbufferAlloc", self.ci.ffi_rustbuffer_alloc()), ("_rustbufferFree", self.ci.ffi_rustbuffer_free())]
        {
            lookups.insert(name.into(), lookup(name, &function));
        }
        lookups.into_values().collect()
    }

    /// Returns the functions that drive futures, for each result type of an asynchronous call.
    pub(super) fn futures(&self) -> String {
        let results: BTreeMap<String, Option<FfiType>> = self
            .callables()
            .into_iter()
            .filter(|callable| callable.is_async())
            .map(|callable| callable.return_type().map(FfiType::from))
            .map(|result| (future_name(result.as_ref()), result))
            .collect();
        let mut text = String::new();
        for (name, result) in results {
            let (native_type, dart_type) = result.as_ref().map_or(("_ffi.Void", "void"), native);
            text += &format!(
                "\nfinal _FutureFunctions<{dart_type}> _future{name} = _FutureFunctions(
  _library.lookupFunction<
    _ffi.Void Function(_ffi.Uint64, _ffi.Pointer<_ffi.NativeFunction<_Continuation>>, _ffi.Uint64),
    _Poll
  >('{}'),
  _library.lookupFunction<
    {native_type} Function(_ffi.Uint64, _Status),
    {dart_type} Function(int, _Status)
  >('{}'),
  _library.lookupFunction<_ffi.Void Function(_ffi.Uint64), void Function(int)>('{}'),
  _library.lookupFunction<_ffi.Void Function(_ffi.Uint64), void Function(int)>('{}'),
);
",
                self.ci.ffi_rust_future_poll(result.clone()).name(),
                self.ci.ffi_rust_future_complete(result.clone()).name(),
                self.ci.ffi_rust_future_cancel(result.clone()).name(),
                self.ci.ffi_rust_future_free(result.clone()).name(),
            );
        }
        text
    }

    /// Returns everything that Dart can call.
    pub(super) fn callables(&self) -> Vec<&dyn Callable> {
        let mut callables: Vec<&dyn Callable> = Vec::new();
        for function in self.ci.function_definitions() {
            callables.push(function);
        }
        for object in self.ci.object_definitions() {
            callables.extend(object.constructors().into_iter().map(|it| it as &dyn Callable));
            callables.extend(object.methods().into_iter().map(|it| it as &dyn Callable));
        }
        for record in self.ci.record_definitions() {
            callables.extend(record.methods().iter().map(|it| it as &dyn Callable));
        }
        for it in self.ci.enum_definitions() {
            callables.extend(it.methods().iter().map(|it| it as &dyn Callable));
        }
        callables
    }

    /// Returns the methods of a record or enum; `name` names them, and `this` crosses by value.
    pub(super) fn value_members(
        &self,
        ty: &Type,
        methods: &[Method],
        name: fn(&str) -> String,
        traits: &UniffiTraitMethods,
    ) -> String {
        let mut text = String::new();
        let this = self.lower(ty, "this");
        for method in methods {
            text += &self.function(&name(method.name()), method, Some(&this), "  ");
        }
        if let Some(method) = traits.display_fmt.as_ref().or(traits.debug_fmt.as_ref()) {
            text += &format!("\n  @override\n  String toString() => {};\n", self.call(method, Some(&this), &[], ""));
        }
        text
    }
}

fn lookup(name: &str, function: &FfiFunction) -> String {
    let (mut native_types, mut dart_types): (Vec<&str>, Vec<&str>) =
        function.arguments().iter().map(|argument| native(&argument.type_())).unzip();
    if function.has_rust_call_status_arg() {
        native_types.push("_Status");
        dart_types.push("_Status");
    }
    let (native_result, dart_result) = function.return_type().map_or(("_ffi.Void", "void"), native);
    format!(
        "final {name} = _library.lookupFunction<\n  {native_result} Function({}),\n  {dart_result} Function({})\n>('{}');\n",
        native_types.join(", "),
        dart_types.join(", "),
        function.name(),
    )
}
