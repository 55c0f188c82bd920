//! Translation of the seam's statement texts for PostgreSQL, and the cache of prepared statements.

use std::collections::HashMap;

use postgres::types::Type;
use postgres::{Client, Error, Statement};

/// Maximum statements cached on a connection; texts with a varying number of parameters have no other bound.
const MAX_STATEMENTS: usize = 512;

const CONFLICT: &str = "ON CONFLICT (";

/// Prepared statements of a connection, by their texts before translation.
#[derive(Default)]
pub(super) struct Statements(HashMap<String, Statement>);

impl Statements {
    /// Returns the statement of a text, for parameters of these types. A null, whose type is unknown, fits each type.
    pub(super) fn prepare(&mut self, client: &mut Client, text: &str, types: &[Type]) -> Result<Statement, Error> {
        let fits = |(known, given): (&Type, &Type)| *given == Type::UNKNOWN || known == given;
        if let Some(known) = self.0.get(text)
            && known.params().iter().zip(types).all(fits)
        {
            return Ok(known.clone());
        }
        let statement = client.prepare_typed(&translate(text), types)?;
        if self.0.len() >= MAX_STATEMENTS {
            self.0.clear();
        }
        self.0.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Translates `?1` to `$1`, and `ON CONFLICT (` to `ON CONFLICT (organisation, `, outside of quotes and comments.
fn translate(text: &str) -> String {
    let mut translated = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '?', 'O', '-', '/']) {
        let (before, from) = rest.split_at(at);
        translated.push_str(before);
        if let Some(after) = from.strip_prefix('?') {
            translated.push('$');
            rest = after;
            continue;
        }
        if let Some(after) = from.strip_prefix(CONFLICT) {
            translated.push_str(CONFLICT);
            translated.push_str("organisation, ");
            rest = after;
            continue;
        }
        let end = match from.get(..2) {
            Some("--") => end_of(from, "\n"),
            Some("/*") => end_of(from, "*/"),
            _ if from.starts_with('\'') => end_of(from, "'"),
            _ if from.starts_with('"') => end_of(from, "\""),
            _ => 1,
        };
        let (skipped, after) = from.split_at(end);
        translated.push_str(skipped);
        rest = after;
    }
    translated.push_str(rest);
    translated
}

/// Returns the end of a quote or comment at the start of `text`. A doubled quote counts as two quotes.
fn end_of(text: &str, mark: &str) -> usize {
    text.match_indices(mark).map(|(at, _)| at).find(|at| *at > 0).map_or(text.len(), |at| at + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_conflicts_are_written_as_postgresql_does() {
        let cases = [
            ("SELECT 1", "SELECT 1"),
            (
                "SELECT a FROM t WHERE a = ?1 AND b = ?12 OR a = ?1",
                "SELECT a FROM t WHERE a = $1 AND b = $12 OR a = $1",
            ),
            (
                "INSERT INTO t (a) VALUES (?1) ON CONFLICT (a) DO UPDATE SET b = 1 OR b = 2",
                "INSERT INTO t (a) VALUES ($1) ON CONFLICT (organisation, a) DO UPDATE SET b = 1 OR b = 2",
            ),
            ("ON CONFLICT DO NOTHING", "ON CONFLICT DO NOTHING"),
            ("SELECT '?1 ''ON CONFLICT ('' -- ', ?1", "SELECT '?1 ''ON CONFLICT ('' -- ', $1"),
            ("SELECT \"?\", a - ?1, a / ?2", "SELECT \"?\", a - $1, a / $2"),
            ("SELECT ?1 -- ?2\n, ?3 /* ' ?4 */ , ?5", "SELECT $1 -- ?2\n, $3 /* ' ?4 */ , $5"),
            ("SELECT 'ಲಕ್ಷ್ಮಿ?', ?1, 'open", "SELECT 'ಲಕ್ಷ್ಮಿ?', $1, 'open"),
        ];
        for (portable, expected) in cases {
            assert_eq!(translate(portable), expected);
        }
    }
}
