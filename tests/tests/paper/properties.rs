//! What holds for any text and any figures.

use farmtally_core::paper::escpos::{self, CodePage, PrinterProfile};
use farmtally_core::paper::pdf::{self, Sheet};
use farmtally_core::paper::{
    BagLine, Cell, DeductionLine, Language, Line, Page, PaperWidth, Receipt, ShortLine, Value, Wording, html, sms, text,
};
use farmtally_core::rules::LineKind;
use farmtally_core::units::Grams;
use farmtally_tests::paper::{Interpreter, KINDS, PHONE, fonts, page, receipt};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

/// Texts with what breaks lines, shapes and markup: any characters, marks, joiners, several scripts, commands, tags.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        "[ಕ-ಹ]್?[ಾ-ೌ]?",
        "[क-ह]{1,3}्?\u{200d}?[ा-ौ]?",
        "[ا-ي]{1,9}[\u{64b}-\u{652}]?",
        "[a-z0-9 .,-]{0,40}",
        "[\u{0}-\u{20}\u{7f}-\u{a0}\u{200b}-\u{206f}\u{fe00}-\u{fe0f}]{0,4}",
        Just("<b>&amp;\"'".to_owned()),
        Just("\u{1b}@\u{1d}VB\0".to_owned()),
        Just("👩‍👩‍👧‍👦🇮🇳".to_owned()),
        Just("x".repeat(200)),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A page that has a text in every place.
fn page_of(text: &str, language: Language) -> Page {
    let mut page = Page::new(language.into(), text);
    let cells = || [Cell::start(text, 5), Cell::end(text, 2), Cell::end(text, 3)];
    page.lines = vec![
        Line::Heading(text.into()),
        Line::text(text),
        Line::notice(text),
        Line::pair(text, text),
        Line::strong_row(cells()),
        Line::row(std::iter::repeat_n(Cell::start(text, 1), 40)),
        Line::Signature(text.into()),
        Line::Qr { content: "code".into(), caption: text.into() },
        Line::Rule,
        Line::Blank,
    ];
    page.short = vec![ShortLine { text: text.into(), drop_order: 1 }, ShortLine { text: "7".into(), drop_order: 0 }];
    page
}

fn languages() -> impl Strategy<Value = Language> {
    proptest::sample::select(Language::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_makes_a_line_wider_than_the_paper(text in any_text(), language in languages()) {
        let page = page_of(&text, language);
        for width in [PaperWidth::Mm58, PaperWidth::Mm80] {
            for line in text::render(&page, width).lines() {
                prop_assert!(line.width() <= width.columns() as usize, "{line:?} has {} columns", line.width());
                let is_command = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}');
                prop_assert!(!line.chars().any(is_command), "{line:?}");
            }
        }
    }

    /// The interpreter fails on commands that the encoder does not write, and on lines and pictures wider than the paper.
    #[test]
    fn no_text_disturbs_a_printer(text in any_text(), language in languages(), is_ascii in any::<bool>()) {
        let fonts = fonts();
        let code_page = if is_ascii { CodePage::Ascii } else { CodePage::Windows1252 };
        let profile = PrinterProfile { width: PaperWidth::Mm58, code_page, has_qr: true, cuts: true };
        // Without what the interpreter's fonts have no letters for; those are drawn by core alone.
        let page = page_of(&text, language);
        let job = escpos::render(&page, &profile, Some(&fonts)).expect("a job");
        let printout = Interpreter::print(&[job.start.as_slice(), &job.end].concat(), PaperWidth::Mm58, &fonts);
        prop_assert_eq!(printout.cuts, 1);
        let mut interpreter = Interpreter::new(PaperWidth::Mm58, fonts);
        prop_assert_eq!(interpreter.read(&job.start), None);
        for line in &job.lines {
            prop_assert_eq!(interpreter.read(line), None, "a command without its end");
        }
        prop_assert_eq!(interpreter.printout().cuts, 0);
    }

    #[test]
    fn any_text_becomes_a_message_html_and_pdf(text in any_text(), language in languages()) {
        let page = page_of(&text, language);
        let message = sms::render(&page, 1).expect("the number alone fits");
        prop_assert!(message.text.ends_with('7') && message.parts == 1);
        let html = html::render(&page).expect("a document");
        let tags = html.matches('<').count();
        prop_assert_eq!(tags, html.matches('>').count(), "a tag from a text");
        prop_assert_eq!(tags, html::render(&page_of("x", language)).expect("a document").matches('<').count());
        prop_assert!(pdf::render(&page, Sheet::A5, &fonts()).expect("a file").starts_with(b"%PDF-1.7"));
    }

    #[test]
    fn figures_are_printed_as_given(
        bags in proptest::collection::vec(1_i64..=1_000_000, 1..40),
        deductions in proptest::collection::vec(1_i64..=50_000_000, 0..4),
        language in languages(),
    ) {
        let (receipt, gross) = receipt_of(&bags, &deductions, language);
        let text = text::plain(&receipt.page(language.into()));
        let figures = printed_grams(&text);
        let net = gross - deductions.iter().sum::<i64>();
        for grams in bags.iter().copied().chain([gross, net]).chain(deductions.iter().map(|grams| -grams)) {
            prop_assert!(figures.contains(&grams), "{grams} g is not in {text}");
        }
        let printed_bags: i64 = bag_grams(&text).iter().sum();
        prop_assert_eq!(printed_bags, gross, "{}", text);
    }
}

