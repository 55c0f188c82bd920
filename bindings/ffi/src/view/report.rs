use farmtally_core::client::{Cell, Report, ReportCode, ReportQuery};
use farmtally_core::units::{BusinessDate, CentreCode, FarmerId};

/// A report to compute, and conditions that its records must all fulfil; null is no condition.
#[uniffi::remote(Record)]
pub struct ReportQuery {
    /// The report
    pub report: ReportCode,
    /// Only of this centre, one of those granted; a day book needs it
    #[uniffi(default = None)]
    pub centre: Option<CentreCode>,
    /// Only of this day or later ones; a day book needs it
    #[uniffi(default = None)]
    pub from_date: Option<BusinessDate>,
    /// Only of this day or earlier ones; a day book needs the same day as from_date
    #[uniffi(default = None)]
    pub to_date: Option<BusinessDate>,
    /// Only of this farmer; a statement needs it
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Number of farmers among the top, 1 to 1,000
    #[uniffi(default = 20)]
    pub top: u32,
}

/// A cell of a report.
#[uniffi::remote(Enum)]
pub enum Cell {
    /// Not known, or does not apply
    Empty,
    /// Text, a code, or a time
    Text(
        /// The text
        #[uniffi(name = "text")]
        String,
    ),
    /// A number
    Number(
        /// The number, in the unit that the column's name ends with; without one a count, or 0 or 1 for no or yes
        #[uniffi(name = "number")]
        i64,
    ),
}

/// A computed report.
#[uniffi::remote(Record)]
pub struct Report {
    /// Names of the columns; listed in docs/reports.md
    pub columns: Vec<String>,
    /// Rows, each with a cell for each column
    pub rows: Vec<Vec<Cell>>,
}
