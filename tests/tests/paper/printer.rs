//! Printing on a receipt printer that fails.

use farmtally_core::paper::escpos::{self, CodePage, Job, PrinterProfile};
use farmtally_core::paper::{CopyNumber, Language, PaperWidth, PrintEnd, PrintResult, Wording, print};
use farmtally_tests::paper::{Answers, EmulatedPrinter, Interpreter, black_dots, fonts, page, receipt};

const PROFILE: PrinterProfile =
    PrinterProfile { width: PaperWidth::Mm58, code_page: CodePage::Windows1252, has_qr: true, cuts: true };

fn job(language: Language) -> Job {
    escpos::render(&page("receipt", language), &PROFILE, Some(&fonts())).expect("a job")
}

fn printer() -> EmulatedPrinter {
    EmulatedPrinter::new(PaperWidth::Mm58, &fonts())
}

#[test]
fn a_slow_printer_prints_the_same_as_a_quick_one() {
    let job = job(Language::Kannada);
    let whole = Interpreter::print(&job.to_bytes(), PaperWidth::Mm58, &fonts());
    let mut slow = printer();
    slow.bytes_at_once = 7;
    let result = print(&job, &mut slow);
    let lines = job.lines.len();
    let complete =
        PrintResult { end: PrintEnd::Complete, lines_printed: lines, lines, has_used_paper: true, is_confirmed: true };
    assert_eq!(result, complete);
    assert!(slow.printout().picture == whole.picture);
    assert_eq!(whole.cuts, 1);
}

#[test]
fn paper_that_ends_in_mid_receipt_is_reported_with_the_lines_on_it() {
    let job = job(Language::English);
    for answers in [Answers::All, Answers::AtOnce] {
        let mut printer = printer();
        printer.answers = answers;
        printer.insert_paper(600);
        let result = print(&job, &mut printer);
        assert_eq!(result.end, PrintEnd::OutOfPaper);
        assert!(result.has_used_paper);
        assert!((5..job.lines.len()).contains(&result.lines_printed), "{result:?}");
        let on_paper = Interpreter::print(
            &[job.start.as_slice(), &job.lines[..result.lines_printed].concat()].concat(),
            PaperWidth::Mm58,
            &fonts(),
        );
        assert!(black_dots(&printer.printout().picture) >= black_dots(&on_paper.picture));
        assert_eq!(printer.printout().texts[..on_paper.texts.len()], on_paper.texts);
        assert_eq!(printer.printout().cuts, 0);
    }
}

#[test]
fn without_paper_or_with_an_open_cover_nothing_is_sent() {
    let job = job(Language::English);
    let nothing =
        |end| PrintResult { end, lines_printed: 0, lines: job.lines.len(), has_used_paper: false, is_confirmed: true };
    let mut open = printer();
    open.is_open = true;
    assert_eq!(print(&job, &mut open), nothing(PrintEnd::NotReady));
    let mut gone = printer();
    gone.bytes_until_gone = Some(0);
    assert_eq!(print(&job, &mut gone), nothing(PrintEnd::Disconnected));
    for printer in [open, gone] {
        assert_eq!(printer.printout().picture.height(), 0);
    }
}

#[test]
fn a_printer_that_goes_away_leaves_a_part_on_paper() {
    let job = job(Language::Hindi);
    let mut printer = printer();
    printer.bytes_until_gone = Some(job.to_bytes().len() / 2);
    let result = print(&job, &mut printer);
    assert_eq!(result.end, PrintEnd::Disconnected);
    assert!(result.has_used_paper && result.lines_printed > 0 && result.lines_printed < job.lines.len(), "{result:?}");
}

#[test]
fn a_printer_that_answers_nothing_prints_unconfirmed() {
    let job = job(Language::Arabic);
    let mut printer = printer();
    printer.answers = Answers::Nothing;
    let result = print(&job, &mut printer);
    assert_eq!((result.end, result.lines_printed), (PrintEnd::Complete, job.lines.len()));
    assert!(!result.is_confirmed);
    // The same printer without paper: nobody knows.
    printer.insert_paper(0);
    let result = print(&job, &mut printer);
    assert_eq!((result.end, result.is_confirmed), (PrintEnd::Complete, false));
}

#[test]
fn after_the_paper_ended_ravi_prints_the_next_copy_of_the_same_record() {
    let mut receipt = receipt(Language::English);
    let record = receipt.clone();
    let mut prints = 0;
    let mut copies = Vec::new();
    // The cover is open, paper for a part, enough paper, and a reprint for the farmer's brother.
    for rows in [None, Some(600), Some(9_000), Some(9_000)] {
        let mut printer = printer();
        match rows {
            Some(rows) => printer.insert_paper(rows),
            None => printer.is_open = true,
        }
        receipt.heading.copy = CopyNumber::after(prints);
        let job = escpos::render(&receipt.page(Wording::default()), &PROFILE, None).expect("a job");
        let result = print(&job, &mut printer);
        prints += u32::from(result.has_used_paper);
        let texts = printer.printout().texts.join("\n");
        let number = ["Original", "Copy 2", "Copy 3"].into_iter().find(|number| texts.contains(number));
        copies.push((result.end, number));
    }
    assert_eq!(
        copies,
        [
            (PrintEnd::NotReady, None),
            (PrintEnd::OutOfPaper, Some("Original")),
            (PrintEnd::Complete, Some("Copy 2")),
            (PrintEnd::Complete, Some("Copy 3")),
        ]
    );
    receipt.heading.copy = record.heading.copy;
    assert_eq!(receipt, record);
}
