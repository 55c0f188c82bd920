//! Reports: tables computed from the records on this phone, without network.
//!
//! Owns the queries, the columns and the order of rows; `docs/reports.md` says what each column is. Every report is computed in one
//! snapshot, and reads deliveries page by page: only its own rows or groups are in memory.

mod acts;
mod bags;
mod export;
mod lines;
mod money;
mod scan;
mod serials;
mod signals;
mod stock;
mod totals;
mod trips;
mod unsent;

use rusqlite::Connection;

pub use export::ExportFormat;
pub(super) use export::GUARD;

use super::lists::check_days;
use super::{Author, FieldClient};
use crate::Error;
use crate::limits::{MAX_REPORT_ROWS, MAX_TOP};
use crate::scope::Scope;
use crate::store::rows;
use crate::store::seam;
use crate::units::{BusinessDate, CentreCode, FarmerId, Timestamp, UserId, named};

named! {
    /// A report, or a list of records as a table. The names are in files that apps export: never reuse one.
    pub ReportCode, "a report" {
        /// Recorded deliveries, oldest first.
        Deliveries = "deliveries",
        /// Loads, oldest first.
        Loads = "loads",
        /// Farmers of a centre, oldest first.
        Farmers = "farmers",
        /// Deliveries of a centre and day.
        DayBook = "day_book",
        /// Deliveries of a farmer.
        FarmerStatement = "farmer_statement",
        /// Totals for each farmer.
        ByFarmer = "by_farmer",
        /// Totals for each commodity and grade.
        ByGrade = "by_grade",
        /// Totals for each load.
        ByLoad = "by_load",
        /// Totals for each clerk.
        ByClerk = "by_clerk",
        /// Totals for each day.
        ByDay = "by_day",
        /// Farmers with the greatest net weight, the greatest first.
        TopFarmers = "top_farmers",
        /// Distribution of the moisture that counts.
        Moisture = "moisture",
        /// Number and weight of bags of each type.
        Bags = "bags",
        /// Amendments and voids, with author and reason.
        Amendments = "amendments",
        /// Deliveries on loads that take no more, which are in no manifest.
        LateDeliveries = "late_deliveries",
        /// Records that the server's log does not have yet.
        Unsent = "unsent",
        /// What farmers owe by their advances, with ages.
        Advances = "advances",
        /// Cash of users, line by line.
        CashBook = "cash_book",
        /// Forms of paper books from which nothing was entered.
        MissingSerials = "missing_serials",
        /// Produce that is on no load.
        Stock = "stock",
        /// Deliveries that may be the same heap as another one.
        Duplicates = "duplicates",
        /// What arrived of loads, beside what was on them.
        Variances = "variances",
        /// How full lorries were, and their trips.
        Utilisation = "utilisation",
        /// Instruments whose certificate or check is not good today.
        Instruments = "instruments",
        /// What is unusual about the weights and instruments of deliveries.
        WeighingPatterns = "weighing_patterns",
    }
}

/// A report to compute, and conditions that its records must all fulfil; `None` is no condition.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    /// The report.
    pub report: ReportCode,
    /// Only of this centre, one of those granted. A day book needs it.
    pub centre: Option<CentreCode>,
    /// Only of this day or later ones. A day book needs it.
    pub from_date: Option<BusinessDate>,
    /// Only of this day or earlier ones. A day book needs the same day as `from_date`.
    pub to_date: Option<BusinessDate>,
    /// Only of this farmer. A statement needs it.
    pub farmer_id: Option<FarmerId>,
    /// Number of farmers among the top, 1 to [`MAX_TOP`].
    pub top: u32,
}

impl ReportQuery {
    /// Returns the query for a report of all that the user may see.
    pub fn new(report: ReportCode) -> Self {
        Self { report, centre: None, from_date: None, to_date: None, farmer_id: None, top: 20 }
    }
}

/// A cell of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Not known, or does not apply.
    Empty,
    /// Text, a code, or a time.
    Text(String),
    /// A number in the unit that the column's name ends with; without one a count, or 0 or 1 for no or yes.
    Number(i64),
}

