//! Folded words and texts: the forms in which texts are searched and compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use super::normal::{is_control, is_ignorable, normalize};
use super::script::{ascii_digit, script};

/// Version of the folding. A change of [`words`], [`folded_text`] or [`phone_words`](super::phone_words), of the Unicode tables of Rust and
/// `unicode-normalization`, or of the numbering plans of `rlibphonenumber`, that folds any text differently needs the next number; a test
/// notices it.
pub const FOLD_VERSION: u32 = 4;

/// Characters of a word or folded text that count; the rest is left out. Two folded texts of four bytes a character fit into an index entry
/// of PostgreSQL, which takes 2,704 bytes.
const MAX_CHARS: usize = 200;

/// Canonical combining class of the nukta, the dot below a consonant of Indian scripts. It is often left out.
const NUKTA: u8 = 7;

/// Splits a text into folded words.
///
/// A word is a run of letters, digits and their combining marks, with at least one letter or digit. Folding means compatibility
/// decomposition (Unicode NFKD) in lower case, without the marks and with the letters that the script counts as one, and with digits of all
/// scripts as `0` to `9`. A word with apostrophes or hyphens is returned in parts and as a whole: `obrien` and `brien` both find `O'Brien`.
pub fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for Run { parts, whole } in runs(text) {
        all.extend(parts);
        all.extend(whole);
    }
    all
}

/// Words that a record must have for a search to find it.
pub type Query = Vec<String>;

/// Returns the queries of a search text, of which a record must match one; none if the text has no word.
///
/// A run of letters with apostrophes or hyphens is searched by its parts, and as a whole, because others write it without. A telephone
/// number is searched by its first digits, with and without the `00` of a call from abroad, and by its last.
pub fn queries(text: &str) -> Vec<Query> {
    let by_parts: Query = runs(text).into_iter().flat_map(|run| run.parts).collect();
    let as_wholes = runs(text).into_iter().flat_map(|run| run.whole.map_or(run.parts, |whole| vec![whole])).collect();
    let dialled = super::phone::phone_beginnings(text).into_iter().map(|digits| vec![digits]);
    let mut all: Vec<Query> =
        [by_parts, as_wholes].into_iter().chain(dialled).filter(|query| !query.is_empty()).collect();
    all.sort();
    all.dedup();
    all
}

/// Returns all letters, digits and marks of a text, folded as in [`words`] and joined. Names are compared in this form. A text that has
/// none, such as of signs only, is compared as it is stored.
pub fn folded_text(text: &str) -> String {
    let folded = cut(folded(text).chars().filter(|c| is_of_word(*c)));
    if folded.is_empty() { cut(normalize(text).chars().filter(|c| !is_control(*c))) } else { folded }
}

/// Begins a word that is compared as a whole. No search has it, because it is neither a letter nor a digit.
pub const COMPARED: char = '=';

/// Returns the word under which a folded text is stored to be compared as a whole.
pub fn compared_word(folded: &str) -> String {
    format!("{COMPARED}{folded}")
}

/// A run of letters that only apostrophes and hyphens separate.
struct Run {
    parts: Vec<String>,
    /// The parts together, if there are several.
    whole: Option<String>,
}

fn runs(text: &str) -> Vec<Run> {
    let folded = folded(text);
    let runs = folded.split(|c: char| !is_of_word(c) && c != JOINT);
    let runs = runs.map(|run| {
        let is_word = |part: &&str| part.chars().any(|c| !is_combining_mark(c));
        let parts: Vec<&str> = run.split(JOINT).filter(is_word).collect();
        let whole = (parts.len() > 1).then(|| cut(parts.iter().flat_map(|part| part.chars())));
        Run { parts: parts.iter().map(|part| cut(part.chars())).collect(), whole }
    });
    runs.filter(|run| !run.parts.is_empty()).collect()
}

/// Character of a folded text that stands for all apostrophes and hyphens.
const JOINT: char = '-';

fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let joined = text.chars().map(|c| if is_joint(c) { JOINT } else { c });
    for c in joined.nfkd().flat_map(char::to_lowercase).nfkd() {
        if c.is_ascii() {
            folded.push(c);
        } else if is_joint(c) {
            folded.push(JOINT);
        } else if let Some(digit) = ascii_digit(c) {
            folded.push(digit);
        } else if !is_ignorable(c) && canonical_combining_class(c) != NUKTA {
            script(c).fold(c, &mut folded);
        }
    }
    folded
}

