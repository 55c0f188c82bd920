//! The section `[bindings.dart]` of a crate's `uniffi.toml`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// The Dart form of a custom type that is not an extension type.
#[derive(Clone, Debug)]
pub(super) struct CustomType {
    pub(super) type_name: String,
    /// Expression that makes a custom value from the built-in value `{}`.
    pub(super) lift: String,
    /// Expression that makes a built-in value from the custom value `{}`.
    pub(super) lower: String,
    pub(super) imports: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    /// Name of the native library, without `lib` and extension.
    pub(super) cdylib_name: Option<String>,
    pub(super) custom_types: BTreeMap<String, CustomType>,
}

impl Config {
    pub(super) fn parse(toml: &toml::Value) -> Result<Self> {
        let mut config = Self::default();
        let section = toml.get("bindings").and_then(|bindings| bindings.get("dart"));
        let Some(section) = section.and_then(toml::Value::as_table) else { return Ok(config) };
        for (key, value) in section {
            match (key.as_str(), value) {
                ("cdylib_name", toml::Value::String(name)) => config.cdylib_name = Some(name.clone()),
                ("custom_types", toml::Value::Table(types)) => {
                    for (name, custom) in types {
                        config.custom_types.insert(name.clone(), custom_type(name, custom)?);
                    }
                }
                _ => bail!("[bindings.dart]: `{key}` is not known, or not of the right type"),
            }
        }
        Ok(config)
    }
}

fn custom_type(name: &str, toml: &toml::Value) -> Result<CustomType> {
    let text = |key: &str| match toml.get(key).and_then(toml::Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => bail!("[bindings.dart.custom_types.{name}]: `{key}` is missing"),
    };
    let expression = |key: &str| {
        let text = text(key)?;
        if !text.contains("{}") {
            bail!("[bindings.dart.custom_types.{name}]: `{key}` has no `{{}}`, where the value goes");
        }
        Ok(text)
    };
    let imports = toml.get("imports").and_then(toml::Value::as_array);
    let imports = imports.into_iter().flatten().filter_map(toml::Value::as_str).map(ToOwned::to_owned).collect();
    Ok(CustomType {
        type_name: text("type_name")?.trim().to_owned(),
        lift: expression("lift")?,
        lower: expression("lower")?,
        imports,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_without_its_value_is_refused() {
        let section = "[bindings.dart.custom_types.Money]\ntype_name = 'Money'\n";
        for (rest, refused) in [
            ("lift = 'Money.zero'\nlower = '{}.cents'", Some("lift")),
            ("lift = 'Money({})'\nlower = '0'", Some("lower")),
            ("lift = 'Money({} ~/ 100, {} % 100)'\nlower = '{}.cents'", None),
        ] {
            let result = Config::parse(&toml::from_str(&format!("{section}{rest}")).unwrap());
            let error = result.err().map(|error| error.to_string());
            let expected = refused
                .map(|key| format!("[bindings.dart.custom_types.Money]: `{key}` has no `{{}}`, where the value goes"));
            assert_eq!(error, expected);
        }
    }
}
