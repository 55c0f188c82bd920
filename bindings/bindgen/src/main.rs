//! The generator binary: writes the Kotlin, Swift, Python and Dart bindings of a UniFFI library.
//!
//! Owns the command line and, in `dart`, the Dart generator. Kotlin, Swift and Python are UniFFI's own generators, at the pinned version,
//! which must be the version that built the library. Does not own names, packages and type mappings (see each crate's `uniffi.toml`), nor
//! the hand-written layers next to the generated code.
//!
//! Invariant: it reads an *unstripped* library; a stripped one has lost the description of the interface.
//!
//! ```text
//! cargo build -p farmtally-ffi -p farmtally-bindgen
//! target/debug/farmtally-bindgen generate target/debug/libfarmtally_ffi.so --language dart --out-dir bindings/dart/lib/src/generated
//! ```
//!
//! Read next: `bindings/bindgen/README.md`.

mod dart;
mod interface;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

/// Generates the bindings of a UniFFI library
#[derive(Parser)]
#[command(name = "farmtally-bindgen", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generates the code of one or more languages
    Generate {
        /// An unstripped library, or a UDL file
        source: String,
        /// Languages to generate
        #[arg(long, short, value_enum, required = true)]
        language: Vec<Language>,
        /// Folder for the generated files
        #[arg(long, short)]
        out_dir: String,
        /// Skips the languages' formatters
        #[arg(long, short)]
        no_format: bool,
        /// Configuration of all crates, which overrides their own `uniffi.toml`
        #[arg(long, short)]
        config: Option<String>,
        /// Generates only this crate of the library
        #[arg(long = "crate")]
        crate_name: Option<String>,
        /// Looks for `uniffi.toml` only in the crates of the workspace
        #[arg(long)]
        metadata_no_deps: bool,
    },
    /// Prints a library's interface, one line an item
    Interface {
        /// An unstripped library, or a UDL file
        source: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Kotlin,
    Swift,
    Python,
    Dart,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (source, language, out_dir, no_format, config, crate_name, metadata_no_deps) = match Arguments::parse().command
    {
        Command::Interface { source } => {
            std::io::stdout().write_all(interface::describe(&source)?.as_bytes())?;
            return Ok(());
        }
        Command::Generate { source, language, out_dir, no_format, config, crate_name, metadata_no_deps } => {
            (source, language, out_dir, no_format, config, crate_name, metadata_no_deps)
        }
    };
    for language in language {
        let target = match language {
            Language::Kotlin => TargetLanguage::Kotlin,
            Language::Swift => TargetLanguage::Swift,
            Language::Python => TargetLanguage::Python,
            Language::Dart => {
                dart::generate(&dart::Options {
                    source: source.clone(),
                    out_dir: out_dir.clone(),
                    config: config.clone(),
                    crate_name: crate_name.clone(),
                    metadata_no_deps,
                })?;
                continue;
            }
        };
        generate(GenerateOptions {
            languages: vec![target],
            source: source.as_str().into(),
            out_dir: out_dir.as_str().into(),
            config_override: config.as_deref().map(Into::into),
            format: !no_format,
            crate_filter: crate_name.clone(),
            metadata_no_deps,
        })?;
    }
    Ok(())
}