fn cut(text: impl Iterator<Item = char>) -> String {
    text.take(MAX_CHARS).collect()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Returns whether a character joins parts of one word: an apostrophe, a letter like one, or a hyphen. U+00B4, which has a decomposition
/// with a blank, is often typed as an apostrophe.
fn is_joint(c: char) -> bool {
    matches!(
        c,
        '\'' | '`'
            | '\u{b4}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2bb}'
            | '\u{2bc}'
            | '\u{5f3}'
            | '\u{a78c}'
            | '-'
            | '\u{58a}'
            | '\u{5be}'
            | '\u{2010}'..='\u{2015}' | '\u{2212}'
    )
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
    use sha2::{Digest, Sha256};

    use super::super::phone_words;
    use super::*;

    #[test]
    fn words_are_folded_by_script() {
        for (text, expected) in [
            ("Lakshmi  DEVI", &["lakshmi", "devi"][..]),
            ("José Łukasz Øystein Yıldız İpek Groß", &["jose", "lukasz", "oystein", "yildiz", "ipek", "gross"]),
            ("Jose\u{301} Adébọ\u{300}wálé", &["jose", "adebowale"]),
            ("Ɗantata Kɔfi", &["dantata", "kofi"]),
            ("ﬁona ＡＢＣ", &["fiona", "abc"]),
            ("O\u{2019}Brien", &["o", "brien", "obrien"]),
            ("O\u{b4}Brien", &["o", "brien", "obrien"]),
            ("Anne-Marie d.kumar@farm.in", &["anne", "marie", "annemarie", "d", "kumar", "farm", "in"]),
            ("ΓΙΏΡΓΟΣ", &["γιωργοσ"]),
            ("لِأَحْمَد", &["لاحمد"]),
            ("ያዕቆብ", &["ያእቆብ"]),
            ("वार्ड १२", &["वार्ड", "12"]),
            ("ವಾರ್ಡ್‌ ೧೨", &["ವಾರ್ಡ್", "12"]),
            ("", &[]),
            (" - ' \u{93e}", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| word.nfkd().collect()).collect();
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spellings_of_one_name_are_one_word() {
        for (one, other) in [
            ("मिर्ज़ा", "मिर\u{94d}\u{95b}ा"),
            ("मिर्ज़ा", "मिर्जा"),
            ("মিয\u{9bc}া", "মি\u{9df}া"),
            ("चाँद", "चांद"),
            ("സുധീര\u{d4d}\u{200d}", "സുധീർ"),
            ("ಸೂರ\u{200d}\u{ccd}ಯ", "ಸೂರ\u{ccd}ಯ"),
            ("علی", "علي"),
            ("יוסף", "יוספ"),
            ("カタカナ", "ｶﾀｶﾅ"),
        ] {
            assert_eq!(words(one), words(other), "{one} {other}");
            assert_eq!(folded_text(one), folded_text(other), "{one} {other}");
        }
    }

    #[test]
    fn the_version_changes_with_any_folding() {
        let mut hash = Sha256::new();
        for c in '\0'..=char::MAX {
            hash.update(folded(c.encode_utf8(&mut [0; 4])));
            hash.update([u8::from(is_of_word(c))]);
        }
        let mut regions: Vec<_> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
        regions.sort_unstable_by_key(ToString::to_string);
        for number in regions.into_iter().filter_map(|region| PHONE_NUMBER_UTIL.get_example_number(region).ok()) {
            hash.update(phone_words(&number.format_as(PhoneNumberFormat::E164)).join(" "));
        }
        let digest = HEXLOWER.encode(&hash.finalize());
        let expected = (4, "41fdd07de4dd99ae299445ca9b6f2f30cfcd78be03b14534e32d8c8678bdd0a4");
        assert_eq!(
            (FOLD_VERSION, digest.as_str()),
            expected,
            "stored words differ from these: give FOLD_VERSION the next number"
        );
    }

    #[test]
    fn texts_of_signs_only_are_different_if_their_signs_are() {
        assert_ne!(folded_text("★"), folded_text("--"));
        assert_eq!(folded_text("\u{200b} \0"), "");
        assert_eq!(folded_text("A-B"), "ab");
    }

    #[test]
    fn vowel_signs_distinguish_words() {
        assert_ne!(words("लक्ष्मी"), words("लक्ष्मण"));
        assert_ne!(words("ಲಕ್ಷ್ಮಿ"), words("ಲಕ್ಷ್ಮಣ"));
    }

    #[test]
    fn a_search_text_is_taken_in_parts_and_as_a_whole() {
        let list = |text: &str| queries(text).into_iter().map(|query| query.join(" ")).collect::<Vec<_>>();
        assert_eq!(list("O'Brien"), ["o brien", "obrien"]);
        assert_eq!(list("Lakshmi Devi"), ["lakshmi devi"]);
        assert_eq!(list("098450 11"), ["098450 11", "09845011", "<11054890"]);
        assert_eq!(list("%"), [""; 0]);
        assert_eq!(list("\u{93f}"), [""; 0]);
    }
}
