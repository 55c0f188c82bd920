//! Reference data of an operator's JSON file: reading it, with all its errors at once. Format: `docs/operating.md` and
//! `docs/reference.schema.json`.

mod fields;
mod json;
mod land;
mod rule_set;
mod values;

use std::collections::BTreeMap;

use farmtally_core::decisions::{
    AnyContent, Centre, Certificate, Commodity, DecisionKind, Instrument, InstrumentInterval, Lorry, Notice, PaperBook,
    Quota, RuleSet, Season,
};
use farmtally_core::limits::{MAX_PAYLOAD, MAX_SERIAL, MAX_SERIALS, MAX_SHOWN_VALUE};
use farmtally_core::rules::PublicationCode;
use farmtally_core::units::Grams;

use self::fields::{Errors, Fields};
use self::json::Json;
pub(crate) use self::land::{About, Named};
use self::rule_set::rule_set;
use crate::Error;

/// Reference data of an operator's JSON file.
#[derive(Debug, Default)]
pub struct ReferenceFile {
    pub(crate) centres: Vec<Centre>,
    pub(crate) commodities: Vec<Commodity>,
    pub(crate) seasons: Vec<Season>,
    pub(crate) lorries: Vec<Lorry>,
    pub(crate) rule_sets: Vec<RuleSet>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) paper_books: Vec<PaperBook>,
    pub(crate) certificates: Vec<About<Certificate>>,
    pub(crate) quotas: Vec<About<Quota>>,
}

impl ReferenceFile {
    /// Parses the JSON text.
    ///
    /// # Errors
    /// [`Error::Invalid`], with line and column, if the text is not JSON; [`Error::Reference`] with all errors of its content.
    pub fn parse(json: &str) -> Result<Self, Error> {
        // Some editors begin a file with a byte order mark.
        let json = json.trim_start_matches('\u{feff}');
        match serde_json::from_str(json).map_err(|error| Error::invalid("reference", error))? {
            Json::Object(entries) => Self::read(&entries),
            other => {
                let reason = format!("it must be a JSON object, `{{ … }}`, not {}", other.type_name());
                Err(Error::Invalid { field: "reference", reason })
            }
        }
    }

    fn read(entries: &[(String, Json)]) -> Result<Self, Error> {
        let mut errors = Errors::default();
        let file = Fields::read(String::new(), entries, &mut errors, |it| Self {
            centres: records(it, "centres", "code", |it| {
                let (code, name) = (it.required("code"), it.text("name", true));
                Some(Centre { code: code?, name: name? })
            }),
            commodities: records(it, "commodities", "code", |it| {
                let (code, name) = (it.required("code"), it.text("name", true));
                Some(Commodity { code: code?, name: name? })
            }),
            seasons: records(it, "seasons", "code", season),
            lorries: records(it, "lorries", "plate", lorry),
            rule_sets: records(it, "rule_sets", "number", rule_set),
            notices: records(it, "notices", "code", |it| {
                let (code, text) = (it.text("code", true), it.text("text", false));
                Some(Notice { code: code?, text: text? })
            }),
            instruments: records(it, "instruments", "code", instrument),
            paper_books: records(it, "paper_books", "code", paper_book),
            certificates: land::certificates(it),
            quotas: land::quotas(it),
        });
        if errors.found.is_empty() { Ok(file) } else { Err(Error::Reference { errors: errors.found }) }
    }
}

