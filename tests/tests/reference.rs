//! Reference files: all errors of a file at once, and a JSON Schema that says the same as the server.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use farmtally_core::rules::{PublicationCode, PublicationError};
use farmtally_sync_server::{Error, ReferenceFile};
use farmtally_tests::{Market, REFERENCE};
use serde_json::{Value, json};

/// Returns the errors for which a file is refused.
fn errors(file: &str) -> Vec<PublicationError> {
    match ReferenceFile::parse(file) {
        Ok(_) => Vec::new(),
        Err(Error::Reference { errors }) => errors,
        Err(error) => panic!("{error}"),
    }
}

/// Returns places and codes of these errors.
fn refused(file: &str) -> Vec<(String, &'static str)> {
    errors(file).into_iter().map(|error| (error.path, error.code.as_str())).collect()
}

/// A file with one rule set that has all fields; `fields` replace those of the same name.
fn with_rules(fields: Value) -> Value {
    let mut rules = json!({
        "number": 1, "commodity": "MAIZE", "valid_from": "2026-01-01",
        "bag_types": [{"number": 0, "name": "jute bag", "tare_g": 900}],
        "grades": [{"code": "A", "name": "first"}],
        "rounding": "half_even", "effective_reading": "worst", "allowance_g": 100, "legal_cap_g": 1_000_000,
        "moisture": {
            "required": true, "target_hundredths": 1_400, "method": "per_point", "per_bag_g": 100, "base": "bag_net",
            "step_hundredths": 10, "step_rounding": "up", "handling_loss_hundredths": 50
        },
        "factors": [{
            "code": "FM", "name": "stones", "unit": "percent", "limit": 100, "share_hundredths": 100,
            "foreign_matter": true, "base": "bag_net"
        }],
        "windows": {"clerk_amend_minutes": 30, "field_manager_amend_minutes": 60, "duplicate_minutes": 90},
        "weighing": {
            "check_days": 7, "repeated_bags": 8, "pattern_bags": 20, "regular_hundredths": 9_500,
            "repeat_hundredths": 5_000, "bag_seconds": 3, "fast_bags": 6
        },
        "capacity": {"warning_hundredths": 9_000, "stop_hundredths": 10_000},
        "cash_limits": {"per_payee_minor": 20, "per_day_minor": 30, "per_delivery_minor": 10},
        "approval": {"advance_minor": 1, "settlement_minor": 2, "payment_minor": 3, "farmer_advances_minor": 4},
        "interest": {"rate_bp": 1_800, "day_count": "30e_360", "grace_days": 30, "cap_hundredths": 10_000},
        "recovery": {"share_hundredths": 5_000, "advances_priority": 3},
        "loss": {
            "tolerance_hundredths": 50, "tolerance_kind": "deductible", "shortage": "pro_rata", "gain": "operator",
            "price": "fixed", "price_minor_per_tonne": 2_150_000
        },
        "cash_unit_minor": 100
    });
    let Value::Object(fields) = fields else { panic!("an object") };
    rules.as_object_mut().expect("an object").extend(fields);
    json!({ "rule_sets": [rules] })
}

/// A file with one record in every other list.
fn with_records() -> Value {
    json!({
        "centres": [{"code": "KOLAR", "name": "Kolar"}],
        "commodities": [{"code": "MAIZE", "name": "Maize"}],
        "seasons": [{"code": "2026", "commodity": "MAIZE", "from": "2026-01-01", "to": "2026-12-31"}],
        "lorries": [{"plate": "KA07A1111", "payload_g": 9_000_000}],
        "notices": [{"code": "hours", "text": ""}],
        "instruments": [{
            "code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III", "min_value": 0,
            "max_value": 200_000_000, "intervals": [{"up_to_value": 60_000, "interval_value": 20}],
            "certificate": "LM-88", "valid_until": "2026-12-31"
        }],
        "paper_books": [{
            "code": "BOOK17", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 99_999_000,
            "last_serial": 99_999_999
        }],
        "certificates": [{
            "farmer": "T-KOLAR-10-17", "scheme": "ORGANIC", "number": "OC-77", "valid_from": "2026-01-01",
            "valid_until": "2026-12-31"
        }],
        "quotas": [{"farmer": "T-KOLAR-10-17", "commodity": "MAIZE", "season": "2026", "most_g": 5_000_000}]
    })
}

