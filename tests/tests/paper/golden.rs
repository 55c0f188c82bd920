//! Each form in each language as it was accepted.

use std::path::PathBuf;

use farmtally_core::paper::escpos::{self, CodePage, PrinterProfile};
use farmtally_core::paper::pdf::{self, Sheet};
use farmtally_core::paper::{Bitmap, Language, Page, PaperWidth, html, sms, text};
use farmtally_tests::paper::{Interpreter, KINDS, fonts, from_png, page, qr_contents, to_png};

use crate::pdf::inflated;

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/fixtures/paper/{name}", env!("CARGO_MANIFEST_DIR")))
}

fn accepted(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Each kind of paper in each language, with the beginning of its files' names.
fn papers() -> impl Iterator<Item = (String, Page)> {
    let named = |kind| move |language: Language| (format!("{kind}-{language}"), page(kind, language));
    KINDS.into_iter().flat_map(move |kind| Language::ALL.into_iter().map(named(kind)))
}

/// The texts of a page: 32 columns, 48 columns, and the message in at most four parts.
fn texts(page: &Page) -> String {
    let message = sms::render(page, 4).expect("it fits");
    format!(
        "== 32 columns\n{}== 48 columns\n{}== message: {:?}, {} parts, {} lines dropped\n{}\n",
        text::render(page, PaperWidth::Mm58),
        text::render(page, PaperWidth::Mm80),
        message.alphabet,
        message.parts,
        message.dropped,
        message.text
    )
}

/// What a printer prints that has Windows-1252; that of 58 mm has no QR codes and no cutter.
fn printed(page: &Page, width: PaperWidth) -> Bitmap {
    let fonts = fonts();
    let is_wide = width == PaperWidth::Mm80;
    let profile = PrinterProfile { width, code_page: CodePage::Windows1252, has_qr: is_wide, cuts: is_wide };
    let job = escpos::render(page, &profile, Some(&fonts)).expect("a job");
    Interpreter::print(&job.to_bytes(), width, &fonts).picture
}

/// The papers that are printed on both widths and as PDF; the others only on 80 mm.
fn is_receipt(name: &str) -> bool {
    name.starts_with("receipt")
}

fn file(page: &Page, name: &str) -> Vec<u8> {
    let sheet = if is_receipt(name) { Sheet::A5 } else { Sheet::A4 };
    pdf::render(page, sheet, &fonts()).expect("a file")
}

#[test]
fn texts_and_messages_are_as_accepted() {
    for (name, page) in papers() {
        let expected = String::from_utf8(accepted(&format!("{name}.txt"))).expect("text");
        assert_eq!(texts(&page), expected, "{name}");
    }
}

#[test]
fn html_is_as_accepted() {
    for (name, page) in papers() {
        let expected = String::from_utf8(accepted(&format!("{name}.html"))).expect("text");
        assert_eq!(html::render(&page).expect("a document"), expected, "{name}");
    }
}

#[test]
fn a_printer_prints_what_was_accepted() {
    for (name, page) in papers() {
        for (width, suffix) in [(PaperWidth::Mm80, "80"), (PaperWidth::Mm58, "58")] {
            if suffix == "80" || is_receipt(&name) {
                let expected = from_png(&accepted(&format!("{name}-{suffix}.png")));
                assert!(printed(&page, width) == expected, "{name} on {suffix} mm differs from the accepted picture");
            }
        }
    }
}

#[test]
fn pdf_files_are_as_accepted() {
    for (name, page) in papers() {
        if is_receipt(&name) || name.starts_with("statement") {
            let expected = inflated(&accepted(&format!("{name}.pdf")));
            assert!(inflated(&file(&page, &name)) == expected, "{name}.pdf differs from the accepted one");
        }
    }
}

#[test]
#[ignore = "rewrites the accepted files"]
fn accept_papers() {
    std::fs::create_dir_all(path("")).expect("a folder");
    let write = |name: String, bytes: &[u8]| std::fs::write(path(&name), bytes).expect("written");
    for (name, page) in papers() {
        write(format!("{name}.txt"), texts(&page).as_bytes());
        write(format!("{name}.html"), html::render(&page).expect("a document").as_bytes());
        write(format!("{name}-80.png"), &to_png(&printed(&page, PaperWidth::Mm80)));
        if is_receipt(&name) {
            write(format!("{name}-58.png"), &to_png(&printed(&page, PaperWidth::Mm58)));
        }
        if is_receipt(&name) || name.starts_with("statement") {
            write(format!("{name}.pdf"), &file(&page, &name));
        }
    }
}

#[test]
fn the_code_on_paper_is_read_back_from_the_picture() {
    for (name, page) in papers() {
        let expected: Vec<&str> = match name.split('-').next() {
            Some("receipt") => vec!["FTR1-KOLAR-13-17-W-9J4QXK7TB2M5"],
            Some("manifest") => vec!["FTM1-KOLAR-1121-13-2-2-51WQ8F0Z"],
            _ => Vec::new(),
        };
        for width in [PaperWidth::Mm58, PaperWidth::Mm80] {
            assert_eq!(qr_contents(&printed(&page, width)), expected, "{name} on {width:?}");
        }
    }
}