impl Cell {
    #[expect(clippy::needless_pass_by_value, reason = "most values are made for the cell")]
    fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    fn number(value: impl TryInto<i64>) -> Self {
        value.try_into().map_or(Self::Empty, Self::Number)
    }

    fn maybe_number(value: Option<impl TryInto<i64>>) -> Self {
        value.map_or(Self::Empty, Self::number)
    }

    fn maybe(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Empty, Self::text)
    }
}

/// A computed report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// Receives the rows of a report one by one.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Vec<Cell>) -> Result<(), Error>;

/// A report while it is computed, in one snapshot.
struct Run<'r> {
    db: &'r Connection,
    author: &'r Author,
    query: &'r ReportQuery,
    /// Scopes of the seasons whose records it has.
    scopes: Vec<Scope>,
    /// Restricts it to what this user recorded.
    only_user: Option<UserId>,
    /// The phone's time.
    now: Timestamp,
    /// The phone's date.
    today: BusinessDate,
}

impl ReportCode {
    /// Returns the names of the report's columns. What a name ends with is the unit: `_g` grams, `_hundredths` hundredths of a percent,
    /// `_minor` minor units of the currency, `_m` metres, `_minutes`, `_at` a time.
    pub fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Deliveries | Self::DayBook | Self::FarmerStatement => lines::DELIVERY.to_vec(),
            Self::Loads => lines::LOAD.to_vec(),
            Self::Farmers => lines::FARMER.to_vec(),
            Self::ByFarmer | Self::TopFarmers => totals::columns(&["farmer_code", "farmer_name"]),
            Self::ByGrade => totals::columns(&["commodity", "grade"]),
            Self::ByLoad => totals::columns(&["load_number", "lorry"]),
            Self::ByClerk => totals::columns(&["clerk"]),
            Self::ByDay => totals::columns(&["date"]),
            Self::Moisture => bags::MOISTURE.to_vec(),
            Self::Bags => bags::BAGS.to_vec(),
            Self::Amendments => acts::ACT.to_vec(),
            Self::LateDeliveries => acts::LATE.to_vec(),
            Self::Unsent => unsent::UNSENT.to_vec(),
            Self::Advances => money::ADVANCES.to_vec(),
            Self::CashBook => money::CASH_BOOK.to_vec(),
            Self::MissingSerials => serials::MISSING.to_vec(),
            Self::Stock => stock::STOCK.to_vec(),
            Self::Duplicates => signals::DUPLICATES.to_vec(),
            Self::Variances => trips::VARIANCES.to_vec(),
            Self::Utilisation => trips::UTILISATION.to_vec(),
            Self::Instruments => signals::INSTRUMENTS.to_vec(),
            Self::WeighingPatterns => signals::WEIGHING_PATTERNS.to_vec(),
        }
    }
}

impl FieldClient {
    /// Computes a report. A role that reports on its own work only (clerk, receiver, driver) gets what the user recorded.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `centre`, `from_date`, `farmer_id` or `top`; [`Error::TooLarge`] of `rows` for more than
    /// [`MAX_REPORT_ROWS`]: export it instead; [`Error::Refused`] for a centre that is not granted, a role that may not list farmers and on
    /// a locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn report(&self, query: &ReportQuery) -> Result<Report, Error> {
        let mut rows = Vec::new();
        self.report_to(query, &mut |row| {
            if rows.len() == MAX_REPORT_ROWS {
                let reason = format!("a report on the screen has at most {MAX_REPORT_ROWS} rows: export it");
                return Err(Error::TooLarge { field: "rows", reason });
            }
            rows.push(row);
            Ok(())
        })?;
        Ok(Report { columns: query.report.columns().into_iter().map(str::to_owned).collect(), rows })
    }

    /// Computes a report and passes on its rows one by one.
    pub(super) fn report_to(&self, query: &ReportQuery, sink: Sink<'_>) -> Result<(), Error> {
        let author = self.author()?;
        check(query, &author)?;
        let mut scopes = author.season_scopes();
        if let Some(centre) = &query.centre {
            scopes.retain(|scope| scope.centre() == Some(centre));
        }
        let only_user = (!author.grant.role.reports_on_others()).then_some(author.installation.user_id);
        let (now, today) = (self.now(), self.date());
        self.store.read(|db| Run { db, author: &author, query, scopes, only_user, now, today }.write(sink))
    }
}