/// A receipt of bags and deductions, without what else has kilograms.
fn receipt_of(bags: &[i64], deductions: &[i64], language: Language) -> (Receipt, i64) {
    let mut receipt = receipt(language);
    let gross: i64 = bags.iter().sum();
    let net = gross - deductions.iter().sum::<i64>();
    let group = &mut receipt.groups[0];
    group.bags = (1..).zip(bags).map(|(number, grams)| BagLine { number, gross: Grams(*grams) }).collect();
    let kinds = [LineKind::Tare, LineKind::Moisture, LineKind::Quality, LineKind::HandlingLoss];
    let line = |(kind, grams): (LineKind, &i64)| DeductionLine { kind, name: String::new(), amount: Grams(-grams) };
    group.deductions = kinds.into_iter().zip(deductions).map(line).collect();
    (group.gross, group.net, group.value) = (Grams(gross), Grams(net), Value::Unknown);
    receipt.amendment = None;
    (receipt, gross)
}

/// The numbers with a decimal point in a text as thousandths.
fn printed_grams(text: &str) -> Vec<i64> {
    let text = text.replace(['\u{200e}', '\u{200f}'], "");
    let is_figure = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let words =
        text.split(|c: char| c.is_whitespace()).filter(|word| word.contains('.') && word.chars().all(is_figure));
    words.filter_map(|word| word.parse::<Grams>().ok()).map(|grams| grams.0).collect()
}

/// The weights of the bags: those after a label with a colon.
fn bag_grams(text: &str) -> Vec<i64> {
    let cells = text.lines().flat_map(|line| line.split('\t')).filter_map(|cell| cell.split_once(": "));
    let bags = cells.filter(|(label, _)| label.chars().all(|c| c.is_ascii_digit()));
    bags.filter_map(|(_, weight)| weight.parse::<Grams>().ok()).map(|grams| grams.0).collect()
}

#[test]
fn no_paper_shows_a_whole_telephone_number() {
    for language in Language::ALL {
        for kind in KINDS {
            let page = page(kind, language);
            let html = html::render(&page).expect("a document");
            for digits in [PHONE, &PHONE[3..], "98450"] {
                assert!(!html.contains(digits), "{digits} in {kind} in {language}");
            }
        }
    }
    assert!(text::plain(&page("receipt", Language::English)).contains("******1111"));
}

#[test]
fn native_digits_are_printed_on_request_and_never_in_codes() {
    let wording = Wording { has_native_digits: true, ..Language::Kannada.into() };
    let text = text::plain(&receipt(Language::Kannada).page(wording));
    assert!(text.contains("೪೨೫.೫೫ ಕೆ.ಜಿ.") && text.contains("KOLAR-13-17-W"), "{text}");
}
