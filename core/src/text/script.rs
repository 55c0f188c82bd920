//! What each script needs: which joiners its letters use, which of its marks do not distinguish words, and which of its letters count as one.
//!
//! A script that is not listed keeps all its marks and letters.

use std::ops::RangeInclusive;

/// Whether U+200C and U+200D choose the form of a script's letters (Unicode Standard Annex 31, section 2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joiners {
    /// They have no effect on its letters.
    Unused,
    /// Its letters connect as in handwriting; a joiner may also end a word.
    Cursive,
    /// Its consonants form conjuncts; a joiner may end a word after a virama only.
    Conjunct,
}

/// A script, or several that share their marks.
pub(super) struct Script {
    /// Ranges of its code points.
    pub(super) blocks: &'static [RangeInclusive<char>],
    pub(super) joiners: Joiners,
    /// Marks and letters that do not distinguish words.
    ignored: &'static [RangeInclusive<char>],
    /// Letters after canonical and compatibility decomposition in lower case, and what they count as.
    letters: &'static [(char, &'static str)],
    /// Ranges of letters, and the first of the range of letters that they count as.
    ranges: &'static [(RangeInclusive<char>, char)],
}

const NOTHING: Script = Script { blocks: &[], joiners: Joiners::Unused, ignored: &[], letters: &[], ranges: &[] };

