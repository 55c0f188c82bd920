//! Traits that Dart implements.
//!
//! Rust may call from any thread, but only the isolate's own thread may run Dart code. So every method is a listener, for which Rust does
//! not wait: an asynchronous method answers through its callback, another one returns nothing. `refusals.rs` refuses methods that would
//! need an answer at once. Only `clone` answers at once; Rust calls it when it passes the object back, within a call from Dart. If that
//! call comes from another isolate than the object's, the VM aborts (see `README.md`).

use std::collections::BTreeMap;

use uniffi_bindgen::interface::{AsType, Callable, CallbackInterface, FfiCallbackFunction, FfiType, Method, Object};

use super::Module;
use super::calls::future_name;
use super::names;
use super::objects::RECEIVER;
use super::types::{has_rust, native};

/// A function that Rust calls.
struct Listener {
    native_types: Vec<String>,
    parameters: Vec<String>,
    /// Runs first: from here on, Dart has to free the buffers and objects of the arguments.
    lifts: String,
    /// The arguments as Dart values.
    values: Vec<String>,
}

impl Module<'_> {
    /// Returns a trait object that Dart, and perhaps Rust too, implements.
    pub(super) fn foreign_trait(&self, object: &Object) -> String {
        let class = self.class(object.name());
        let rust_class = format!("_Rust${class}");
        let methods = object.methods();
        let dispose = "\n  /// Frees the Rust object if this is one; for an implementation in Dart there is nothing to do.\n  void dispose() {}\n";
        let mut text = self.interface(&class, object.docstring(), &methods, dispose);
        let mut lower = String::new();
        let mut rust = format!("throw StateError('a {class} is never implemented in Rust')");
        if has_rust(*object.imp()) {
            let members =
                self.handle_members(&rust_class, object).replace("  void dispose", "  @override\n  void dispose");
            text += &format!(
                "\n@pragma('vm:isolate-unsendable')\nfinal class {rust_class} implements {class} {{\n{members}"
            );
            for method in &methods {
                text += &self.plain_method(*method, &names::member(method.name()), RECEIVER);
            }
            text += "}\n";
            lower = format!("  if (v is {rust_class}) return v._handle.clone();\n");
            rust = format!("return {rust_class}._(handle)");
        }
        text += &format!(
            "
int _lower${class}({class} v) {{
{lower}  _table${class};
  return _lowerForeign(v);
}}

{class} _lift${class}(int handle) {{
  if (handle.isEven) {rust};
  final object = _foreignObject<{class}>(handle);
  _freeForeign(handle);
  return object;
}}
"
        );
        text + &self.table(&class, object.ffi_init_callback().name(), &object.vtable_methods())
    }

    /// Returns a callback interface, which only Dart implements and Rust never passes back.
    pub(super) fn callback_interface(&self, interface: &CallbackInterface) -> String {
        let class = self.class(interface.name());
        let mut text = self.interface(&class, interface.docstring(), &interface.methods(), "");
        text += &format!(
            "
int _lower${class}({class} v) {{
  _table${class};
  return _lowerForeign(v);
}}

{class} _lift${class}(int handle) => _foreignObject<{class}>(handle);
"
        );
        text + &self.table(&class, interface.ffi_init_callback().name(), &interface.vtable_methods())
    }

    fn interface(&self, class: &str, docstring: Option<&str>, methods: &[&Method], more: &str) -> String {
        let mut text = format!("\n{}abstract class {class} {{\n  const {class}();\n", names::docs(docstring, ""));
        for method in methods {
            let result = self.result_type(method.return_type());
            let result = if method.is_async() { format!("Future<{result}>") } else { result };
            text += &format!(
                "\n{}  {result} {}({});\n",
                names::docs(method.docstring(), "  "),
                names::member(method.name()),
                self.plain_parameters(&method.arguments()),
            );
        }
        text + more + "}\n"
    }

    /// Returns the functions that Rust calls, and the table of them, which Rust gets with the first object.
    fn table(&self, class: &str, init: &str, methods: &[(FfiCallbackFunction, Method)]) -> String {
        let mut text = String::new();
        let mut entries = String::new();
        for (_, method) in methods {
            let name = format!("_call${class}${}", names::upper(method.name()));
            let Listener { native_types, parameters, lifts, values } = self.listener(method);
            entries +=
                &format!("  _ffi.NativeCallable<_ffi.Void Function({})>.listener({name}),\n", native_types.join(", "));
            let call =
                format!("_foreignObject<{class}>(handle).{}({})", names::member(method.name()), values.join(", "));
            text += &if method.is_async() {
                self.answer(&name, method, &parameters, &lifts, &call)
            } else {
                format!("\nvoid {name}({}) {{\n{lifts}  {call};\n}}\n", parameters.join(", "))
            };
        }
        format!("{text}\nfinal void _table${class} = _registerTrait(_{init}, [\n{entries}]);\n")
    }

    fn listener(&self, method: &Method) -> Listener {
        let mut native_types = vec!["_ffi.Uint64".to_owned()];
        let mut parameters = vec!["int handle".to_owned()];
        let mut lifts = String::new();
        let mut values = Vec::new();
        for (index, argument) in method.arguments().into_iter().enumerate() {
            let ty = argument.as_type();
            let ffi_type = FfiType::from(&ty);
            let (native_type, dart_type) = native(&ffi_type);
            native_types.push(native_type.into());
            parameters.push(format!("{dart_type} $a{index}"));
            let lifted = self.lift(&ty, &format!("$a{index}"));
            values.push(if matches!(ffi_type, FfiType::RustBuffer(_) | FfiType::Handle) {
                lifts += &format!("  final $v{index} = _lifted(() => {lifted});\n");
                format!("$v{index}()")
            } else {
                lifted
            });
        }
        let void = "_ffi.Pointer<_ffi.Void>";
        if method.is_async() {
            let complete = complete_type(method);
            native_types.extend([complete.clone(), "_ffi.Uint64".into(), void.into()]);
            parameters.extend([format!("{complete} complete"), "int data".into(), format!("{void} dropped")]);
        } else {
            native_types.extend([void.into(), void.into()]);
            parameters.extend([format!("{void} result"), format!("{void} status")]);
        }
        Listener { native_types, parameters, lifts, values }
    }

    /// Returns an asynchronous listener, which answers exactly once in every case.
    fn answer(&self, name: &str, method: &Method, parameters: &[String], lifts: &str, call: &str) -> String {
        let result = future_name(method.return_type().map(FfiType::from).as_ref());
        let mut success = method.return_type().map_or_else(
            || format!("await {call};"),
            |ty| {
                let lowered = self.lower(ty, "value");
                format!("final value = await {call};\n    result.value = _handOver(() => {lowered});")
            },
        );
        // An error that cannot be lowered counts as unexpected.
        if let Some(ty) = method.throws_type() {
            success = format!(
                "try {{\n      {}\n    }} on {} catch (error) {{\n      _fail(result.status, 1, _handOver(() => _lower(error, {})));\n    }}",
                success.replace('\n', "\n  "),
                self.dart_type(ty),
                self.writer(ty)
            );
        }
        format!(
            "
Future<void> {name}({}) async {{
{lifts}  final result = _ffi.Struct.create<_Result{result}>();
  try {{
    {success}
  }} catch (error) {{
    _failUnexpected(result.status, error);
  }}
  complete.asFunction<void Function(int, _Result{result})>()(data, result);
}}
",
            parameters.join(", "),
        )
    }

    /// Returns the structures in which asynchronous methods answer, one for each result type.
    pub(super) fn results(&self) -> String {
        let objects = self.ci.object_definitions().iter().filter(|it| it.has_callback_interface());
        let interfaces = self.ci.callback_interface_definitions().iter();
        let methods = objects.flat_map(Object::methods).chain(interfaces.flat_map(CallbackInterface::methods));
        let results: BTreeMap<String, Option<FfiType>> = methods
            .filter(Callable::is_async)
            .map(|method| method.return_type().map(FfiType::from))
            .map(|result| (future_name(result.as_ref()), result))
            .collect();
        let mut text = String::new();
        for (name, result) in results {
            let value = match result.as_ref().map(|it| (it, native(it))) {
                None => String::new(),
                Some((FfiType::RustBuffer(_), (_, dart_type))) => format!("  external {dart_type} value;\n"),
                Some((_, (native_type, dart_type))) => format!("  @{native_type}()\n  external {dart_type} value;\n"),
            };
            text += &format!(
                "\nfinal class _Result{name} extends _ffi.Struct {{\n{value}  external _RustCallStatus status;\n}}\n"
            );
        }
        text
    }
}

/// Returns the type of the pointer to the answer's callback.
fn complete_type(method: &Method) -> String {
    let result = future_name(method.return_type().map(FfiType::from).as_ref());
    format!("_ffi.Pointer<_ffi.NativeFunction<_ffi.Void Function(_ffi.Uint64, _Result{result})>>")
}
