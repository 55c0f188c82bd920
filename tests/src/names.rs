//! Names of farmers in many scripts, and how people search for them.

use farmtally_core::units::DocumentId;
use unicode_normalization::UnicodeNormalization;

use crate::{Market, Person};

/// A farmer's name as it is typed and printed, and texts that find it besides the beginnings of its words.
pub struct Name {
    /// The name.
    pub typed: &'static str,
    /// Other ways to type it or a part of it.
    pub also: &'static [&'static str],
}

const fn name(typed: &'static str, also: &'static [&'static str]) -> Name {
    Name { typed, also }
}

/// Twenty-one names in thirteen scripts: Latin, Greek, Cyrillic, Hebrew, Arabic, Devanagari, Bengali, Tamil, Kannada, Malayalam, Ethiopic,
/// Han and Hangul. The Yoruba name has letters without a composed form, the Kannada names and the second Malayalam one U+200D.
pub const NAMES: [Name; 21] = [
    name("O'Brien", &["brien", "obrien", "o'b", "O\u{2019}Brien", "o\u{b4}brien", "OBR", "ɓ", "Ɓ"]),
    name("Anne-Marie Nguyễn", &["annemarie", "anne marie", "nguyen", "ANNE\u{2013}MARIE"]),
    name("Adébọ\u{300}wálé", &["adebowale", "ADEBOWALE", "Adébò\u{323}wálé"]),
    name("Łukasz Groß", &["lukasz", "gross", "GROSS"]),
    name("Ƙasimu Ɓagudu", &["kasimu", "bagudu"]),
    name("Γιώργος", &["γιωργος", "ΓΙΩΡΓΟΣ"]),
    name("Фёдор", &["федор", "ФЕДОР"]),
    name("יוסף", &["יוסף"]),
    name("أحمد", &["احمد", "أَحْمَد"]),
    name("علی رضا", &["علي رضا"]),
    name("मिर\u{94d}\u{91c}\u{93c}ा", &["मिर\u{94d}\u{95b}ा", "मिर\u{94d}जा"]),
    name("लक्ष्मी देवी", &["लक्ष्मी", "देवी"]),
    name("মি\u{9af}\u{9bc}া", &["মি\u{9df}া"]),
    name("செல்வி", &["செல்வி"]),
    name("ಲಕ್ಷ್ಮಿ ದೇವಿ", &["ದೇವಿ"]),
    name("ಸೂರ\u{200d}\u{ccd}ಯ", &["ಸೂರ\u{ccd}ಯ"]),
    name("രാധ", &["രാധ"]),
    name("സുധീര\u{d4d}\u{200d}", &["സുധീർ"]),
    name("ዐለሙ", &["አለሙ"]),
    name("李小龍", &["李"]),
    name("김민준", &["김"]),
];

impl Name {
    /// Texts that must find the name: every beginning of its words, composed and decomposed, in small and capital letters, and `also`.
    pub fn searches(&self) -> Vec<String> {
        let mut all: Vec<String> = self.also.iter().map(|text| (*text).to_owned()).collect();
        for word in self.typed.split(' ') {
            for (at, c) in word.char_indices() {
                let beginning = &word[..at + c.len_utf8()];
                all.extend([beginning.to_lowercase(), beginning.to_uppercase()]);
                all.extend([beginning.nfc().collect(), beginning.nfd().collect()]);
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

/// Registers all names at KOLAR, syncs, and returns the searches that do not find their name, or find one that has another word, on the
/// phone and on the server.
pub fn wrongly_searched(market: &Market, person: &Person) -> Vec<String> {
    let farmers: Vec<DocumentId> =
        NAMES.iter().map(|name| person.registers(name.typed, "", "").farmer_id.into()).collect();
    person.syncs_wholly();
    let searches: Vec<Vec<String>> = NAMES.iter().map(Name::searches).collect();
    let mut wrong = Vec::new();
    for (name, text) in NAMES.iter().zip(&searches).flat_map(|(name, texts)| texts.iter().map(move |text| (name, text)))
    {
        let shown = person.farmers(text).expect("a search");
        let found = market.server.find(market.organisation, text).expect("a search");
        let on_phone: Vec<DocumentId> = shown.items.into_iter().map(|row| row.farmer_id.into()).collect();
        let on_server: Vec<DocumentId> = found.into_iter().map(|it| it.document_id).collect();
        for ((other, farmer), texts) in NAMES.iter().zip(&farmers).zip(&searches) {
            for (place, found) in [("phone", &on_phone), ("server", &on_server)] {
                if found.contains(farmer) != texts.contains(text) {
                    wrong.push(format!("{}: {text} and {} on the {place}", name.typed, other.typed));
                }
            }
        }
    }
    wrong
}
