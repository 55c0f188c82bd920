//! The form in which a text is stored.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use super::script::{Joiners, script};

pub(super) const NON_JOINER: char = '\u{200c}';
pub(super) const JOINER: char = '\u{200d}';
/// Canonical combining class of the sign that removes a consonant's vowel.
const VIRAMA: u8 = 9;

/// Returns a text in the form in which it is stored: Unicode NFC, without characters that show nothing or change the direction of the text,
/// without blanks at its ends, and with one blank in place of several.
///
/// U+200C and U+200D stay where the script joins letters with them, a variation selector after the character that it varies. Characters
/// for which [`is_control`] is true stay: the caller refuses or replaces them.
pub fn normalize(text: &str) -> String {
    let mut stored = normalized_once(text);
    // Marks that a removed character kept apart may change places, and what joined them joins nothing then.
    loop {
        let again = normalized_once(&stored);
        if again == stored {
            return stored;
        }
        stored = again;
    }
}

fn normalized_once(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let before = kept.chars().next_back();
        let stays = match c {
            _ if is_blank(c) => {
                if before.is_some_and(|before| before != ' ') {
                    kept.push(' ');
                }
                continue;
            }
            NON_JOINER | JOINER => {
                let after = characters.clone().find(|after| is_blank(*after) || !is_ignorable(*after));
                joins(c, before, after)
            }
            _ if is_variation_selector(c) => before.is_some_and(|before| before != ' ' && !is_combining_mark(before)),
            _ => !is_ignorable(c),
        };
        if stays {
            kept.push(c);
        }
    }
    kept.trim_end_matches(' ').nfc().collect()
}

/// Returns one line of a text from outside so that, printed to a terminal or page, it changes nothing around it: U+FFFD in place of each
/// character that is not part of a line, and nothing that changes the direction. Blanks stay.
pub fn printable(line: &str) -> String {
    let is_kept = |c: &char| matches!(*c, NON_JOINER | JOINER) || is_variation_selector(*c) || !is_ignorable(*c);
    line.chars().filter(is_kept).map(|c| if is_control(c) { '\u{fffd}' } else { c }).collect()
}

/// Returns whether a text has a character that is neither a blank nor a combining mark, so that a person sees it.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !is_blank(c) && !is_combining_mark(c) && !is_ignorable(c))
}

/// Returns whether a character is not part of a line of text: a control character, or a separator of lines.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns whether a joiner between two characters changes how they are written.
fn joins(joiner: char, before: Option<char>, after: Option<char>) -> bool {
    let joiners = |c: Option<char>| c.map_or(Joiners::Unused, |c| script(c).joiners);
    match joiners(before) {
        Joiners::Unused => false,
        _ if joiners(after) != Joiners::Unused => true,
        // At the end of a word: a chillu of Malayalam, or an Arabic letter in its joined form.
        Joiners::Cursive => joiner == JOINER,
        Joiners::Conjunct => joiner == JOINER && before.is_some_and(|c| canonical_combining_class(c) == VIRAMA),
    }
}

/// Returns whether a character is a blank: white space within a line, or one of the letters and patterns that show nothing.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !is_control(c) || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns whether a character shows nothing by itself: Unicode's `Default_Ignorable_Code_Point` and the interlinear annotations.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_stored_composed_without_what_cannot_be_seen() {
        for (typed, stored) in [
            ("Rame\u{301}sh", "Ram\u{e9}sh"),
            // U+095B and U+09DF have no composed form in NFC.
            ("मिर\u{94d}\u{95b}ा", "मिर\u{94d}\u{91c}\u{93c}ा"),
            ("\u{feff}Asha\u{200b} \u{202e}Devi\u{2060}", "Asha Devi"),
            ("Asha \u{a0} \u{3000}Devi ", "Asha Devi"),
            ("\u{3164}", ""),
            ("As\u{ad}ha\u{200e}", "Asha"),
            // Ra with U+200D before the virama, as the name Surya is written in Kannada; eyelash ra; a Malayalam chillu at the end.
            ("ಸೂರ\u{200d}\u{ccd}ಯ", "ಸೂರ\u{200d}\u{ccd}ಯ"),
            ("कोऱ\u{94d}\u{200d}या", "कोऱ\u{94d}\u{200d}या"),
            ("അവന\u{d4d}\u{200d}", "അവന\u{d4d}\u{200d}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            // Joiners that join nothing.
            ("As\u{200d}ha", "Asha"),
            ("ಆಶಾ\u{200d}", "ಆಶಾ"),
            ("ಆ\u{200c}\u{200c}\u{200b}ಶಾ", "ಆ\u{200c}ಶಾ"),
            ("\u{200d}ಆಶಾ ", "ಆಶಾ"),
            ("ಆ\u{200c}\u{3164}ಶಾ", "ಆ ಶಾ"),
            ("葛\u{e0100}城", "葛\u{e0100}城"),
            ("\u{fe0f}Asha", "Asha"),
            // The virama comes before the accent, and the joiner after it joins nothing.
            ("\u{301}\u{ccd}\u{200d}", "\u{ccd}\u{301}"),
            ("\u{301}\u{200b}\u{ccd}\u{200d}", "\u{ccd}\u{301}"),
        ] {
            assert_eq!(normalize(typed), stored, "{typed:?}");
            assert_eq!(normalize(stored), stored, "{stored:?}");
        }
    }

    proptest! {
        #[test]
        fn a_stored_text_is_stored_as_it_is(typed in "[ a\u{301}ಆ್ಶนم\u{200b}-\u{200f}\u{ad}\u{3164}\u{fe0f}\u{feff}]{0,8}|\\PC{0,8}") {
            let stored = normalize(&typed);
            prop_assert_eq!(normalize(&stored), stored);
        }
    }

    #[test]
    fn what_is_printed_changes_nothing_around_it() {
        assert_eq!(printable("a  b\u{1b}[31m\u{202e}\u{200b}c\nd\t"), "a  b\u{fffd}[31mc\u{fffd}d\u{fffd}");
        assert_eq!(printable("ಸೂರ\u{200d}\u{ccd}ಯ"), "ಸೂರ\u{200d}\u{ccd}ಯ");
    }

    #[test]
    fn marks_and_blanks_alone_show_nothing() {
        for (text, expected) in
            [("", false), ("\u{301}", false), (" \u{93e}", false), ("-", true), ("ा़", false), ("आ", true)]
        {
            assert_eq!(is_visible(text), expected, "{text:?}");
        }
    }
}
