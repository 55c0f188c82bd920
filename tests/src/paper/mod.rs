//! Papers of a market day, and a receipt printer that reads its commands, draws what it prints, and fails.

mod interpreter;
mod picture;
mod printer;
mod samples;

pub use interpreter::{Interpreter, Printout};
pub use picture::{black_dots, from_png, qr_contents, to_png};
pub use printer::{Answers, EmulatedPrinter};
pub use samples::{KINDS, PHONE, fonts, page, receipt};