/// Reads a list of records. Two with one code, the value of `field`, are an error, because only the last would count.
fn records<D: DecisionKind>(
    it: &mut Fields<'_>,
    list: &'static str,
    field: &'static str,
    read: impl Fn(&mut Fields<'_>) -> Option<D>,
) -> Vec<D> {
    let mut seen = BTreeMap::new();
    it.list(list, |it| {
        let record = read(it)?;
        let (code, written) = (record.subject()?, it.written(field));
        match seen.insert(code.clone(), written.clone()) {
            None => {}
            Some(first) if first == written => {
                it.error(field, PublicationCode::Duplicate, format!("{code} is there twice"));
            }
            Some(first) => {
                let reason = format!("{first:?} and {written:?} are one code, {code}");
                it.error(field, PublicationCode::Duplicate, reason);
            }
        }
        Some(record)
    })
}

fn season(it: &mut Fields<'_>) -> Option<Season> {
    let (code, commodity) = (it.required("code"), it.required("commodity"));
    let (from, to) = (it.required("from"), it.required("to"));
    let required_scheme = it.optional("required_scheme");
    let season = Season { code: code?, commodity: commodity?, from: from?, to: to?, required_scheme };
    if season.from > season.to {
        let reason = format!("{} ends before it begins", season.code);
        it.error("to", PublicationCode::EndsBeforeItBegins, reason);
    }
    Some(season)
}

fn lorry(it: &mut Fields<'_>) -> Option<Lorry> {
    let (plate, payload) = (it.required("plate"), it.required("payload_g"));
    let (plate, Grams(payload_g)) = (plate?, payload?);
    if !(1..=MAX_PAYLOAD.0).contains(&payload_g) {
        let reason = format!("{plate} carries {payload_g} g: it must be 1 to {} g", MAX_PAYLOAD.0);
        it.error("payload_g", PublicationCode::OutOfRange, reason);
    }
    Some(Lorry { plate, payload: Grams(payload_g) })
}

fn instrument(it: &mut Fields<'_>) -> Option<Instrument> {
    let (code, instrument_type, serial) = (it.required("code"), it.required("type"), it.text("serial", true));
    let (accuracy_class, certificate) = (it.text("accuracy_class", false), it.text("certificate", false));
    let (min_value, max_value) = (shown_value(it, "min_value", 0), shown_value(it, "max_value", 1));
    let intervals = it.list("intervals", |it| {
        let (up_to_value, interval_value) = (shown_value(it, "up_to_value", 1), shown_value(it, "interval_value", 1));
        Some(InstrumentInterval { up_to_value: up_to_value?, interval_value: interval_value? })
    });
    let valid_until = it.required("valid_until");
    if let (Some(min), Some(max)) = (min_value, max_value)
        && max < min
    {
        it.error("max_value", PublicationCode::OutOfRange, "the largest value is below the smallest");
    }
    if intervals.windows(2).any(|pair| matches!(pair, [a, b] if b.up_to_value <= a.up_to_value)) {
        it.error("intervals", PublicationCode::OutOfRange, "each range must end above the one before");
    }
    Some(Instrument {
        code: code?,
        instrument_type: instrument_type?,
        serial: serial?,
        accuracy_class: accuracy_class?,
        min_value: min_value?,
        max_value: max_value?,
        intervals,
        certificate: certificate?,
        valid_until: valid_until?,
    })
}

fn paper_book(it: &mut Fields<'_>) -> Option<PaperBook> {
    let (code, centre, purpose) = (it.required("code"), it.required("centre"), it.required("purpose"));
    let (first_serial, last_serial) = (serial(it, "first_serial"), serial(it, "last_serial"));
    let (first_serial, last_serial) = (first_serial?, last_serial?);
    if first_serial > last_serial {
        it.error("last_serial", PublicationCode::EndsBeforeItBegins, "the last form is before the first");
    } else if last_serial - first_serial >= MAX_SERIALS {
        it.error("last_serial", PublicationCode::OutOfRange, format!("a book has at most {MAX_SERIALS} forms"));
    }
    Some(PaperBook { code: code?, first_serial, last_serial, centre: centre?, purpose: purpose? })
}

/// Reads the number of a form.
fn serial(it: &mut Fields<'_>, name: &'static str) -> Option<u32> {
    let serial = it.required(name)?;
    if serial > MAX_SERIAL {
        it.error(name, PublicationCode::OutOfRange, format!("{serial} is above {MAX_SERIAL}"));
        return None;
    }
    Some(serial)
}

/// Reads a value that an instrument shows.
fn shown_value(it: &mut Fields<'_>, name: &'static str, least: u32) -> Option<u32> {
    let value = it.required(name)?;
    if !(least..=MAX_SHOWN_VALUE).contains(&value) {
        it.error(name, PublicationCode::OutOfRange, format!("{value} is not {least} to {MAX_SHOWN_VALUE}"));
        return None;
    }
    Some(value)
}
