//! The same jobs on the printer emulator `emupos` (package of version 0.4.0, Python 3.13 or later). `EMUPOS_PYTHON` names a Python that has it.

use std::process::Command;

use farmtally_core::paper::escpos::{self, CodePage, PrinterProfile};
use farmtally_core::paper::{Bitmap, Language, Line, PaperWidth, PrintEnd, Printer, PrinterFault, print};
use farmtally_tests::paper::{Interpreter, fonts, page, qr_contents};
use serde_json::Value;

struct Printed {
    picture: Bitmap,
    report: Value,
}

/// Prints a job with `emupos`, or returns `None` if this machine does not have it.
fn with_emupos(job: &[u8], width: PaperWidth) -> Option<Printed> {
    let Ok(python) = std::env::var("EMUPOS_PYTHON") else {
        println!("SKIPPED: another printer emulator: EMUPOS_PYTHON names no Python with emupos");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (job_file, picture_file) = (folder.path().join("job"), folder.path().join("picture"));
    std::fs::write(&job_file, job).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/paper/print_with_emupos.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&job_file).arg(width.dots().to_string()).arg(&picture_file);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let size = |index: usize| u32::try_from(report["size"][index].as_u64().expect("a size")).expect("small");
    let mut picture = Bitmap::new(size(0), size(1));
    for (at, _) in (0..).zip(std::fs::read(picture_file).expect("a picture")).filter(|(_, shade)| *shade < 128) {
        picture.set(at % size(0), at / size(0));
    }
    Some(Printed { picture, report })
}

const WIDTHS: [PaperWidth; 2] = [PaperWidth::Mm58, PaperWidth::Mm80];

fn profile(width: PaperWidth) -> PrinterProfile {
    PrinterProfile { width, code_page: CodePage::Windows1252, has_qr: width == PaperWidth::Mm80, cuts: true }
}

/// The rows of a picture that have a black dot.
fn inked_rows(picture: &Bitmap) -> Vec<Vec<u32>> {
    let row = |y| (0..picture.width()).filter(|x| picture.is_black(*x, y)).collect::<Vec<_>>();
    (0..picture.height()).map(row).filter(|row| !row.is_empty()).collect()
}

#[test]
fn another_emulator_knows_every_command_and_its_picture_has_the_code() {
    for language in Language::ALL {
        for width in WIDTHS {
            let job = escpos::render(&page("receipt", language), &profile(width), Some(&fonts())).expect("a job");
            let Some(printed) = with_emupos(&job.to_bytes(), width) else { return };
            assert_eq!(printed.report["unknown"], serde_json::json!([]));
            assert_eq!(qr_contents(&printed.picture), ["FTR1-KOLAR-13-17-W-9J4QXK7TB2M5"], "{language} {width:?}");
            let text = printed.report["text"].as_str().expect("a text");
            let own = Interpreter::print(&job.to_bytes(), width, &fonts());
            for line in own.texts.iter().filter(|line| !line.is_empty()) {
                assert!(text.lines().any(|other| other.trim_end() == line), "{line:?} is not in {text}");
            }
        }
    }
}

#[test]
fn another_emulator_draws_lines_of_other_scripts_dot_by_dot_alike() {
    for language in [Language::Kannada, Language::Hindi, Language::Arabic] {
        let mut page = page("receipt", language);
        page.lines.retain(|line| matches!(line, Line::Heading(_) | Line::Text { .. } | Line::Pair { .. }));
        let job = escpos::render(&page, &profile(PaperWidth::Mm58), Some(&fonts())).expect("a job");
        let pictures: Vec<u8> =
            job.lines.iter().filter(|line| line.starts_with(b"\x1dv0")).flatten().copied().collect();
        assert!(pictures.len() > 20_000, "{} bytes", pictures.len());
        let Some(printed) = with_emupos(&pictures, PaperWidth::Mm58) else { return };
        let own = Interpreter::print(&pictures, PaperWidth::Mm58, &fonts());
        assert!(inked_rows(&printed.picture) == inked_rows(&own.picture), "{language}");
    }
}

/// A printer that takes everything and gives the answers of the emulator.
struct Answers(Vec<String>);

impl Printer for Answers {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, PrinterFault> {
        Ok(bytes.len())
    }

    fn ask(&mut self, question: &[u8]) -> Result<Option<u8>, PrinterFault> {
        let index = [b"\x1dr\x01", b"\x10\x04\x04", b"\x10\x04\x02"].iter().position(|known| *known == question);
        let answer = &self.0[index.expect("a question that the script asked")];
        Ok(answer.get(..2).map(|byte| u8::from_str_radix(byte, 16).expect("a byte")))
    }
}

#[test]
fn the_answers_of_another_emulator_are_understood() {
    let job = escpos::render(&page("receipt", Language::English), &profile(PaperWidth::Mm80), None).expect("a job");
    let Some(printed) = with_emupos(&job.to_bytes(), PaperWidth::Mm80) else { return };
    let answers = printed.report["answers"].as_array().expect("three").iter();
    let ends: Vec<PrintEnd> = answers
        .map(|answers| {
            Answers(answers.as_array().expect("three").iter().map(|it| it.as_str().expect("hex").into()).collect())
        })
        .map(|mut printer| print(&job, &mut printer).end)
        .collect();
    assert_eq!(ends, [PrintEnd::Complete, PrintEnd::OutOfPaper, PrintEnd::NotReady]);
}
