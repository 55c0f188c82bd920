//! The address of a server, as people type it.

use url::{Host, Url};

use crate::units::UnitError;

/// Longest name of a host, and longest part of it between dots, in bytes (RFC 1035).
const MAX_HOST: (usize, usize) = (253, 63);

/// Checks a server's address (HTTP or HTTPS, a host, at most a port and a path) and returns it without a slash at its end.
///
/// # Errors
/// [`UnitError`] says what is wrong.
pub fn normalize_server_url(text: &str) -> Result<String, UnitError> {
    let wrong = |reason: &dyn std::fmt::Display| {
        UnitError::new(format!("not an address such as https://sync.example.org: {reason}"))
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong(&"it must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(&"must not contain a user name, a password, ? or #"));
    }
    if let Some(Host::Domain(host)) = url.host()
        && (host.len() > MAX_HOST.0
            || host.trim_end_matches('.').split('.').any(|it| it.is_empty() || it.len() > MAX_HOST.1))
    {
        return Err(wrong(&format_args!(
            "no host can have this name: at most {} letters, {} between dots",
            MAX_HOST.0, MAX_HOST.1
        )));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_that_can_exist() {
        let part = "a".repeat(63);
        let long = format!("{part}.{part}.{part}.{}", "a".repeat(61));
        for (text, expected) in [
            (format!("https://{long}"), true),
            (format!("https://{long}a"), false),
            (format!("https://{part}a.org"), false),
            ("https://a..org".to_owned(), false),
            ("http://192.168.1.7:8080/farm/".to_owned(), true),
            ("http://[::1]:8080".to_owned(), true),
        ] {
            assert_eq!(normalize_server_url(&text).is_ok(), expected, "{text}");
        }
        assert_eq!(normalize_server_url(" https://A.org/x/ ").expect("an address"), "https://a.org/x");
    }
}