fn check(query: &ReportQuery, author: &Author) -> Result<(), Error> {
    if let Some(centre) = &query.centre {
        author.require_centre(centre)?;
    }
    check_days(query.from_date, query.to_date)?;
    let wrong = |field, reason: &str| Err(Error::invalid(field, reason));
    match query.report {
        ReportCode::DayBook if query.centre.is_none() => wrong("centre", "a day book is of one centre"),
        ReportCode::DayBook if query.from_date.is_none() || query.from_date != query.to_date => {
            wrong("from_date", "a day book is of one day, the first and the last")
        }
        ReportCode::Unsent if query.centre.is_some() => wrong("centre", "unsent records are listed of all centres"),
        ReportCode::Unsent
        | ReportCode::Loads
        | ReportCode::Farmers
        | ReportCode::CashBook
        | ReportCode::MissingSerials
        | ReportCode::Variances
        | ReportCode::Utilisation
        | ReportCode::Instruments
            if query.farmer_id.is_some() =>
        {
            wrong("farmer_id", "this report is not of one farmer")
        }
        ReportCode::FarmerStatement if query.farmer_id.is_none() => wrong("farmer_id", "a statement is of one farmer"),
        ReportCode::TopFarmers if !(1..=MAX_TOP).contains(&query.top) => {
            Err(Error::invalid("top", format!("1 to {MAX_TOP} farmers can be asked for")))
        }
        ReportCode::Advances | ReportCode::CashBook => author.require_contact(),
        ReportCode::Farmers if !author.grant.role.reports_on_others() || !author.grant.role.sees_farmers() => {
            Err(Error::not_allowed(format!("role {} may not list all farmers", author.grant.role)))
        }
        _ => Ok(()),
    }
}

impl Run<'_> {
    fn write(&self, sink: Sink<'_>) -> Result<(), Error> {
        match self.query.report {
            ReportCode::Deliveries | ReportCode::DayBook | ReportCode::FarmerStatement => self.deliveries(sink),
            ReportCode::Loads => self.loads(sink),
            ReportCode::Farmers => self.farmers(sink),
            ReportCode::ByFarmer | ReportCode::TopFarmers => self.by_farmer(sink),
            ReportCode::ByGrade => self.by_grade(sink),
            ReportCode::ByLoad => self.by_load(sink),
            ReportCode::ByClerk => self.by_clerk(sink),
            ReportCode::ByDay => self.by_day(sink),
            ReportCode::Moisture => self.moisture(sink),
            ReportCode::Bags => self.bags(sink),
            ReportCode::Amendments => self.amendments(sink),
            ReportCode::LateDeliveries => self.late_deliveries(sink),
            ReportCode::Unsent => self.unsent(sink),
            ReportCode::Advances => self.advances(sink),
            ReportCode::CashBook => self.cash_book(sink),
            ReportCode::MissingSerials => self.missing_serials(sink),
            ReportCode::Stock => self.stock(sink),
            ReportCode::Duplicates => self.duplicates(sink),
            ReportCode::Variances => self.variances(sink),
            ReportCode::Utilisation => self.utilisation(sink),
            ReportCode::Instruments => self.instruments(sink),
            ReportCode::WeighingPatterns => self.weighing_patterns(sink),
        }
    }

    /// Returns the cells of farmer code and name; the name is empty for a role that may not know it, and both if the farmer is not here.
    fn farmer_cells(&self, farmer: FarmerId) -> Result<[Cell; 2], Error> {
        let row = rows::farmer_row(&mut seam(self.db), farmer)?;
        let may_know = self.author.grant.role.sees_farmers();
        let name = row.as_ref().filter(|_| may_know).map(|row| row.contact.name.clone());
        Ok([Cell::maybe(row.map(|row| row.code)), Cell::maybe(name.filter(|name| !name.is_empty()))])
    }

    fn clerk(&self, user: UserId) -> Cell {
        Cell::Text(self.author.reference.user_name(user))
    }
}