const SCRIPTS: [Script; 19] = [
    // Latin, Greek and Cyrillic. The letters have no decomposition; those with hooks are of Hausa, those with other forms of Ewe and Akan.
    Script {
        blocks: &[
            'a'..='\u{52f}',
            '\u{1ab0}'..='\u{1aff}',
            '\u{1d00}'..='\u{1fff}',
            '\u{20d0}'..='\u{20ff}',
            '\u{2c60}'..='\u{2c7f}',
            '\u{a720}'..='\u{a7ff}',
            '\u{ab30}'..='\u{ab6f}',
            '\u{fe20}'..='\u{fe2f}',
        ],
        ignored: &[
            '\u{300}'..='\u{36f}',
            '\u{483}'..='\u{489}',
            '\u{1ab0}'..='\u{1aff}',
            '\u{1dc0}'..='\u{1dff}',
            '\u{20d0}'..='\u{20ff}',
            '\u{fe20}'..='\u{fe2f}',
        ],
        letters: &[
            ('ß', "ss"),
            ('æ', "ae"),
            ('ð', "d"),
            ('ø', "o"),
            ('þ', "th"),
            ('đ', "d"),
            ('ħ', "h"),
            ('ı', "i"),
            ('ĸ', "k"),
            ('ł', "l"),
            ('ŋ', "n"),
            ('œ', "oe"),
            ('ŧ', "t"),
            ('ƒ', "f"),
            ('ƙ', "k"),
            ('ƴ', "y"),
            ('ǝ', "e"),
            ('ɓ', "b"),
            ('ɔ', "o"),
            ('ɖ', "d"),
            ('ɗ', "d"),
            ('ə', "e"),
            ('ɛ', "e"),
            ('ɣ', "g"),
            ('ɩ', "i"),
            ('ɨ', "i"),
            ('ʉ', "u"),
            ('ʊ', "u"),
            ('ʋ', "v"),
            ('ς', "σ"),
        ],
        ..NOTHING
    },
    // Hebrew: points and accents; letters at the end of a word.
    Script {
        blocks: &['\u{590}'..='\u{5ff}'],
        ignored: &[
            '\u{591}'..='\u{5bd}',
            '\u{5bf}'..='\u{5bf}',
            '\u{5c1}'..='\u{5c2}',
            '\u{5c4}'..='\u{5c5}',
            '\u{5c7}'..='\u{5c7}',
        ],
        letters: &[('ך', "כ"), ('ם', "מ"), ('ן', "נ"), ('ף', "פ"), ('ץ', "צ")],
        ..NOTHING
    },
    // Arabic: vowel points, hamza on a carrier, the elongation U+0640; the forms of one letter on Persian and Urdu keyboards.
    Script {
        blocks: &['\u{600}'..='\u{6ff}', '\u{750}'..='\u{77f}', '\u{870}'..='\u{8ff}'],
        joiners: Joiners::Cursive,
        ignored: &[
            '\u{610}'..='\u{61a}',
            '\u{640}'..='\u{640}',
            '\u{64b}'..='\u{65f}',
            '\u{670}'..='\u{670}',
            '\u{6d6}'..='\u{6dc}',
            '\u{6df}'..='\u{6e8}',
            '\u{6ea}'..='\u{6ed}',
            '\u{8d3}'..='\u{8e1}',
            '\u{8e3}'..='\u{8ff}',
        ],
        letters: &[
            ('\u{629}', "\u{647}"),
            ('\u{649}', "\u{64a}"),
            ('\u{671}', "\u{627}"),
            ('\u{6a9}', "\u{643}"),
            ('\u{6be}', "\u{647}"),
            ('\u{6c1}', "\u{647}"),
            ('\u{6c3}', "\u{647}"),
            ('\u{6cc}', "\u{64a}"),
            ('\u{6d5}', "\u{647}"),
        ],
        ..NOTHING
    },
    // Syriac, N'Ko with its tone marks, and Mongolian.
    Script {
        blocks: &['\u{700}'..='\u{74f}', '\u{7c0}'..='\u{7ff}', '\u{1800}'..='\u{18af}'],
        joiners: Joiners::Cursive,
        ignored: &['\u{730}'..='\u{74a}', '\u{7eb}'..='\u{7f3}', '\u{7fd}'..='\u{7fd}'],
        ..NOTHING
    },
    // The scripts of India and Sri Lanka. The sign candrabindu is often written as anusvara, and the other way round.
    // Devanagari: accents too.
    Script {
        blocks: &['\u{900}'..='\u{97f}', '\u{a8e0}'..='\u{a8ff}'],
        joiners: Joiners::Conjunct,
        ignored: &['\u{951}'..='\u{954}'],
        letters: &[('\u{901}', "\u{902}")],
        ..NOTHING
    },
    // Bengali: candrabindu is often left out; khanda ta is ta with virama.
    Script {
        blocks: &['\u{980}'..='\u{9ff}'],
        joiners: Joiners::Conjunct,
        ignored: &['\u{981}'..='\u{981}'],
        letters: &[('\u{9ce}', "\u{9a4}\u{9cd}")],
        ..NOTHING
    },
    // Gurmukhi: tippi and bindi.
    Script {
        blocks: &['\u{a00}'..='\u{a7f}'],
        joiners: Joiners::Conjunct,
        letters: &[('\u{a01}', "\u{a02}"), ('\u{a70}', "\u{a02}")],
        ..NOTHING
    },
    // Gujarati.
    Script {
        blocks: &['\u{a80}'..='\u{aff}'],
        joiners: Joiners::Conjunct,
        letters: &[('\u{a81}', "\u{a82}")],
        ..NOTHING
    },
    // Odia.
    Script {
        blocks: &['\u{b00}'..='\u{b7f}'],
        joiners: Joiners::Conjunct,
        letters: &[('\u{b01}', "\u{b02}")],
        ..NOTHING
    },
    // Tamil.
    Script { blocks: &['\u{b80}'..='\u{bff}'], joiners: Joiners::Conjunct, ..NOTHING },
    // Telugu.
    Script {
        blocks: &['\u{c00}'..='\u{c7f}'],
        joiners: Joiners::Conjunct,
        letters: &[('\u{c01}', "\u{c02}")],
        ..NOTHING
    },
    // Kannada.
    Script {
        blocks: &['\u{c80}'..='\u{cff}'],
        joiners: Joiners::Conjunct,
        letters: &[('\u{c81}', "\u{c82}")],
        ..NOTHING
    },
    // Malayalam: a chillu letter is its consonant with virama and U+200D.
    Script {
        blocks: &['\u{d00}'..='\u{d7f}'],
        joiners: Joiners::Conjunct,
        letters: &[
            ('\u{d01}', "\u{d02}"),
            ('\u{d54}', "\u{d2e}\u{d4d}"),
            ('\u{d55}', "\u{d2f}\u{d4d}"),
            ('\u{d56}', "\u{d34}\u{d4d}"),
            ('\u{d7a}', "\u{d23}\u{d4d}"),
            ('\u{d7b}', "\u{d28}\u{d4d}"),
            ('\u{d7c}', "\u{d30}\u{d4d}"),
            ('\u{d7d}', "\u{d32}\u{d4d}"),
            ('\u{d7e}', "\u{d33}\u{d4d}"),
            ('\u{d7f}', "\u{d15}\u{d4d}"),
        ],
        ..NOTHING
    },
    // Sinhala.
    Script { blocks: &['\u{d80}'..='\u{dff}'], joiners: Joiners::Conjunct, ..NOTHING },
    // Myanmar and Khmer.
    Script { blocks: &['\u{1000}'..='\u{109f}', '\u{1780}'..='\u{17ff}'], joiners: Joiners::Conjunct, ..NOTHING },
    // Ethiopic: letters that sound alike in Amharic, and the marks of gemination.
    Script {
        blocks: &['\u{1200}'..='\u{139f}'],
        ignored: &['\u{135d}'..='\u{135f}'],
        ranges: &[
            ('\u{1210}'..='\u{1216}', '\u{1200}'),
            ('\u{1280}'..='\u{1286}', '\u{1200}'),
            ('\u{1220}'..='\u{1226}', '\u{1230}'),
            ('\u{12d0}'..='\u{12d6}', '\u{12a0}'),
            ('\u{1340}'..='\u{1346}', '\u{1338}'),
        ],
        ..NOTHING
    },
    // Katakana counts as Hiragana.
    Script { blocks: &['\u{30a1}'..='\u{30f6}'], ranges: &[('\u{30a1}'..='\u{30f6}', '\u{3041}')], ..NOTHING },
    // Adlam: marks of length and doubling.
    Script {
        blocks: &['\u{1e900}'..='\u{1e95f}'],
        joiners: Joiners::Cursive,
        ignored: &['\u{1e944}'..='\u{1e94a}'],
        ..NOTHING
    },
    // Phags-pa and Manichaean, which connect their letters.
    Script { blocks: &['\u{a840}'..='\u{a87f}', '\u{10ac0}'..='\u{10aff}'], joiners: Joiners::Cursive, ..NOTHING },
];

