//! What a database URL says, in both forms, and what is shown of it.

use std::fmt::Write;

use proptest::prelude::*;
use tokio_postgres::config::SslMode;

use crate::postgres::{DatabaseUrl, DatabaseUrlError};

fn mode(url: &str) -> Result<SslMode, DatabaseUrlError> {
    url.parse().map(|url: DatabaseUrl| url.config.get_ssl_mode())
}

fn shown(url: &str) -> String {
    let url: DatabaseUrl = url.parse().unwrap();
    assert_eq!(url.to_string(), format!("{url:?}"));
    url.to_string()
}

#[test]
fn tls_is_required_beyond_this_machine() {
    for url in [
        "postgres://u@db.example/l",
        "postgres://u@db.example/l?sslmode=prefer",
        "postgres://u@127.0.0.1,10.0.0.7/l",
        "postgres://u@localhost/l?hostaddr=10.0.0.7",
        "host=/run/postgresql,db.example",
        "host=localhost.example",
    ] {
        assert_eq!(mode(url).unwrap(), SslMode::Require, "{url}");
    }
}

#[test]
fn a_url_that_would_go_beyond_this_machine_in_the_clear_is_refused() {
    for url in ["postgres://u@db.example/l?sslmode=disable", "host=::2 sslmode=disable"] {
        assert!(matches!(mode(url), Err(DatabaseUrlError::TlsRequired { .. })), "{url}");
    }
}

#[test]
fn this_machine_is_asked_for_tls_only_when_the_url_requires_it() {
    for host in ["localhost", "127.0.0.1", "::1", "/run/postgresql"] {
        assert_eq!(mode(&format!("host={host}")).unwrap(), SslMode::Disable);
        assert_eq!(mode(&format!("host={host} sslmode=require")).unwrap(), SslMode::Require);
    }
}

#[test]
fn a_url_may_name_the_certificates_it_trusts() {
    let trusted = |url: &str| url.parse::<DatabaseUrl>().unwrap().root;
    let file = Some(std::path::PathBuf::from("/etc/our ca.pem"));
    for url in [
        "postgres://u@db.example/l?sslrootcert=%2Fetc%2Four%20ca.pem&sslmode=verify-full",
        "postgres://u@db.example/l?sslrootcert=/etc/our%20ca.pem",
        "host=db.example sslmode=verify-full sslrootcert='/etc/our ca.pem' dbname=l",
    ] {
        assert_eq!(trusted(url), file, "{url}");
        assert_eq!(mode(url).unwrap(), SslMode::Require);
    }
    for url in ["postgres://u@db.example/l", "host=db.example sslrootcert=system"] {
        assert_eq!(trusted(url), None, "{url}");
    }
}

#[test]
fn a_url_is_shown_as_host_port_user_and_database() {
    for (url, is_shown) in [
        (
            "postgres://me:s3cr3t@localhost/lethe?sslmode=disable",
            "postgres://me@localhost:5432/lethe",
        ),
        ("postgresql://me@db.example:1,[::1]:2/l", "postgres://me@db.example:1,[::1]:2/l"),
        ("host=/run/our\\ pg user='a b' dbname=l", "postgres://a%20b@%2Frun%2Four%20pg/l"),
        ("hostaddr=127.0.0.1 port=7 user=me", "postgres://me@127.0.0.1:7/me"),
        ("postgres://localhost/l?user=me&pass%77ord=s3cr3t", "postgres://me@localhost:5432/l"),
    ] {
        assert_eq!(shown(url), is_shown);
    }
}

#[test]
fn another_database_is_reached_as_the_same_user() {
    for url in [
        "postgres://me:a?b/c@localhost/lethe?sslmode=require",
        "host=localhost user=me password='a?b/c' sslmode=require",
    ] {
        let other = url.parse::<DatabaseUrl>().unwrap().with_database("a 'b");

        assert_eq!(other.database(), Some("a 'b"));
        assert_eq!(other.config.get_password(), Some(&b"a?b/c"[..]));
        assert_eq!(other.config.get_ssl_mode(), SslMode::Require);
    }
}

#[test]
fn a_password_may_hold_what_is_a_parameter_elsewhere() {
    let password = "?sslrootcert=x&sslmode=verify-full";
    for url in [
        format!("postgres://me:{password}@db.example/l?sslmode=verify-full&sslrootcert=/ca"),
        format!("host=db.example password = '{password}' sslrootcert = /ca"),
    ] {
        let read: DatabaseUrl = url.parse().unwrap();

        assert_eq!(read.config.get_password(), Some(password.as_bytes()));
        assert_eq!(read.root.as_deref(), Some(std::path::Path::new("/ca")));
    }
}

#[test]
fn a_url_whose_password_would_count_as_a_name_is_refused_and_not_repeated() {
    for url in [
        "postgres://u:s3cr3t@[::1",
        "postgres://u:p@s3cr3t@host/l",
        "postgres://u:p@h/s3cr3t@host/l",
        "host=h password=p s3cr3t",
        "host=h password='s3cr3t",
        "host=h dbname='postgres://u:s3cr3t@h/l'",
        "mysql://u:s3cr3t@h/l",
        "h=s3cr3t",
        "",
    ] {
        let refused = url.parse::<DatabaseUrl>();
        let refused =
            refused.map(|url| url.to_string()).map_err(|error| format!("{error} {error:?}"));

        // Nothing at all is where libpq would go: its defaults.
        assert_eq!(refused.is_ok(), url.is_empty(), "{url}: {refused:?}");
        assert!(!format!("{refused:?}").contains("s3cr3t"), "{refused:?}");
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

proptest! {
    /// However a password is written: what is shown never holds it, and the driver gets the whole.
    #[test]
    fn no_password_is_shown(core in "[ -~]{0,6}", end in "[ -~]{0,6}") {
        let password = format!("{core}S3cr{end}");
        let quoted = super::super::pairs::quoted(&password);
        for (url, exact) in [
            (format!("postgres://me:{}@localhost/l", percent_encoded(&password)), true),
            (format!("postgres://me:{password}@localhost/l"), false),
            (format!("postgres://me@localhost/l?password={password}"), false),
            (format!("postgres://me@localhost/l?pass%77ord={}", percent_encoded(&password)), true),
            (format!("host=localhost password={quoted} dbname=l"), true),
            (format!("host=localhost password = {quoted} dbname=l"), true),
            (format!("host=localhost password={password} dbname=l"), false),
        ] {
            match url.parse::<DatabaseUrl>() {
                Ok(read) => {
                    let shown = format!("{read} {read:?} {} {:?}", read.place(), read.with_database("x"));
                    prop_assert!(!shown.contains("S3cr"), "{url} is shown as {shown}");
                    let whole = read.config.get_password() == Some(password.as_bytes());
                    prop_assert!(whole || !exact, "{url} is read as another password");
                }
                Err(error) => {
                    prop_assert!(!exact, "{url} is refused");
                    let said = format!("{error} {error:?}");
                    prop_assert!(!said.contains("S3cr"), "{said}");
                }
            }
        }
    }
}
