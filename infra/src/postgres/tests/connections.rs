use std::time::Duration;

use tokio_postgres::config::SslMode;

use crate::postgres::{ConnectOptions, PgError, connect, connect_one, describe, tls};

fn mode(url: &str) -> Result<SslMode, PgError> {
    tls::required_beyond_this_machine(url).map(|(config, _)| config.get_ssl_mode())
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
        assert!(matches!(mode(url), Err(PgError::TlsRequired { .. })), "{url}");
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
    let trusted = |url: &str| tls::required_beyond_this_machine(url).unwrap().1;
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

#[tokio::test]
async fn a_server_that_is_not_reached_is_named_by_host_and_port_without_credentials() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://me:s3cr3t@{free}/lethe");

    let options = ConnectOptions::default();
    for error in [
        connect_one(&url, &options).await.map(drop).unwrap_err(),
        connect(&url, &options).await.map(drop).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(&format!("PostgreSQL at {free} is not reached (")), "{text}");
        assert!(text.contains("refused") && text.contains("check the URL"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn a_url_that_cannot_be_read_is_not_repeated() {
    let error = mode("postgres://u:secret@[::1").unwrap_err();

    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn every_session_starts_with_its_limits_and_its_role() {
    let url = test_support::empty_database().await.unwrap();
    let options = ConnectOptions {
        statement_timeout: Duration::from_millis(1234),
        role: Some("pg_monitor"),
        settings: vec!["jit=off".to_owned(), "search_path=a, b".to_owned()],
        ..ConnectOptions::default()
    };
    let pool = connect(&url, &options).await.unwrap();
    let client = pool.get().await.unwrap();

    let row = client
        .query_one(
            "select current_user::text, current_setting('statement_timeout'), \
             current_setting('jit'), current_setting('search_path'), \
             current_setting('application_name')",
            &[],
        )
        .await
        .unwrap();

    let found: Vec<String> = (0..5).map(|column| row.get(column)).collect();
    assert_eq!(found, ["pg_monitor", "1234ms", "off", "a, b", "lethe"]);
}

/// The server of these tests listens on a socket of this machine, where such settings have no effect.
#[test]
fn every_session_tells_the_server_when_to_give_up_a_lost_machine() {
    let startup = ConnectOptions::app().startup().unwrap();

    for setting in [
        " -c tcp_keepalives_idle=15",
        " -c tcp_keepalives_interval=5",
        " -c tcp_keepalives_count=3",
        " -c tcp_user_timeout=30000",
    ] {
        assert!(startup.contains(setting), "{startup}");
    }
}

#[tokio::test]
async fn an_error_is_told_by_its_code_and_constraint_and_without_values() {
    let url = test_support::empty_database().await.unwrap();
    let client = connect_one(&url, &ConnectOptions::default()).await.unwrap();
    client.batch_execute("create table people (name text unique)").await.unwrap();
    let insert = "insert into people values ('ada'), ('ada')";
    let doubled = client.batch_execute(insert).await.unwrap_err();
    let malformed = client.batch_execute("select 'ada'::uuid").await.unwrap_err();

    let (doubled, malformed) = (describe(&doubled), describe(&malformed));

    assert!(doubled.contains("23505") && doubled.contains("people_name_key"), "{doubled}");
    assert!(malformed.contains("22P02"), "{malformed}");
    assert!(!doubled.contains("ada") && !malformed.contains("ada"));
}
