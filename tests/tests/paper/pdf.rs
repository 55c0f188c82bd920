//! PDF files as other programs read them.

use std::io::Read;
use std::process::Command;

use farmtally_core::paper::pdf::{self, Sheet};
use farmtally_core::paper::{Language, Line, PaperError, PaperWidth, text};
use farmtally_tests::paper::{KINDS, fonts, page};
use flate2::read::ZlibDecoder;

/// Returns a PDF file with its streams decompressed, so that another version of zlib makes no difference.
pub(crate) fn inflated(file: &[u8]) -> Vec<u8> {
    let find = |from: usize, text: &[u8]| file[from..].windows(text.len()).position(|part| part == text);
    let (mut plain, mut at) = (Vec::new(), 0);
    while let Some(start) = find(at, b"\nstream\n").map(|start| at + start + 8) {
        let mut stream = ZlibDecoder::new(&file[start..]);
        let header = String::from_utf8_lossy(&file[at..start]).into_owned();
        plain.extend(header.lines().filter(|line| !line.contains("/Length ")).collect::<Vec<_>>().join("\n").bytes());
        stream.read_to_end(&mut plain).expect("a stream of zlib");
        at = start + usize::try_from(stream.total_in()).expect("small");
    }
    plain
}

/// The letters and numbers of a text, without punctuation: programs that copy text turn brackets among Arabic letters around.
fn words(text: &str) -> Vec<String> {
    let is_mark = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_between = |c: char| c.is_whitespace() || is_mark(c) || "():,%".contains(c);
    text.split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The number of sheets of a PDF file.
fn sheets(file: &[u8]) -> usize {
    let plain = inflated(file);
    plain.windows(12).filter(|part| part == b"/Type /Page\n").count()
}

/// Text of a PDF file as a program copies it out, or `None` if this machine has none.
fn copied_out(file: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("paper.pdf");
    std::fs::write(&path, file).expect("written");
    let program = std::env::var("PDFTOTEXT").unwrap_or_else(|_unset| "pdftotext".to_owned());
    let output = Command::new(program).args(["-layout", "-enc", "UTF-8"]).arg(&path).arg("-").output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn the_text_of_a_pdf_file_copies_out_word_by_word() {
    for language in Language::ALL {
        for kind in KINDS {
            let page = page(kind, language);
            let file = pdf::render(&page, Sheet::A4, &fonts()).expect("a file");
            let Some(copied) = copied_out(&file) else {
                println!("SKIPPED: copying text out of PDF: no pdftotext (Debian: poppler-utils)");
                return;
            };
            let mut expected = words(&text::plain(&page));
            let sheets = sheets(&file);
            expected.extend((1..=sheets).filter(|_| sheets > 1).map(|number| format!("{number}/{sheets}")));
            let mut found = words(&copied);
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{kind} in {language}");
        }
    }
}

#[test]
fn a_long_day_book_takes_several_numbered_sheets() {
    let mut book = page("day-book", Language::English);
    for number in 0..200 {
        book.push(Line::pair(format!("row {number}"), "1.0"));
    }
    let count = |sheet| sheets(&pdf::render(&book, sheet, &fonts()).expect("a file"));
    assert_eq!([Sheet::A4, Sheet::A5].map(count), [5, 6]);
}

#[test]
fn a_file_that_is_no_font_is_refused_by_its_place() {
    use farmtally_core::paper::Fonts;
    let font = std::fs::read(format!("{}/fixtures/fonts/NotoSans-Latin.ttf", env!("CARGO_MANIFEST_DIR"))).expect("it");
    for (files, index) in [
        (vec![], 0),
        (vec![b"not a font".to_vec()], 0),
        (vec![font.clone(), Vec::new()], 1),
        (vec![font.clone(), font[..400].to_vec()], 1),
    ] {
        assert_eq!(Fonts::new(files).expect_err("refused"), PaperError::BadFont { index });
    }
    // Damaged inside: it may be refused, or print other shapes, but never fail otherwise.
    let page = page("receipt", Language::English);
    for at in (0..font.len()).step_by(997) {
        let mut damaged = font.clone();
        damaged[at] ^= 0xff;
        if let Ok(fonts) = Fonts::new(vec![damaged]) {
            match pdf::render(&page, Sheet::A5, &fonts) {
                Ok(_) | Err(PaperError::BadFont { index: 0 }) => {}
                Err(other) => panic!("{other} at {at}"),
            }
        }
    }
    assert!(text::render(&page, PaperWidth::Mm58).contains("KOLAR"));
}
