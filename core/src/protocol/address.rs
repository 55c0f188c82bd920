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
    parse(text).map(|url| url.as_str().trim_end_matches('/').to_owned())
}

/// Checks a server's address like [`normalize_server_url`], and that nobody on the way can read what is sent there: it is of HTTPS, or of
/// this machine.
///
/// # Errors
/// [`UnitError`] says what is wrong.
pub fn normalize_secure_url(text: &str) -> Result<String, UnitError> {
    let url = parse(text)?;
    let is_this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || is_this_machine {
        return normalize_server_url(text);
    }
    Err(wrong(&"it must begin with https://, unless it is of this machine"))
}

fn wrong(reason: &dyn std::fmt::Display) -> UnitError {
    UnitError::new(format!("not an address such as https://sync.example.org: {reason}"))
}

fn parse(text: &str) -> Result<Url, UnitError> {
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
    Ok(url)
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
        for (text, expected) in [
            ("https://a.org", true),
            ("http://localhost:8484", true),
            ("http://127.0.0.1:8484/farm", true),
            ("http://[::1]", true),
            ("http://localhost.org", false),
            ("http://127.0.0.1.org", false),
            ("http://192.168.1.7:8080", false),
            ("http://a.org", false),
        ] {
            assert_eq!(normalize_secure_url(text).is_ok(), expected, "{text}");
        }
        assert_eq!(normalize_server_url(" https://A.org/x/ ").expect("an address"), "https://a.org/x");
    }
}
