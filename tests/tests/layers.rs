//! Checks that imports follow the order of the layers, in core and in the server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Core's modules; each imports only from those before it. `error` combines the errors of store and protocol for callers.
const CORE: [&str; 16] = [
    "codec",
    "text",
    "units",
    "limits",
    "environment",
    "scope",
    "permission",
    "records",
    "decisions",
    "rules",
    "protocol",
    "store",
    "error",
    "sync",
    "paper",
    "client",
];

/// The server's modules, in the same way. `Server` itself, at the crate's root, only opens, authenticates and dispatches; features add
/// methods to it, and work on a transaction.
const SERVER: [&str; 29] = [
    "error",
    "files",
    "address",
    "wire",
    "keys",
    "journal",
    "storage",
    "drafts",
    "reviews",
    "ingest",
    "pull",
    "recovery",
    "users",
    "reference",
    "land",
    "office",
    "access",
    "leases",
    "enrol",
    "copy_id",
    "backup",
    "erasure",
    "rulings",
    "handover",
    "sync",
    "watchers",
    "live",
    "page",
    "http",
];

fn source(crate_folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_folder).join("src")
}

/// The code of a file without comment lines.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source file");
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The top-level module that a file belongs to; `None` for the crate's root and for programs, which use the library like any other crate.
fn module(root: &Path, file: &Path) -> Option<String> {
    let inner = file.strip_prefix(root).expect("within the crate");
    let first = inner.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    let name = first.trim_end_matches(".rs").to_owned();
    (!["lib", "bin"].contains(&name.as_str())).then_some(name)
}

/// The top-level modules that code names after `crate::`, also within braces. The types of the module `error` count as that.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(inner) => top_level_names(inner),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // A macro and a type at the crate's root itself.
            if !["sql_values", "Server"].contains(&name.as_str()) {
                let is_error = name.starts_with("Error") || name == "UnavailableCause";
                found.insert(if is_error { "error".to_owned() } else { name });
            }
        }
    }
    found
}

/// The first name of each item of a braced import.
fn top_level_names(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&inner[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.trim().is_empty());
    names
}

/// The other top-level modules that each module imports.
fn graph(crate_folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let root = source(crate_folder);
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for file in files(&root) {
        let Some(module) = module(&root, &file) else { continue };
        let imported = imports(&code(&file));
        graph.entry(module.clone()).or_default().extend(imported.into_iter().filter(|name| *name != module));
    }
    graph
}

#[test]
fn braced_and_plain_imports_are_found() {
    let code = "use crate::store::{self, Store};\nuse crate::{Error, units::{Grams, Percent}, rules};\ncrate::codec::encode(x)";
    assert_eq!(Vec::from_iter(imports(code)), ["codec", "error", "rules", "store", "units"]);
}

fn assert_order(crate_folder: &str, layers: &[&str]) {
    let graph = graph(crate_folder);
    let layer = |name: &str| layers.iter().position(|known| *known == name);
    for (module, imported) in &graph {
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no place among the layers"));
        for name in imported {
            let other = layer(name).unwrap_or_else(|| panic!("{module} imports {name}, which is no layer"));
            assert!(other < own, "{module} imports {name}, which comes after it");
        }
    }
    assert_eq!(graph.len(), layers.len(), "a layer without a module");
}

#[test]
fn core_imports_follow_the_order_of_layers() {
    assert_order("core", &CORE);
}

#[test]
fn the_servers_imports_follow_the_order_of_its_modules() {
    assert_order("sync-server", &SERVER);
}

#[test]
fn lower_layers_know_no_database_and_no_network() {
    let root = source("core");
    for file in files(&root) {
        let Some(module) = module(&root, &file) else { continue };
        let code = code(&file);
        if CORE.iter().take_while(|name| **name != "store").any(|name| *name == module) {
            // The environment reads the id of the boot.
            let files = (module != "environment").then_some("std::fs");
            for outside in ["rusqlite", "reqwest", "tokio", "std::net"].into_iter().chain(files) {
                assert!(!code.contains(outside), "{} names {outside}", file.display());
            }
        }
    }
}

#[test]
fn the_servers_program_uses_the_library_only() {
    for file in files(&source("sync-server").join("bin")) {
        let code = code(&file);
        for outside in ["rusqlite", "automerge", "axum", "#[path"] {
            assert!(!code.contains(outside), "{} names {outside}", file.display());
        }
    }
}
