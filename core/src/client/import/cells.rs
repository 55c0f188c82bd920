//! Columns and cells of a file that a spreadsheet wrote.

use std::collections::BTreeSet;

use super::ImportCode;
use crate::Error;
use crate::client::report::GUARD;
use crate::limits::MAX_TAGS;
use crate::records::farmer::ContactDetails;
use crate::rules::{TextError, check_language, check_phone, check_text};
use crate::text::{folded_text, phone_digits, restored_phone};
use crate::units::FarmerTag;

/// Spellings of column names, folded.
const NAME: &[&str] = &[
    "name",
    "farmer",
    "farmername",
    "farmersname",
    "fullname",
    "nameoffarmer",
    "jina",
    "ಹೆಸರು",
    "ರೈತ",
    "नाम",
    "किसान",
    "الاسم",
    "المزارع",
];
const VILLAGE: &[&str] =
    &["village", "villagename", "place", "town", "address", "kijiji", "ಗ್ರಾಮ", "ಊರು", "गांव", "ग्राम", "القرية"];
const PHONE: &[&str] = &[
    "phone",
    "phoneno",
    "phonenumber",
    "mobile",
    "mobileno",
    "mobilenumber",
    "telephone",
    "telephonenumber",
    "tel",
    "cell",
    "cellphone",
    "contact",
    "contactno",
    "contactnumber",
    "whatsapp",
    "simu",
    "ಫೋನ್",
    "ಮೊಬೈಲ್",
    "फोन",
    "मोबाइल",
    "الهاتف",
    "هاتف",
];

const LOCAL_NAME: &[&str] = &["localname", "nativename", "nameinlocalscript", "namelocal"];
const OTHER_PHONE: &[&str] = &["phone2", "secondphone", "otherphone", "mobile2", "secondmobile", "alternatephone"];
const LANGUAGE: &[&str] = &["language", "lugha", "ಭಾಷೆ", "भाषा", "اللغة"];
const TAGS: &[&str] = &["tags", "tag", "groups", "group"];

/// A farmer as a line describes one.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) details: ContactDetails,
    pub(super) tags: BTreeSet<FarmerTag>,
}

/// Places of the columns that an import reads, and the names of all.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) headers: Vec<String>,
    name: usize,
    village: Option<usize>,
    phone: Option<usize>,
    other_phone: Option<usize>,
    local_name: Option<usize>,
    language: Option<usize>,
    tags: Option<usize>,
}

