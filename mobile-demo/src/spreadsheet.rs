//! Text of a table as spreadsheet programs save it: its encoding, its separator, and a first line `sep=` that is no row.

use anyhow::{Context, bail};

/// A table as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Its rows, beginning with that of the column names.
    pub(crate) text: String,
    /// Comma, semicolon, tab, or what the first line names.
    pub(crate) separator: u8,
    /// Lines before the column names.
    pub(crate) lines_before: u64,
}

impl Sheet {
    /// Reads UTF-8, or UTF-16 with a byte order mark.
    ///
    /// # Errors
    /// The line and column of the first byte that is not text.
    pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = unify_line_ends(&decode(bytes)?);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        if let Some(separator) = first.trim_matches(['"', ' ']).strip_prefix("sep=") {
            let &[separator] = separator.as_bytes() else {
                bail!("line 1: the separator {separator:?} is not one character: write `sep=;`");
            };
            return Ok(Self { text: rest.to_owned(), separator, lines_before: 1 });
        }
        // The first of equals wins, so a name of one column is read with commas.
        let count = |separator: &u8| first.bytes().filter(|byte| byte == separator).count();
        let separator = b",;\t".iter().rev().copied().max_by_key(count).unwrap_or(b',');
        Ok(Self { text, separator, lines_before: 0 })
    }
}

/// Ends every line with LF, in place of CR or CR and LF.
fn unify_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn decode(bytes: &[u8]) -> anyhow::Result<String> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit).collect()
    };
    let utf16 = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, units(rest, u16::from_le_bytes))),
        [0xfe, 0xff, rest @ ..] => Some((rest, units(rest, u16::from_be_bytes))),
        _ => None,
    };
    if let Some((rest, units)) = utf16 {
        let text = String::from_utf16(&units).ok().filter(|_| rest.len() % 2 == 0);
        return text.context("the file is not whole UTF-16 text: save it again as \"CSV UTF-8\"");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let before = unify_line_ends(&before);
            let (line, last) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default());
            let column = last.chars().count() + 1;
            bail!("line {line}, character {column}: not UTF-8 text: save the file again as \"CSV UTF-8\"")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn separators_are_found_or_named_by_the_file() {
        for (text, separator, lines_before, begin) in [
            ("date,market\n1,2", b',', 0, "date"),
            ("date;market\n1,5;2", b';', 0, "date"),
            ("date\tmarket\n1;2", b'\t', 0, "date"),
            ("date\n1", b',', 0, "date"),
            ("sep=;\r\ndate;market", b';', 1, "date"),
            ("\"sep=;\"\ndate;market", b';', 1, "date"),
            ("sep=\t\rdate\tmarket", b'\t', 1, "date"),
            ("", b',', 0, ""),
        ] {
            let sheet = Sheet::read(text.as_bytes()).unwrap();
            assert_eq!((sheet.separator, sheet.lines_before), (separator, lines_before), "{text:?}");
            assert!(sheet.text.starts_with(begin), "{text:?}");
        }
        assert!(Sheet::read(b"sep=;;\n").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn what_is_not_text_is_named_with_line_and_character() {
        let error = Sheet::read(b"date,market\r\n1,\xe0 b").unwrap_err().to_string();
        assert!(error.starts_with("line 2, character 3: not UTF-8"), "{error}");
        let error = Sheet::read(b"\xff\xfea\0b").unwrap_err().to_string();
        assert!(error.contains("not whole UTF-16"), "{error}");
    }
}