/// Zeros of the decimal digits of all scripts (Unicode's decimal numbers); each is followed by one to nine. Those with a compatibility
/// decomposition are left out.
const ZEROS: [char; 43] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{1e140}',
    '\u{1e950}',
];

/// Returns the script of a character; one without joiners or foldings if it is not listed.
pub(super) fn script(c: char) -> &'static Script {
    SCRIPTS.iter().find(|script| script.blocks.iter().any(|block| block.contains(&c))).unwrap_or(&NOTHING)
}

/// Returns a decimal digit of any script as one of `0` to `9`; `None` for another character.
pub(super) fn ascii_digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let at = u32::from(c);
    let value = ZEROS.iter().find_map(|zero| at.checked_sub(u32::from(*zero)).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

impl Script {
    /// Appends what a decomposed character in lower case counts as; nothing if it does not distinguish words.
    pub(super) fn fold(&self, c: char, folded: &mut String) {
        if self.ignored.iter().any(|range| range.contains(&c)) {
            return;
        }
        if let Some((_, letters)) = self.letters.iter().find(|(letter, _)| *letter == c) {
            return folded.push_str(letters);
        }
        let shifted = self.ranges.iter().find(|(range, _)| range.contains(&c));
        folded.push(shifted.and_then(|(range, onto)| shift(c, *range.start(), *onto)).unwrap_or(c));
    }
}

fn shift(c: char, from: char, onto: char) -> Option<char> {
    char::from_u32(u32::from(onto) + u32::from(c).checked_sub(u32::from(from))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_folds_is_within_its_blocks() {
        for script in &SCRIPTS {
            let letters = script.letters.iter().map(|(letter, _)| *letter);
            let ends = script.ignored.iter().chain(script.ranges.iter().map(|(range, _)| range));
            let folded: Vec<char> = ends.flat_map(|range| [*range.start(), *range.end()]).chain(letters).collect();
            for c in folded {
                let is_inside = script.blocks.iter().any(|block| block.contains(&c));
                assert!(is_inside, "U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn digits_of_every_script_are_digits() {
        for (text, digits) in [("०९", "09"), ("೦೯", "09"), ("٠٩۰۹", "0909"), ("๐๙", "09"), ("\u{1e950}\u{1e959}", "09")]
        {
            assert_eq!(text.chars().filter_map(ascii_digit).collect::<String>(), digits, "{text}");
        }
        for zero in ZEROS {
            let next = char::from_u32(u32::from(zero) + 9).expect("a digit");
            assert_eq!((ascii_digit(zero), ascii_digit(next)), (Some('0'), Some('9')), "{zero}");
            assert!(zero.is_numeric() && next.is_numeric(), "U+{:04X}", u32::from(zero));
        }
        assert_eq!(ascii_digit('½'), None);
    }
}
