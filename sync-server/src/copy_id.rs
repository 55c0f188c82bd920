//! `copy-id`: the file that makes a folder a whole copy. It names the copy, says when it was begun and what each table contains, and is
//! signed by the server (format: `docs/operating.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use farmtally_core::units::{DeviceId, Timestamp};

use crate::Error;
use crate::storage::{TableSum, table_sums};

/// Name of the file. It gets this name last, so a folder without it is not a whole copy.
pub(crate) const COPY_ID: &str = "copy-id";
const SIGNATURE: &str = "signature ";

/// Content of `copy-id`.
#[derive(Debug)]
pub(crate) struct CopyId {
    pub(crate) id: DeviceId,
    pub(crate) begun_at: Timestamp,
    /// Sums of the tables of each database, by the name of its file.
    databases: BTreeMap<String, Vec<TableSum>>,
    /// All lines that are signed.
    signed: String,
    signature: [u8; 64],
}

impl CopyId {
    /// Sums the tables of a copy's databases, and returns the signed text for its `copy-id`.
    ///
    /// # Errors
    /// [`Error::Unusable`] if a database cannot be read.
    pub(crate) fn text(
        id: DeviceId,
        begun_at: Timestamp,
        databases: &[PathBuf],
        key: &SigningKey,
    ) -> Result<String, Error> {
        let mut lines = vec![format!("{id} {}\n", begun_at.0)];
        for path in databases {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            for TableSum { table, rows, hash } in table_sums(path)? {
                lines.push(format!("{file} {table} {rows} {}\n", HEXLOWER.encode(&hash)));
            }
        }
        let text = lines.concat();
        let signature = key.sign(&message(&text)).to_bytes();
        Ok(format!("{text}{SIGNATURE}{}\n", HEXLOWER.encode(&signature)))
    }

    /// Parses the text of the file; `None` if it is damaged.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (signed, signature) = text.strip_suffix('\n')?.rsplit_once(SIGNATURE)?;
        let signature = HEXLOWER.decode(signature.as_bytes()).ok()?.try_into().ok()?;
        let mut lines = signed.lines();
        let (id, begun_at) = lines.next()?.split_once(' ')?;
        let mut databases = BTreeMap::<String, Vec<TableSum>>::new();
        for line in lines {
            let mut parts = line.split(' ');
            let (file, table, rows, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let hash = HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()?;
            let sum = TableSum { table: table.to_owned(), rows: rows.parse().ok()?, hash };
            databases.entry(file.to_owned()).or_default().push(sum);
        }
        let (id, begun_at) = (id.parse().ok()?, Timestamp(begun_at.parse().ok()?));
        Some(Self { id, begun_at, databases, signed: signed.to_owned(), signature })
    }

    /// Requires that this server has signed it.
    ///
    /// # Errors
    /// [`Error::Unusable`] naming the file.
    pub(crate) fn require_signed(&self, copy: &Path, key: &VerifyingKey) -> Result<(), Error> {
        key.verify(&message(&self.signed), &Signature::from_bytes(&self.signature)).map_err(|_wrong| {
            let reason = "it was changed, or another server made the copy: make another copy";
            Error::unusable(&copy.join(COPY_ID).display(), reason)
        })
    }

    /// Requires that each table has the rows that were copied.
    ///
    /// # Errors
    /// [`Error::Unusable`] naming the file and the table.
    pub(crate) fn require_tables(&self, copy: &Path) -> Result<(), Error> {
        for (file, copied) in &self.databases {
            let path = copy.join(file);
            let found = table_sums(&path)?;
            if let Some(difference) = difference(copied, &found) {
                return Err(Error::unusable(&path.display(), format!("{difference}: make another copy")));
            }
        }
        Ok(())
    }
}

fn message(signed: &str) -> Vec<u8> {
    [b"farmtally copy 1\0", signed.as_bytes()].concat()
}

/// Describes the first table that differs, in the order of `copy-id`; `None` if none does.
fn difference(copied: &[TableSum], found: &[TableSum]) -> Option<String> {
    let of = |sums: &[TableSum], table: &str| sums.iter().find(|sum| sum.table == table).cloned();
    let tables = copied.iter().chain(found).map(|sum| &sum.table);
    let wrong = tables.filter(|table| of(copied, table) != of(found, table)).collect::<Vec<_>>();
    let table = *wrong.first()?;
    Some(match (of(copied, table), of(found, table)) {
        (Some(copied), Some(found)) if copied.rows != found.rows => {
            format!("table `{table}`: it has {} rows, and had {} when it was copied", found.rows, copied.rows)
        }
        (Some(_), None) => format!("table `{table}`: it is missing"),
        (None, _) => format!("table `{table}`: it was not copied"),
        _ => format!("table `{table}`: its content is not what was copied"),
    })
}