impl Columns {
    /// Finds the columns by their names, which may be spelled in several ways and languages.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `columns` without a column of names, or for two columns of one content.
    pub(super) fn find<'h>(headers: impl Iterator<Item = &'h str>) -> Result<Self, Error> {
        let headers: Vec<String> = headers.map(|header| text_of(header).to_owned()).collect();
        let of = |spellings: &[&str]| {
            let spellings: Vec<String> = spellings.iter().map(|spelling| folded_text(spelling)).collect();
            let mut places = (0..).zip(&headers).filter(|(_, header)| spellings.contains(&folded_text(header)));
            let first = places.next().map(|(place, _)| place);
            match places.next() {
                Some((_, again)) => {
                    Err(Error::invalid("columns", format!("{again:?} repeats the content of another column")))
                }
                None => Ok(first),
            }
        };
        let (name, village, phone) = (of(NAME)?, of(VILLAGE)?, of(PHONE)?);
        let name = name.ok_or_else(|| {
            Error::invalid("columns", "the first line needs the names of the columns, and one of them must be \"name\"")
        })?;
        let (other_phone, local_name) = (of(OTHER_PHONE)?, of(LOCAL_NAME)?);
        let (language, tags) = (of(LANGUAGE)?, of(TAGS)?);
        Ok(Self { headers, name, village, phone, other_phone, local_name, language, tags })
    }

    /// Returns the names of the columns that are not read.
    pub(super) fn ignored(&self) -> Vec<String> {
        let read =
            [Some(self.name), self.village, self.phone, self.other_phone, self.local_name, self.language, self.tags];
        let is_read = |place: usize| read.contains(&Some(place));
        let ignored = (0..).zip(&self.headers).filter(|(place, _)| !is_read(*place));
        ignored.map(|(_, header)| header.clone()).collect()
    }

    /// Reads the farmer in the cells of a line; otherwise returns the place of the wrong cell and what is wrong.
    pub(super) fn read(&self, cells: &csv::StringRecord, country: &str) -> Result<Line, (usize, ImportCode)> {
        if cells.iter().skip(self.headers.len()).any(|cell| !cell.trim().is_empty()) {
            return Err((self.headers.len(), ImportCode::TooManyCells));
        }
        let text = |place: usize, required| {
            let text = text_of(cells.get(place).unwrap_or_default());
            check_text(readable(text, place)?, required).map_err(|wrong| (place, code_of(wrong)))
        };
        let optional = |place: Option<usize>| place.map_or(Ok(String::new()), |place| text(place, false));
        let phone = |place: Option<usize>| {
            let Some(place) = place else { return Ok(String::new()) };
            let cell = readable(text_of(cells.get(place).unwrap_or_default()), place)?;
            phone_of(cell, country).map_err(|code| (place, code))
        };
        let (name, village) = (text(self.name, true)?, optional(self.village)?);
        let (mut first, mut others) = (phone(self.phone)?, vec![phone(self.other_phone)?]);
        if first.is_empty() {
            first = others.pop().unwrap_or_default();
        }
        others.retain(|number| !number.is_empty() && *number != first);
        let language = optional(self.language)?;
        let language =
            check_language(&language).ok_or((self.language.unwrap_or_default(), ImportCode::LanguageInvalid))?;
        let wrong_tags = || (self.tags.unwrap_or_default(), ImportCode::TagInvalid);
        let tags = optional(self.tags)?;
        let tags = tags.split([',', ';', '|', '/']).filter(|tag| !tag.trim().is_empty()).map(str::parse);
        let tags = tags.collect::<Result<BTreeSet<FarmerTag>, _>>().map_err(|_not_a_tag| wrong_tags())?;
        if tags.len() > MAX_TAGS {
            return Err(wrong_tags());
        }
        let details = ContactDetails {
            name,
            village,
            phone: first,
            local_name: optional(self.local_name)?,
            language,
            other_phones: others,
            ..ContactDetails::default()
        };
        Ok(Line { details, tags })
    }

    /// Returns the name of a column; the last place stands for cells without a column.
    pub(super) fn header(&self, place: usize) -> String {
        self.headers.get(place).cloned().unwrap_or_default()
    }

    /// Returns the place of the names.
    pub(super) fn name(&self) -> usize {
        self.name
    }
}

fn readable(text: &str, place: usize) -> Result<&str, (usize, ImportCode)> {
    if text.contains(super::decode::UNREADABLE) { Err((place, ImportCode::Unreadable)) } else { Ok(text) }
}

fn code_of(wrong: TextError) -> ImportCode {
    match wrong {
        TextError::Empty => ImportCode::NameMissing,
        TextError::TooLong => ImportCode::TextTooLong,
        TextError::ControlCharacter => ImportCode::TextInvalid,
        TextError::NoPhoneNumber => ImportCode::PhoneInvalid,
    }
}

/// Returns the text of a cell without what marks it as text: `="…"`, or the guard before what looks like a formula.
fn text_of(cell: &str) -> &str {
    let cell = cell.trim();
    if let Some(inner) = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return inner.trim();
    }
    match cell.strip_prefix(GUARD) {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) || rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => cell,
    }
}

/// Returns a telephone number as it is stored, also if a spreadsheet took it for a number: with decimals, in scientific form, without its
/// plus or leading zero.
fn phone_of(cell: &str, country: &str) -> Result<String, ImportCode> {
    let typed = match integer_of(cell) {
        Some(digits) => digits?,
        None => cell.to_owned(),
    };
    let number = check_phone(&typed, country).map_err(code_of)?;
    if number.is_empty() || number.starts_with('+') {
        return Ok(number);
    }
    Ok(phone_digits(&number).and_then(|digits| restored_phone(&digits, country)).unwrap_or(number))
}

