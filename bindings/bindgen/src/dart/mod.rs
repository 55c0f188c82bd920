//! The Dart generator: writes one file for each crate's interface; the file needs no Dart package.
//!
//! Owns the order of that file. `refusals.rs` checks first what it may contain; then `values.rs`, `objects.rs` and `traits.rs` write the
//! types, `calls.rs` writes the functions, and `runtime.dart` is appended unchanged. The support table is in `bindings/bindgen/README.md`.
//!
//! Invariants: the same library gives the same file, byte for byte; the file compiles and does what the Rust item does, or generation fails
//! with all reasons.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "text is put together from pieces that are shown as they come out"
)]

mod calls;
mod config;
mod defaults;
mod names;
mod objects;
mod refusals;
mod traits;
mod types;
mod values;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use uniffi_bindgen::interface::{ComponentInterface, Type};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, Component, GlobalConfig};
use uniffi_meta::{EnumShape, Metadata, MetadataGroupMap};

use config::Config;

pub(crate) struct Options {
    pub(crate) source: String,
    pub(crate) out_dir: String,
    pub(crate) config: Option<String>,
    pub(crate) crate_name: Option<String>,
    pub(crate) metadata_no_deps: bool,
}

/// Writes a file `NAMESPACE.dart` for each crate of a library.
pub(crate) fn generate(options: &Options) -> Result<()> {
    let mut paths = BindgenPaths::default();
    let mut global_config = GlobalConfig::default();
    if let Some(path) = &options.config {
        let (config, layer) = GlobalConfig::from_file(path.as_str().as_ref())?;
        global_config = config;
        if let Some(layer) = layer {
            paths.add_layer(layer);
        }
    }
    paths.add_cargo_metadata_layer(options.metadata_no_deps)?;
    let loader = BindgenLoader::new(paths, global_config);
    let source = options.source.as_str().as_ref();
    let metadata = loader.load_metadata(source)?;
    let mut text_errors = text_errors(&metadata);
    let library = loader.library_name(source).map(ToOwned::to_owned);
    let cis = loader.load_cis(metadata)?;
    let mut components = loader.load_components(cis, |_, toml| Config::parse(&toml))?;
    components.sort_by(|a, b| a.ci.crate_name().cmp(b.ci.crate_name()));
    fs::create_dir_all(&options.out_dir)?;
    for Component { mut ci, config } in components {
        if options.crate_name.as_deref().is_some_and(|name| name != ci.crate_name()) {
            continue;
        }
        ci.derive_ffi_funcs()?;
        let text_errors = text_errors.remove(ci.crate_name()).unwrap_or_default();
        let text = Module { ci: &ci, config, text_errors, library: library.clone() }.render()?;
        let path = Path::new(&options.out_dir).join(format!("{}.dart", ci.namespace()));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Returns the errors of which only the text crosses, by crate.
pub(crate) fn text_errors(metadata: &MetadataGroupMap) -> BTreeMap<String, BTreeSet<String>> {
    let text_error = |item: &Metadata| match item {
        Metadata::Enum(it) if it.shape == (EnumShape::Error { flat: true }) => Some(it.name.clone()),
        _ => None,
    };
    metadata.iter().map(|(name, group)| (name.clone(), group.items.iter().filter_map(text_error).collect())).collect()
}

/// One crate's interface and what is needed to write it in Dart.
struct Module<'a> {
    ci: &'a ComponentInterface,
    config: Config,
    text_errors: BTreeSet<String>,
    library: Option<String>,
}

impl Module<'_> {
    fn render(&self) -> Result<String> {
        let refusals = self.refusals();
        if !refusals.is_empty() {
            bail!("Dart cannot be generated for {}:\n  {}", self.ci.namespace(), refusals.join("\n  "));
        }
        let mut text = self.head();
        for object in self.ci.object_definitions() {
            text += &self.object(object);
        }
        for interface in self.ci.callback_interface_definitions() {
            text += &self.callback_interface(interface);
        }
        for record in self.ci.record_definitions() {
            text += &self.record(record);
        }
        for it in self.ci.enum_definitions() {
            text += &self.enumeration(it);
        }
        for (name, builtin) in self.custom_types() {
            let definition = self.ci.get_custom_type_definition(name);
            text += &match self.config.custom_types.get(name) {
                Some(custom) => self.custom_functions(name, builtin, custom),
                None => self.custom_class(name, builtin, definition.and_then(|it| it.docstring())),
            };
        }
        for function in self.ci.function_definitions() {
            text += &self.top_level(function);
        }
        text += &self.library_part();
        text += include_str!("runtime.dart");
        Ok(text)
    }

    fn head(&self) -> String {
        let mut text =
            String::from("// Generated by farmtally-bindgen: changes are lost.\n// ignore_for_file: type=lint\n\n");
        text += &names::docs(self.ci.namespace_docstring(), "");
        let mut imports = BTreeSet::from([
            "import 'dart:async' show Completer;".to_owned(),
            "import 'dart:convert' as _convert;".to_owned(),
            "import 'dart:ffi' as _ffi;".to_owned(),
            "import 'dart:io' as _io;".to_owned(),
            "import 'dart:isolate' as _isolate;".to_owned(),
            "import 'dart:math' as _math;".to_owned(),
            "import 'dart:typed_data';".to_owned(),
        ]);
        let custom = self.config.custom_types.values().flat_map(|custom| &custom.imports);
        imports.extend(custom.map(|path| format!("import '{path}';")));
        let imports: Vec<String> = imports.into_iter().collect();
        text + "library;\n\n" + &imports.join("\n") + "\n"
    }

    fn custom_types(&self) -> Vec<(&str, &Type)> {
        self.ci
            .iter_local_types()
            .filter_map(|ty| match ty {
                Type::Custom { name, builtin, .. } => Some((name.as_str(), builtin.as_ref())),
                _ => None,
            })
            .collect()
    }

    fn library_class(&self) -> String {
        names::upper(self.ci.namespace()) + "Library"
    }

    fn library_part(&self) -> String {
        let checksums: BTreeSet<(String, u16)> = self.ci.iter_checksums().collect();
        let checksums: String =
            checksums.iter().map(|(symbol, checksum)| format!("  '{symbol}': {checksum},\n")).collect();
        let namespace = self.ci.namespace();
        let name = self.config.cdylib_name.as_deref().or(self.library.as_deref()).unwrap_or(namespace);
        format!(
            "
/// The native library. It is loaded with the first call if [load] was not called before.
abstract final class {} {{
  /// Loads the library from a path, or takes one that is loaded already; without both, it is looked for by its name where
  /// the platform's build tools put it. Throws a [LibraryException] if it is not there or not the one this file was generated from.
  static void load({{String? path, _ffi.DynamicLibrary? library}}) => _load(path, library);
}}

const String _libraryName = '{name}';
const String _contractVersionSymbol = '{}';
const int _contractVersion = {};
const Map<String, int> _checksums = {{
{checksums}}};

{}{}{}
",
            self.library_class(),
            self.ci.ffi_uniffi_contract_version().name(),
            self.ci.uniffi_contract_version(),
            self.lookups(),
            self.futures(),
            self.results(),
        )
    }
}
