//! Reading the fields of JSON objects. Collects all errors, each with its place.

use farmtally_core::rules::{PublicationCode, PublicationError, check_text};

use super::json::Json;
use super::values::FromJson;

/// The errors of a file.
#[derive(Debug, Default)]
pub(super) struct Errors {
    pub(super) found: Vec<PublicationError>,
    /// Lists that lack entries because these could not be read, each with the places in the file of those that could.
    incomplete: Vec<(String, Vec<usize>)>,
}

impl Errors {
    fn add(&mut self, path: String, code: PublicationCode, reason: impl Into<String>) {
        self.found.push(PublicationError { path, code, reason: reason.into() });
    }

    /// Adds an error that a check found in what could be read, unless it only follows from what could not.
    fn add_checked(&mut self, mut error: PublicationError) {
        use PublicationCode::{BracketGap, BracketOverlap};
        for (list, places) in &self.incomplete {
            let Some(rest) = error.path.strip_prefix(list.as_str()) else { continue };
            let Some((place, field)) = rest.strip_prefix('/').and_then(|rest| rest.split_once('/')) else { return };
            if matches!(error.code, BracketGap | BracketOverlap) {
                return;
            }
            let place = place.parse().ok().and_then(|place: usize| places.get(place));
            error.path = place.map_or_else(|| list.clone(), |place| format!("{list}/{place}/{field}"));
            break;
        }
        if !self.found.iter().any(|known| known.path == error.path) {
            self.found.push(error);
        }
    }
}

/// The fields of one object, and their place in the file.
pub(super) struct Fields<'a> {
    path: String,
    entries: &'a [(String, Json)],
    /// Names that were asked for.
    known: Vec<&'static str>,
    errors: &'a mut Errors,
}

impl<'a> Fields<'a> {
    /// Reads an object with `read`, and then refuses fields that it did not ask for, or that are there twice.
    pub(super) fn read<T>(
        path: String,
        entries: &'a [(String, Json)],
        errors: &'a mut Errors,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> T {
        let mut fields = Fields { path, entries, known: Vec::new(), errors };
        let value = read(&mut fields);
        fields.refuse_others();
        value
    }

    fn refuse_others(&mut self) {
        for (place, (name, _)) in self.entries.iter().enumerate() {
            // A JSON Pointer escapes these two (RFC 6901, section 3).
            let path = format!("{}/{}", self.path, name.replace('~', "~0").replace('/', "~1"));
            if !self.known.contains(&name.as_str()) {
                let reason = format!("there is no such field here: use {}", self.known.join(", "));
                self.errors.add(path, PublicationCode::UnknownField, reason);
            } else if self.entries.iter().take(place).any(|(earlier, _)| earlier == name) {
                self.errors.add(path, PublicationCode::Duplicate, "the field is there twice");
            }
        }
    }

    /// Returns the value of a field; `None` if it is not there, or null.
    fn find(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        let value = self.entries.iter().find(|(written, _)| written == name).map(|(_, value)| value);
        value.filter(|value| !matches!(value, Json::Null))
    }

    /// Returns a field as it is written, for messages.
    pub(super) fn written(&self, name: &str) -> String {
        match self.entries.iter().find(|(written, _)| written == name) {
            Some((_, Json::Text(text))) => text.clone(),
            Some((_, Json::Int(number))) => number.to_string(),
            _ => String::new(),
        }
    }

    /// Accepts fields without reading them, because another error says already that they can't be understood.
    pub(super) fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Returns the value of a field; `None` if it is not there, or could not be read, which is an error then.
    pub(super) fn optional<T: FromJson>(&mut self, name: &'static str) -> Option<T> {
        let value = self.find(name)?;
        match T::from_json(value) {
            Ok(value) => Some(value),
            Err((code, reason)) => {
                self.error(name, code, reason);
                None
            }
        }
    }

    /// Returns the value of a field; `None` is an error.
    pub(super) fn required<T: FromJson>(&mut self, name: &'static str) -> Option<T> {
        if self.find(name).is_none() {
            self.error(name, PublicationCode::Missing, "the field is missing");
            return None;
        }
        self.known.pop();
        self.optional(name)
    }

    /// Replaces `value` by that of a field, if the field is there.
    pub(super) fn set<T: FromJson>(&mut self, name: &'static str, value: &mut T) {
        if let Some(read) = self.optional(name) {
            *value = read;
        }
    }

    /// Returns a required name or other text for people, in the form in which it is stored; an empty one is an error if `is_shown`.
    pub(super) fn text(&mut self, name: &'static str, is_shown: bool) -> Option<String> {
        let text: String = self.required(name)?;
        match check_text(&text, is_shown) {
            Ok(text) => Some(text),
            Err(error) => {
                self.error(name, PublicationCode::Malformed, error.to_string());
                None
            }
        }
    }

    /// Reads the object of a field, if it is there.
    pub(super) fn object(&mut self, name: &'static str, read: impl FnOnce(&mut Fields<'_>)) {
        match self.find(name) {
            None => {}
            Some(Json::Object(entries)) => {
                Fields::read(format!("{}/{name}", self.path), entries, self.errors, read);
            }
            Some(other) => self.wrong_type(name, "an object", other),
        }
    }

    /// Reads a list of objects, without those of which `read` returns `None`; a list that is not there is empty.
    pub(super) fn list<T>(&mut self, name: &'static str, mut read: impl FnMut(&mut Fields<'_>) -> Option<T>) -> Vec<T> {
        let list = match self.find(name) {
            None => return Vec::new(),
            Some(Json::List(list)) => list,
            Some(other) => {
                self.wrong_type(name, "a list", other);
                return Vec::new();
            }
        };
        let path = format!("{}/{name}", self.path);
        let (mut values, mut places) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
        for (place, entry) in list.iter().enumerate() {
            let at = format!("{path}/{place}");
            match entry {
                Json::Object(entries) => {
                    if let Some(value) = Fields::read(at, entries, self.errors, &mut read) {
                        values.push(value);
                        places.push(place);
                    }
                }
                other => {
                    let reason = format!("an object is expected, not {}", other.type_name());
                    self.errors.add(at, PublicationCode::WrongType, reason);
                }
            }
        }
        if values.len() < list.len() {
            self.errors.incomplete.push((path, places));
        }
        values
    }

    fn wrong_type(&mut self, name: &'static str, expected: &str, found: &Json) {
        let reason = format!("{expected} is expected, not {}", found.type_name());
        self.error(name, PublicationCode::WrongType, reason);
    }

    /// Adds an error of a field.
    pub(super) fn error(&mut self, name: &str, code: PublicationCode, reason: impl Into<String>) {
        self.errors.add(format!("{}/{name}", self.path), code, reason);
    }

    /// Adds the errors of a check of the whole object.
    pub(super) fn add_checked(&mut self, errors: Vec<PublicationError>) {
        for error in errors {
            self.errors.add_checked(PublicationError { path: format!("{}{}", self.path, error.path), ..error });
        }
    }
}