/// Returns the digits of a number as a spreadsheet writes it, with zeros as decimals or an exponent, such as `9.845011223E+09`; `None` for
/// any other text.
fn integer_of(cell: &str) -> Option<Result<String, ImportCode>> {
    let (mantissa, exponent) = cell.split_once(['e', 'E']).unwrap_or((cell, "0"));
    let exponent: usize = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }
    if mantissa == cell {
        // More zeros may be a part of a number with a point in it.
        return matches!(decimals, "" | "0" | "00").then(|| Ok(whole.to_owned()));
    }
    // A spreadsheet shows as many decimals as it has room for.
    match decimals.split_at_checked(exponent) {
        Some((known, rest)) if rest.trim_end_matches('0').is_empty() => Some(Ok(format!("{whole}{known}"))),
        _ => Some(Err(ImportCode::PhoneLostDigits)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(cells in prop::collection::vec("\\PC{0,20}|[0-9eE+.,]{0,24}", 0..6)) {
            let columns = Columns::find(["name", "village", "phone"].into_iter()).expect("columns");
            let details = columns.read(&csv::StringRecord::from(cells), "IN");
            prop_assert!(details.is_err() || details.is_ok_and(|it| !it.details.name.is_empty()));
        }
    }

    #[test]
    fn a_telephone_number_is_read_however_a_spreadsheet_wrote_it() {
        let india = Ok("+919845011223".to_owned());
        for (cell, country, expected) in [
            ("98450 11223", "IN", india.clone()),
            ("9845011223", "IN", india.clone()),
            ("9845011223.0", "IN", india.clone()),
            ("9845011223,00", "IN", india.clone()),
            ("98450.11223", "IN", india.clone()),
            ("9.845011223E+09", "IN", india.clone()),
            ("9,845011223e9", "IN", india.clone()),
            ("9.19845011223E+11", "IN", india.clone()),
            ("919845011223", "IN", india.clone()),
            ("919845011223", "KE", india.clone()),
            ("712345678", "KE", Ok("+254712345678".into())),
            ("254712345678", "KE", Ok("+254712345678".into())),
            ("391234567", "IT", Ok("+39391234567".into())),
            ("12345", "IN", Ok("12345".into())),
            ("", "IN", Ok(String::new())),
            ("9.84501E+09", "IN", Err(ImportCode::PhoneLostDigits)),
            ("9.845011223E+08", "IN", Err(ImportCode::PhoneLostDigits)),
            ("98450x", "IN", Err(ImportCode::PhoneInvalid)),
            ("1E400", "IN", Err(ImportCode::PhoneLostDigits)),
            ("NaN", "IN", Err(ImportCode::PhoneInvalid)),
            ("-5", "IN", Err(ImportCode::PhoneInvalid)),
            ("9845011223/9845011224", "IN", Err(ImportCode::PhoneInvalid)),
        ] {
            assert_eq!(phone_of(cell, country), expected, "{cell} in {country}");
        }
    }

    #[test]
    fn a_cell_is_read_without_what_marks_it_as_text() {
        for (cell, expected) in [
            (" Lakshmi ", "Lakshmi"),
            ("=\"098450\"", "098450"),
            ("'+919845011223", "+919845011223"),
            ("'098450", "098450"),
            ("'t Hooft", "'t Hooft"),
            ("=1+1", "=1+1"),
        ] {
            assert_eq!(text_of(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn columns_are_found_by_several_spellings_in_any_order() {
        for (headers, ignored) in [
            (vec!["Name", "Village", "Phone"], vec![]),
            (vec!["No.", "MOBILE NO.", "Farmer's name", "Kijiji"], vec!["No."]),
            (vec!["ಹೆಸರು", "ಗ್ರಾಮ", "ಮೊಬೈಲ್"], vec![]),
            (vec!["नाम", "गाँव", "फ़ोन"], vec![]),
            (vec!["name", "Local name", "phone", "Phone 2", "Language", "Tags"], vec![]),
            (vec!["farmer_code", "centre", "name", "village", "phone"], vec!["farmer_code", "centre"]),
        ] {
            let columns = Columns::find(headers.iter().copied()).expect("columns");
            assert_eq!(columns.ignored(), ignored, "{headers:?}");
        }
        for headers in [vec![], vec!["Village", "Phone"], vec!["name", "phone", "Mobile"], vec!["Lakshmi", "Vemagal"]] {
            let error = Columns::find(headers.iter().copied()).expect_err("no columns");
            assert!(matches!(error, Error::Invalid { field: "columns", .. }), "{headers:?}");
        }
    }
}