/// The schema of `docs/reference.schema.json`.
struct Schema {
    json: Value,
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.schema.json");
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("file:///reference.schema.json", json.clone()).expect("a resource");
        let index = compiler.compile("file:///reference.schema.json", &mut schemas).expect("a valid schema");
        Self { json, schemas, index }
    }

    fn accepts(&self, file: &Value) -> bool {
        self.schemas.validate(file, self.index).is_ok()
    }

    /// Follows a reference to a definition.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|name| self.json.pointer(name.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// Calls `visit` with the place of each value of `file` that the schema describes, and its description.
    fn walk(&self, schema: &Value, file: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
        let schema = self.resolve(schema);
        visit(path, schema);
        for (name, value) in file.as_object().into_iter().flatten() {
            self.walk(&schema["properties"][name], value, &format!("{path}/{name}"), visit);
        }
        for (place, value) in file.as_array().into_iter().flatten().enumerate() {
            self.walk(&schema["items"], value, &format!("{path}/{place}"), visit);
        }
    }
}

/// Returns the file with another value at a place.
fn replaced(file: &Value, path: &str, value: Value) -> Value {
    let mut file = file.clone();
    *file.pointer_mut(path).expect("a place") = value;
    file
}

#[test]
fn all_errors_of_a_file_are_found_at_once() {
    let file = json!({
        "centres": [{"code": "KOLAR"}, {"code": "K/L", "name": "Kolar", "a/b": 1}],
        "lorries": [{"plate": "KA07", "payload_g": 1}, {"plate": "ka 07", "payload_g": 0}],
        "seasons": [{"code": "A", "commodity": "T", "from": "2026-02-30", "to": 1}, 5],
        "rule_sets": [{
            "number": 0, "commodity": "T", "valid_from": "2026-01-01", "legal_cap_g": 1_000, "allowance_g": 200,
            "bag_types": [
                {"number": 0, "name": "a", "tare_g": 800}, {"number": 0, "name": " ", "tare_g": 1.5},
                {"number": 2, "name": "c", "tare_g": 801}
            ],
            "moisture": {"method": "water_shrink", "per_bag_g": 1},
            "rounding": "nearest"
        }],
        "weather": []
    });
    let expected = [
        ("/centres/0/name", "missing"),
        ("/centres/1/code", "malformed"),
        ("/centres/1/a~1b", "unknown_field"),
        ("/seasons/0/from", "malformed"),
        ("/seasons/0/to", "wrong_type"),
        ("/seasons/1", "wrong_type"),
        ("/lorries/1/payload_g", "out_of_range"),
        ("/lorries/1/plate", "duplicate"),
        ("/rule_sets/0/bag_types/1/name", "malformed"),
        ("/rule_sets/0/bag_types/1/tare_g", "wrong_type"),
        ("/rule_sets/0/rounding", "malformed"),
        ("/rule_sets/0/moisture/per_bag_g", "unknown_field"),
        ("/rule_sets/0/number", "out_of_range"),
        ("/rule_sets/0/bag_types/2/tare_g", "legal_cap_exceeded"),
        ("/rule_sets/0/moisture/target_hundredths", "moisture_target_missing"),
        ("/weather", "unknown_field"),
    ];
    let found = refused(&file.to_string());
    assert_eq!(found, expected.map(|(path, code)| (path.to_owned(), code)));
    let text = ReferenceFile::parse(&file.to_string()).expect_err("errors").to_string();
    assert_eq!(text.lines().count(), 1 + expected.len(), "{text}");
    let line = "  /lorries/1/plate: \"KA07\" and \"ka 07\" are one code, KA07 (duplicate)";
    assert!(text.lines().any(|it| it == line), "{text}");
}

