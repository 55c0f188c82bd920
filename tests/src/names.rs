//! Names of farmers in many scripts, and how people search for them.

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
    name("O'Brien", &["brien", "obrien", "o'b", "O\u{2019}Brien", "o\u{b4}brien", "OBR"]),
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

/// Registers all names at KOLAR, syncs, and returns the searches that do not find their name, on the phone and on the server.
pub fn not_found(market: &Market, person: &Person) -> Vec<String> {
    let farmers: Vec<_> = NAMES.iter().map(|name| person.registers(name.typed, "", "").farmer_id).collect();
    person.syncs_wholly();
    let centre = "KOLAR".parse().expect("a code");
    let mut missing = Vec::new();
    for (name, farmer) in NAMES.iter().zip(farmers) {
        for text in name.searches() {
            let shown = person.client.farmers(&centre, &text, 100).expect("a search");
            if !shown.iter().any(|row| row.farmer_id == farmer) {
                missing.push(format!("{}: {text} on the phone", name.typed));
            }
            let found = market.server.find(market.organisation, &text).expect("a search");
            if !found.iter().any(|it| it.document_id == farmer.into()) {
                missing.push(format!("{}: {text} on the server", name.typed));
            }
        }
    }
    missing
}
