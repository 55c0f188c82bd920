//! The text of a file that a spreadsheet wrote, and what separates its cells.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Character in place of bytes that are none in the file's encoding.
pub(super) const UNREADABLE: char = char::REPLACEMENT_CHARACTER;

/// Decodes a file: by its byte order mark as UTF-8 or UTF-16; without one as UTF-8, or as Windows-1252 if it is no UTF-8. Bytes that are no
/// text become [`UNREADABLE`].
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode_with_bom_removal(bytes).0;
    }
    let (text, has_errors) = UTF_8.decode_without_bom_handling(bytes);
    // A few damaged bytes do not make the names of a UTF-8 file text of another encoding.
    let count = |wanted: fn(char) -> bool| text.chars().filter(|c| wanted(*c)).count();
    if has_errors && count(|c| c == UNREADABLE) >= count(|c| !c.is_ascii() && c != UNREADABLE) {
        return WINDOWS_1252.decode_without_bom_handling(bytes).0;
    }
    text
}

/// Splits off a first line `sep=;`, with which some spreadsheets name the separator. Returns the separator, if so, and the rest.
pub(super) fn named_separator(text: &str) -> (Option<u8>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.trim_end_matches('\r').strip_prefix("sep=").map(str::as_bytes) {
        Some(&[separator]) if b",;\t|".contains(&separator) => (Some(separator), rest),
        _ => (None, text),
    }
}

/// Returns the separator of cells: of comma, semicolon and tab the one that is most often outside of quotes in the first line with content.
pub(super) fn separator(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in line.bytes() {
        is_quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(!is_quoted && byte == *separator);
        }
    }
    // Of equal counts the first one.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| separator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_decoded(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = decoded(&bytes);
            let (named, rest) = named_separator(&text);
            prop_assert!(rest.len() <= text.len() && named.is_none_or(|it| it < 0x80));
            prop_assert!([b',', b';', b'\t'].contains(&separator(rest)));
        }
    }

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn a_file_is_read_in_each_encoding_that_spreadsheets_write() {
        let text = "name;ಲಕ್ಷ್ಮಿ Zoë";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(&bytes), text);
        }
        assert_eq!(decoded(b"Zo\xeb Mu\xf1oz \x96 \x80"), "Zoë Muñoz – €");
        assert_eq!(decoded("ಲಕ್ಷ್ಮಿ".as_bytes().get(..20).expect("bytes")), "ಲಕ್ಷ್ಮ\u{fffd}");
        assert_eq!(decoded(b""), "");
    }

    #[test]
    fn the_separator_is_named_or_the_most_frequent_outside_of_quotes() {
        for (text, expected) in [
            ("name,phone", b','),
            ("name;phone,mobile;village", b';'),
            ("name\tphone", b'\t'),
            ("\r\n\n\"a;b;c\",phone", b','),
            ("name", b','),
            ("", b','),
        ] {
            assert_eq!(separator(text), expected, "{text:?}");
        }
        assert_eq!(named_separator("sep=;\r\nname;phone"), (Some(b';'), "name;phone"));
        assert_eq!(named_separator("name;phone\r\n"), (None, "name;phone\r\n"));
        assert_eq!(named_separator("sep=;;\nx"), (None, "sep=;;\nx"));
        assert_eq!(named_separator("sep=\"\nx"), (None, "sep=\"\nx"), "no separator of cells");
    }
}
