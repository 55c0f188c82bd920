//! The words on papers, in every language.

use super::wording::Language;

/// Defines the enum [`Word`] with its texts in English, Kannada, Hindi and Arabic. `{}` is the place of a value.
macro_rules! words {
    ($($name:ident = $en:literal, $kn:literal, $hi:literal, $ar:literal;)+) => {
        /// A word or phrase on a paper; its English text is the documentation of a variant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $(#[doc = $en] $name,)+
        }

        impl Word {
            /// All words, in the order of declaration.
            pub const ALL: [Self; [$($en),+].len()] = [$(Self::$name),+];

            /// Returns the text, with `{}` in the place of each value.
            pub fn in_language(self, language: Language) -> &'static str {
                match self {
                    $(Self::$name => match language {
                        Language::English => $en,
                        Language::Kannada => $kn,
                        Language::Hindi => $hi,
                        Language::Arabic => $ar,
                    },)+
                }
            }
        }
    };
}

words! {
    Receipt = "Delivery receipt", "ವಿತರಣಾ ರಸೀದಿ", "सुपुर्दगी रसीद", "إيصال تسليم";
    LoadManifest = "Load manifest", "ಲೋಡ್ ಪಟ್ಟಿ", "लोड सूची", "بيان الحمولة";
    FarmerStatement = "Farmer statement", "ರೈತರ ಲೆಕ್ಕಪಟ್ಟಿ", "किसान विवरण", "كشف حساب المزارع";
    DayBook = "Day book", "ದಿನವಹಿ", "दैनिक बही", "دفتر اليومية";
    Original = "Original", "ಮೂಲ ಪ್ರತಿ", "मूल प्रति", "الأصل";
    CopyNumber = "Copy {}", "ಪ್ರತಿ {}", "प्रति {}", "نسخة {}";
    Amended = "AMENDED ({})", "ತಿದ್ದುಪಡಿ ({})", "संशोधित ({})", "معدّل ({})";
    Void = "VOID", "ರದ್ದು", "रद्द", "ملغى";
    Reason = "Reason", "ಕಾರಣ", "कारण", "السبب";
    OldValue = "Old", "ಹಳೆಯದು", "पुराना", "القديم";
    NewValue = "New", "ಹೊಸದು", "नया", "الجديد";
    Replaces = "Replaces receipt", "ಬದಲಾದ ರಸೀದಿ", "बदली गई रसीद", "يحل محل الإيصال";
    PaperForm = "Paper form", "ಕಾಗದದ ನಮೂನೆ", "काग़ज़ी प्रपत्र", "النموذج الورقي";
    ReplacedBy = "Replaced by receipt", "ಬದಲಿ ರಸೀದಿ", "नई रसीद", "حل محله الإيصال";
    Number = "No.", "ಸಂಖ್ಯೆ", "संख्या", "الرقم";
    Time = "Time", "ಸಮಯ", "समय", "الوقت";
    Date = "Date", "ದಿನಾಂಕ", "दिनांक", "التاريخ";
    Period = "Period", "ಅವಧಿ", "अवधि", "الفترة";
    Centre = "Centre", "ಕೇಂದ್ರ", "केंद्र", "المركز";
    Farmer = "Farmer", "ರೈತ", "किसान", "المزارع";
    FarmerCode = "Farmer code", "ರೈತರ ಕೋಡ್", "किसान कोड", "رمز المزارع";
    Telephone = "Telephone", "ದೂರವಾಣಿ", "फ़ोन", "الهاتف";
    Clerk = "Clerk", "ಗುಮಾಸ್ತ", "लिपिक", "الموظف";
    Driver = "Driver", "ಚಾಲಕ", "चालक", "السائق";
    Receiver = "Receiver", "ಸ್ವೀಕರಿಸಿದವರು", "प्राप्तकर्ता", "المستلم";
    Lorry = "Lorry", "ಲಾರಿ", "ट्रक", "الشاحنة";
    Load = "Load", "ಲೋಡ್", "लोड", "الحمولة";
    Destination = "Destination", "ಗಮ್ಯಸ್ಥಾನ", "गंतव्य", "الوجهة";
    Seals = "Seals", "ಮುದ್ರೆಗಳು", "सील", "الأختام";
    Version = "Version", "ಆವೃತ್ತಿ", "संस्करण", "الإصدار";
    Grade = "Grade", "ದರ್ಜೆ", "श्रेणी", "الدرجة";
    Bags = "Bags", "ಚೀಲಗಳು", "बोरियाँ", "الأكياس";
    Gross = "Gross weight", "ಒಟ್ಟು ತೂಕ", "कुल वज़न", "الوزن الإجمالي";
    Tare = "Tare", "ಚೀಲದ ತೂಕ", "बोरी का वज़न", "وزن الأكياس";
    MoistureDeduction = "Moisture", "ತೇವಾಂಶ ಕಡಿತ", "नमी कटौती", "خصم الرطوبة";
    HandlingLoss = "Handling loss", "ನಿರ್ವಹಣಾ ನಷ್ಟ", "रखरखाव हानि", "فاقد المناولة";
    QualityDeduction = "Quality", "ಗುಣಮಟ್ಟ ಕಡಿತ", "गुणवत्ता कटौती", "خصم الجودة";
    QualityCap = "Quality limit", "ಗುಣಮಟ್ಟ ಕಡಿತದ ಮಿತಿ", "गुणवत्ता कटौती सीमा", "حد خصم الجودة";
    Excess = "More than weighed", "ತೂಕಕ್ಕಿಂತ ಹೆಚ್ಚಿನ ಕಡಿತ", "वज़न से अधिक कटौती", "خصم يفوق الوزن";
    Lot = "Lot {}", "ಗುಂಪು {}", "ढेरी {}", "دفعة {}";
    FullVehicle = "Vehicle {}, full", "ವಾಹನ {}, ತುಂಬಿದ", "वाहन {}, भरा", "المركبة {} محملة";
    EmptyVehicle = "Vehicle {}, empty", "ವಾಹನ {}, ಖಾಲಿ", "वाहन {}, खाली", "المركبة {} فارغة";
    Allowance = "Allowance", "ರಿಯಾಯಿತಿ ಕಡಿತ", "छूट कटौती", "سماح";
    Net = "Net weight", "ನಿವ್ವಳ ತೂಕ", "शुद्ध वज़न", "الوزن الصافي";
    MoistureReading = "Moisture reading", "ತೇವಾಂಶ", "नमी", "قراءة الرطوبة";
    Meter = "Meter", "ಮೀಟರ್", "मीटर", "جهاز القياس";
    Method = "Method", "ವಿಧಾನ", "विधि", "الطريقة";
    LastReading = "last reading", "ಕೊನೆಯ ಅಳತೆ", "अंतिम माप", "آخر قراءة";
    AverageReading = "average", "ಸರಾಸರಿ", "औसत", "المتوسط";
    WorstReading = "worst reading", "ಗರಿಷ್ಠ ಅಳತೆ", "अधिकतम माप", "أسوأ قراءة";
    NoMoistureDeduction = "no deduction", "ಕಡಿತವಿಲ್ಲ", "कोई कटौती नहीं", "بلا خصم";
    PerBagPerPoint = "weight per bag and point", "ಪ್ರತಿ ಚೀಲ ಮತ್ತು ಅಂಶಕ್ಕೆ", "प्रति बोरी और अंक", "وزن لكل كيس ونقطة";
    WaterShrink = "water shrink", "ನೀರಿನ ಕುಗ್ಗುವಿಕೆ", "जल संकुचन", "انكماش الماء";
    ConstantFactor = "constant factor", "ಸ್ಥಿರ ಅಂಶ", "स्थिर गुणक", "معامل ثابت";
    StepTable = "step table", "ಹಂತಗಳ ಕೋಷ್ಟಕ", "चरण तालिका", "جدول متدرج";
    PriceBracket = "price bracket", "ಬೆಲೆ ಶ್ರೇಣಿ", "मूल्य वर्ग", "شريحة السعر";
    Price = "Price", "ಬೆಲೆ", "मूल्य", "السعر";
    PriceUndecided = "to be decided", "ನಿರ್ಧರಿಸಬೇಕಿದೆ", "तय होना बाकी", "يحدد لاحقا";
    PerKilogram = "{} per kg", "ಕೆ.ಜಿ.ಗೆ {}", "{} प्रति कि.ग्रा.", "{} لكل كغ";
    PerQuintal = "{} per quintal", "ಕ್ವಿಂಟಲ್‌ಗೆ {}", "{} प्रति क्विंटल", "{} لكل قنطار";
    PerTonne = "{} per tonne", "ಟನ್‌ಗೆ {}", "{} प्रति टन", "{} لكل طن";
    Kilograms = "{} kg", "{} ಕೆ.ಜಿ.", "{} कि.ग्रा.", "{} كغ";
    InKilograms = "kg", "ಕೆ.ಜಿ.", "कि.ग्रा.", "كغ";
    Amount = "Value", "ಮೌಲ್ಯ", "राशि", "القيمة";
    Estimate = "Estimate, not final", "ಅಂದಾಜು, ಅಂತಿಮವಲ್ಲ", "अनुमान, अंतिम नहीं", "تقدير غير نهائي";
    EstimateMark = "{} (estimate)", "{} (ಅಂದಾಜು)", "{} (अनुमान)", "{} (تقدير)";
    AdvancesOn = "Advances outstanding on {}", "{} ರಂದು ಬಾಕಿ ಮುಂಗಡ", "{} को बकाया अग्रिम", "السلف القائمة في {}";
    Advances = "Advances", "ಮುಂಗಡಗಳು", "अग्रिम", "السلف";
    Outstanding = "Outstanding", "ಬಾಕಿ", "बकाया", "المتبقي";
    AgeDays = "Days", "ದಿನಗಳು", "दिन", "الأيام";
    Kind = "Kind", "ವಿಧ", "प्रकार", "النوع";
    CashAdvance = "cash", "ನಗದು", "नकद", "نقدا";
    OnAccountAdvance = "on account", "ವಿತರಣೆ ಮೇಲೆ", "सुपुर्दगी पर", "على الحساب";
    InKindAdvance = "goods", "ಸರಕು", "सामान", "عينيا";
    ScaleNumber = "Scale", "ತಕ್ಕಡಿ", "तराज़ू", "الميزان";
    CalibratedOn = "Calibrated on", "ಮಾಪನಾಂಕ ದಿನಾಂಕ", "अंशांकन तिथि", "تاريخ المعايرة";
    CalibrationOverdue = "Calibration of the scale is overdue", "ತಕ್ಕಡಿಯ ಮಾಪನಾಂಕ ಅವಧಿ ಮೀರಿದೆ", "तराज़ू का अंशांकन समय से बाहर है", "معايرة الميزان متأخرة";
    RuleSet = "Rule set", "ನಿಯಮಾವಳಿ", "नियमावली", "مجموعة القواعد";
    Deliveries = "Deliveries", "ವಿತರಣೆಗಳು", "सुपुर्दगियाँ", "التسليمات";
    Part = "Part", "ಭಾಗ", "भाग", "جزء";
    Total = "Total", "ಒಟ್ಟು", "कुल", "المجموع";
    ReceiptNumber = "Receipt", "ರಸೀದಿ", "रसीद", "الإيصال";
    Voided = "Voided", "ರದ್ದಾದವು", "रद्द किए गए", "الملغاة";
    Unsent = "Not yet sent", "ಇನ್ನೂ ಕಳುಹಿಸಿಲ್ಲ", "अभी नहीं भेजे गए", "لم ترسل بعد";
    Information = "Information only: the settlement counts", "ಮಾಹಿತಿಗಾಗಿ ಮಾತ್ರ: ಅಂತಿಮ ಲೆಕ್ಕವೇ ಮಾನ್ಯ", "केवल जानकारी: अंतिम हिसाब मान्य होगा", "للعلم فقط: العبرة بالتسوية";
    SignedOnScreen = "Farmer signed on the screen", "ರೈತರು ಪರದೆಯ ಮೇಲೆ ಸಹಿ ಮಾಡಿದರು", "किसान ने स्क्रीन पर हस्ताक्षर किए", "وقّع المزارع على الشاشة";
    SignatureOf = "Signature: {}", "ಸಹಿ: {}", "हस्ताक्षर: {}", "التوقيع: {}";
    CheckCode = "Check with this code", "ಈ ಕೋಡ್‌ನಿಂದ ಪರಿಶೀಲಿಸಿ", "इस कोड से जाँचें", "تحقق بهذا الرمز";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a character belongs to the script of a language.
    fn is_of(language: Language, c: char) -> bool {
        match language {
            Language::English => c.is_ascii_alphabetic(),
            Language::Kannada => ('\u{c80}'..='\u{cff}').contains(&c),
            Language::Hindi => ('\u{900}'..='\u{97f}').contains(&c),
            Language::Arabic => ('\u{600}'..='\u{6ff}').contains(&c),
        }
    }

    #[test]
    fn every_word_is_written_in_the_script_of_each_language_with_the_same_values() {
        for word in Word::ALL {
            let values = |text: &str| text.matches("{}").count();
            let english = values(word.in_language(Language::English));
            for language in Language::ALL {
                let text = word.in_language(language);
                assert!(text.chars().any(|c| is_of(language, c)), "{word:?} in {language}: {text}");
                let strange: String = text.chars().filter(|c| c.is_alphabetic() && !is_of(language, *c)).collect();
                assert_eq!(strange, "", "{word:?} in {language}: {text}");
                assert_eq!(values(text), english, "{word:?} in {language}: {text}");
                assert_eq!(crate::text::normalize(text), text, "{word:?} in {language}");
            }
        }
    }

    #[test]
    fn no_two_words_of_a_language_are_the_same() {
        for language in Language::ALL {
            let mut texts: Vec<&str> = Word::ALL.iter().map(|word| word.in_language(language)).collect();
            texts.sort_unstable();
            let repeated: Vec<&[&str]> = texts.windows(2).filter(|pair| pair.first() == pair.last()).collect();
            assert_eq!(repeated, Vec::<&[&str]>::new(), "{language}");
        }
    }
}