#[test]
fn each_error_of_reading_has_its_code() {
    let rules = |fields| with_rules(fields).to_string();
    let twice = r#"{"centres": [{"code": "KOLAR", "name": "Kolar", "name": "Malur"}]}"#;
    let season = json!({"seasons": [{"code": "A", "commodity": "T", "from": "2026-01-02", "to": "2026-01-01"}]});
    let moisture = |fields: Value| rules(json!({ "moisture": fields }));
    let instrument = |field: &str, value: Value| {
        let mut file = with_records();
        file["instruments"][0][field] = value;
        file.to_string()
    };
    let descending = json!([{"up_to_value": 2, "interval_value": 1}, {"up_to_value": 2, "interval_value": 1}]);
    let both = json!([{"code": "A", "name": "a", "limit": 0, "per_bag_g": 1, "share_hundredths": 1}]);
    for (file, path, code) in [
        (twice.to_owned(), "/centres/0/name", "duplicate"),
        (season.to_string(), "/seasons/0/to", "ends_before_it_begins"),
        (json!({"centres": {}}).to_string(), "/centres", "wrong_type"),
        (rules(json!({"moisture": []})), "/rule_sets/0/moisture", "wrong_type"),
        (rules(json!({"number": "1"})), "/rule_sets/0/number", "wrong_type"),
        (rules(json!({"number": -1})), "/rule_sets/0/number", "out_of_range"),
        (rules(json!({"cash_unit_minor": 9_007_199_254_740_993_i64})), "/rule_sets/0/cash_unit_minor", "out_of_range"),
        (rules(json!({"bag_types": []})), "/rule_sets/0/bag_types", "no_bag_type"),
        (instrument("type", json!("ruler")), "/instruments/0/type", "malformed"),
        (instrument("serial", json!(" ")), "/instruments/0/serial", "malformed"),
        (instrument("min_value", json!(200_000_001)), "/instruments/0/min_value", "out_of_range"),
        (instrument("intervals", descending), "/instruments/0/intervals", "out_of_range"),
        (rules(json!({"factors": both})), "/rule_sets/0/factors/0/share_hundredths", "ambiguous"),
        (moisture(json!({"method": "dry", "brackets": []})), "/rule_sets/0/moisture/method", "malformed"),
        (
            moisture(json!({"method": "per_point", "target_hundredths": 1})),
            "/rule_sets/0/moisture/per_bag_g",
            "missing",
        ),
        (rules(json!({"loss": {"price": "fixed"}})), "/rule_sets/0/loss/price_minor_per_tonne", "missing"),
        (rules(json!({"loss": {"price": "good"}})), "/rule_sets/0/loss/price", "malformed"),
        (
            rules(json!({"loss": {"price": "delivery", "price_minor_per_tonne": 1}})),
            "/rule_sets/0/loss/price_minor_per_tonne",
            "unknown_field",
        ),
    ] {
        assert_eq!(refused(&file), [(path.to_owned(), code)], "{file}");
    }
    for (file, reason) in [("[]", "not a list"), ("{", "EOF"), ("", "EOF"), ("{} {}", "trailing")] {
        let error = ReferenceFile::parse(file).expect_err(file);
        assert!(matches!(error, Error::Invalid { field: "reference", .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_says_nothing_about_its_neighbours() {
    let bracket = |above, up_to: Value| json!({"above_hundredths": above, "up_to_hundredths": up_to, "per_bag_g": 1});
    let brackets = json!([bracket(1_400, json!(1_600)), bracket(1_600, json!("1800")), bracket(1_800, json!(9_000))]);
    let moisture = json!({"target_hundredths": 1_400, "method": "step_table", "brackets": brackets});
    let found = refused(&with_rules(json!({ "moisture": moisture })).to_string());
    assert_eq!(found, [("/rule_sets/0/moisture/brackets/1/up_to_hundredths".to_owned(), "wrong_type")]);
}

#[test]
fn published_rule_sets_that_a_file_changes_are_all_named() {
    let market = Market::open(77);
    let number = |number: u32, tare_g: u32| {
        let bag = json!({"number": 0, "name": "sack", "tare_g": tare_g});
        json!({"number": number, "commodity": "MAIZE", "valid_from": "2026-01-01", "bag_types": [bag]})
    };
    let publish = |rule_sets: Vec<Value>| {
        let file = ReferenceFile::parse(&json!({ "rule_sets": rule_sets }).to_string()).expect("a file");
        market.server.update_reference(market.organisation, &file)
    };
    assert_eq!(publish(vec![number(71, 100), number(72, 100), number(73, 100)]).expect("published"), 3);
    assert_eq!(publish(vec![number(71, 100)]).expect("the same"), 0);
    let error = publish(vec![number(74, 1), number(71, 101), number(72, 100), number(73, 99)]).expect_err("changed");
    let Error::Reference { errors } = error else { panic!("{error}") };
    let found: Vec<_> = errors.iter().map(|error| (error.path.as_str(), error.code)).collect();
    assert_eq!(found, [("/rule_sets/1", PublicationCode::Published), ("/rule_sets/3", PublicationCode::Published)]);
    assert_eq!(publish(vec![number(74, 1)]).expect("nothing was published"), 1);
}

/// The blocks of JSON on a page.
fn blocks(page: &str) -> Vec<Value> {
    let path = format!("{}/../{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a page");
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| serde_json::from_str(block).expect("JSON")).collect()
}

#[test]
fn the_schema_and_the_server_accept_the_files_of_the_documents_and_of_the_tests() {
    let schema = Schema::read();
    let mut files =
        vec![with_rules(json!({})), with_records(), json!({}), serde_json::from_str(REFERENCE).expect("JSON")];
    for page in ["README.md", "docs/operating.md"] {
        let examples = blocks(page);
        assert!(!examples.is_empty(), "{page} has an example");
        files.extend(examples);
    }
    for file in files {
        assert!(schema.accepts(&file), "{file:#}");
        assert_eq!(errors(&file.to_string()), [], "{file:#}");
    }
}

#[test]
fn the_schema_has_the_fields_of_the_server_and_no_others() {
    let schema = Schema::read();
    let step = json!({"above_hundredths": 1_400, "up_to_hundredths": 10_000, "share_hundredths": 1});
    let table = json!({"target_hundredths": 1_400, "method": "step_table", "brackets": [step]});
    let all = [with_rules(json!({})), with_rules(json!({ "moisture": table })), with_records()];
    let mut compared = 0;
    for file in &all {
        let mut objects = Vec::new();
        schema.walk(&schema.json, file, "", &mut |path, described| {
            if let Some(properties) = described["properties"].as_object() {
                objects.push((path.to_owned(), properties.keys().cloned().collect::<BTreeSet<_>>()));
            }
        });
        for (path, described) in objects {
            let mut unknown = file.clone();
            unknown.pointer_mut(&path).expect("a place")["zzz"] = json!(1);
            assert!(!schema.accepts(&unknown), "{path}");
            let error = errors(&unknown.to_string()).into_iter().find(|error| error.path == format!("{path}/zzz"));
            let reason = error.expect("an error").reason;
            let (_, known) = reason.split_once("use ").expect("the known fields");
            let known: BTreeSet<_> = known.split(", ").map(ToOwned::to_owned).collect();
            // The server asks for a method's own fields only by that method.
            let own = ["per_bag_g", "share_hundredths", "brackets"].map(ToOwned::to_owned).into();
            let is_moisture = path.ends_with("/moisture");
            let described = if is_moisture { described.difference(&own).cloned().collect() } else { described };
            let known = if is_moisture { known.difference(&own).cloned().collect() } else { known };
            assert_eq!(described, known, "{path}");
            compared += 1;
        }
    }
    assert!(compared > 25, "{compared} objects");
}

#[test]
fn the_schema_has_the_bounds_of_the_server() {
    let (schema, file) = (Schema::read(), with_rules(json!({})));
    let mut bounds = Vec::new();
    for file in [&file, &with_records()] {
        schema.walk(&schema.json, file, "", &mut |path, described| {
            if let (Some(least), Some(most)) = (described["minimum"].as_i64(), described["maximum"].as_i64()) {
                bounds.push((file.clone(), path.to_owned(), least, most));
            }
        });
    }
    assert!(bounds.len() > 25, "{}", bounds.len());
    for (file, path, least, most) in bounds {
        for (value, fits) in [(least, true), (least - 1, false), (most, true), (most + 1, false)] {
            let changed = replaced(&file, &path, json!(value));
            assert_eq!(schema.accepts(&changed), fits, "{path}: {value}, by the schema");
            let outside = |error: &PublicationError| {
                let codes = [PublicationCode::OutOfRange, PublicationCode::MoistureTargetTooHigh];
                error.path == path && codes.contains(&error.code)
            };
            assert_eq!(!errors(&changed.to_string()).iter().any(outside), fits, "{path}: {value}, by the server");
        }
    }
}

#[test]
fn the_schema_has_the_choices_of_the_server() {
    let (schema, file) = (Schema::read(), with_rules(json!({})));
    let mut choices = Vec::new();
    schema.walk(&schema.json, &file, "", &mut |path, described| {
        let values = described["enum"].as_array().cloned().unwrap_or_default();
        choices.extend(values.into_iter().map(|value| (path.to_owned(), value)));
    });
    assert!(choices.len() > 25, "{}", choices.len());
    for (path, value) in choices {
        let malformed = |value| {
            let found = refused(&replaced(&file, &path, value).to_string());
            found.iter().any(|(at, code)| *at == path && *code == "malformed")
        };
        assert!(!malformed(value.clone()), "{path}: {value}");
        assert!(malformed(json!("other")), "{path}");
    }
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_server() {
    let schema = Schema::read();
    let rules = json!({
        "number": 1, "commodity": "MAIZE", "valid_from": "2026-01-01",
        "bag_types": [{"number": 0, "name": "jute bag", "tare_g": 900}],
        "factors": [{"code": "A", "name": "a", "limit": 0}]
    });
    let small = json!({ "rule_sets": [rules] });
    let mut large = small.clone();
    let mut set = 0;
    schema.walk(&schema.json, &with_rules(json!({})), "", &mut |path, described| {
        let Some(default) = described.get("default").filter(|_| path.starts_with("/rule_sets/0/")) else { return };
        if path.ends_with("/factors") {
            return;
        }
        let mut at = &mut large;
        for name in path.split('/').skip(1) {
            at = match name.parse::<usize>() {
                Ok(place) => &mut at[place],
                Err(_) => &mut at[name],
            };
        }
        *at = default.clone();
        set += 1;
    });
    assert!(set > 25, "{set} defaults");
    let read = |file: &Value| format!("{:?}", ReferenceFile::parse(&file.to_string()).expect("a file"));
    assert_eq!(read(&small), read(&large));
}
