//! What the program shows: lines on standard output, progress bars on standard error.
//!
//! Owns how numbers and columns look. Bars appear only where standard error is a terminal.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where the program shows something.
pub(crate) struct Screen {
    out: RefCell<Box<dyn Write>>,
    bars: MultiProgress,
    failed: RefCell<Option<io::Error>>,
}

impl Screen {
    /// Standard output, and bars on standard error.
    pub(crate) fn terminal() -> Self {
        Self::new(Box::new(io::stdout()))
    }

    /// Lines go to `out`.
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self { out: RefCell::new(out), bars: MultiProgress::new(), failed: RefCell::default() }
    }

    /// Shows a line. A reader that has gone away, such as `head`, does not end the program.
    pub(crate) fn say(&self, line: impl Display) {
        let written = self.bars.suspend(|| writeln!(self.out.borrow_mut(), "{line}"));
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed.borrow_mut().get_or_insert(error);
        }
    }

    /// Whether all could be shown to whoever wanted to read it.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// Shows a heading.
    pub(crate) fn heading(&self, text: impl Display) {
        self.say(format_args!("\n{text}"));
    }

    /// A bar for `length` steps, until it is finished.
    pub(crate) fn bar(&self, what: &str, length: usize) -> ProgressBar {
        const FORM: &str = "  {prefix:24} [{bar:30}] {pos}/{len}  {elapsed}  {msg}";
        let bar = self.bars.add(ProgressBar::new(length as u64)).with_prefix(what.to_owned());
        // A form that indicatif does not understand costs the looks of the bar only.
        bar.set_style(ProgressStyle::with_template(FORM).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 delivery`, `2,000 deliveries`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (37_000_000, "37,000,000"), (-1_234, "-1,234")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(1, "delivery", "deliveries"), "1 delivery");
    }
}
