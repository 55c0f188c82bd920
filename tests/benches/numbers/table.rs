//! Samples, and the table of results.

use std::fmt::Write;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time in microseconds that `share`, 0 to 1, of the samples do not exceed; NaN without samples.
    fn quantile_us(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
        let at = (sorted.len() as f64 * share) as usize;
        sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }

    pub(crate) fn median_us(&self) -> f64 {
        self.quantile_us(0.5)
    }

    pub(crate) fn slowest_us(&self) -> f64 {
        self.quantile_us(1.0)
    }

    pub(crate) fn p99_us(&self) -> f64 {
        self.quantile_us(0.99)
    }
}

struct Line {
    what: String,
    measured: String,
    floor: String,
    ratio: String,
    reach: String,
    samples: String,
}

#[derive(Default)]
pub(crate) struct Table(Vec<Line>);

impl Table {
    /// Adds a line of formatted texts; the cells are: measured, floor, ratio, to reach.
    pub(crate) fn line(&mut self, what: impl Into<String>, cells: [String; 4], samples: usize) {
        let [measured, floor, ratio, reach] = cells;
        self.0.push(Line { what: what.into(), measured, floor, ratio, reach, samples: samples.to_string() });
    }

    /// Adds lines that compare times with a floor: the median, and the 99th percentile if there are enough samples.
    pub(crate) fn times(&mut self, what: &str, measured: &Samples, floor: &Samples, reach: [&str; 2]) {
        let [reach_median, reach_p99] = reach;
        let mut add = |name: &str, measured: f64, floor: f64, reach: &str, samples| {
            let cells = [micros(measured), micros(floor), ratio(measured, floor), reach.to_owned()];
            self.line(format!("{what}, {name}"), cells, samples);
        };
        add("median", measured.median_us(), floor.median_us(), reach_median, measured.len());
        if measured.len() >= 100 {
            add("p99", measured.p99_us(), floor.p99_us(), reach_p99, measured.len());
        }
    }

    pub(crate) fn print(&self) {
        let head = ["what", "measured", "floor", "ratio", "to reach", "samples"];
        let rows = self.0.iter().map(|line| {
            [&line.what, &line.measured, &line.floor, &line.ratio, &line.reach, &line.samples].map(String::as_str)
        });
        let rows: Vec<[&str; 6]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for row in rows {
            let [what, cells @ ..] = row;
            let mut text = format!("{what:<width$}", width = widths[0]);
            for (cell, width) in cells.iter().zip(&widths[1..]) {
                write!(text, "  {cell:>width$}").expect("memory takes all text");
            }
            println!("{text}");
        }
    }
}

pub(crate) fn micros(value: f64) -> String {
    format!("{value:.0} µs")
}

pub(crate) fn millis(us: f64) -> String {
    format!("{:.0} ms", us / 1e3)
}

pub(crate) fn mebibytes(value: f64) -> String {
    format!("{value:.1} MiB")
}

pub(crate) fn ratio(measured: f64, floor: f64) -> String {
    format!("{:.2}×", measured / floor)
}

pub(crate) fn none() -> String {
    "–".to_owned()
}
