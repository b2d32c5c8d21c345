use std::time::Duration;

use test_support::ClosedPort;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::postgres::pool::prepare;
use crate::postgres::{
    ConnectOptions, DatabaseUrl, PgError, PooledClient, connect, connect_one, describe,
};

#[tokio::test]
async fn a_server_that_is_not_reached_is_named_by_host_and_port_without_credentials() {
    let closed = ClosedPort::new();
    let free = closed.address();
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

#[tokio::test]
async fn a_host_that_says_nothing_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@{}/lethe", silent.local_addr().unwrap());
    let options =
        ConnectOptions { connect_timeout: Duration::from_millis(50), ..ConnectOptions::default() };

    for error in [
        connect_one(&url, &options).await.map(drop).unwrap_err(),
        connect(&url, &options).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, PgError::Unreachable { .. } | PgError::Busy), "{error}");
    }
}

/// Whatever else is sent to it is swallowed: its queue of connections is full.
async fn full_host() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let host = socket.listen(1).unwrap();
    let address = host.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(waits) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(waits.unwrap());
    }
    (host, waiting)
}

#[tokio::test]
async fn a_host_that_swallows_packets_is_passed_over_for_the_next() {
    let (swallows, _waiting) = full_host().await;
    let port = swallows.local_addr().unwrap().port();
    let url = test_support::empty_database().await.unwrap();
    let url = url.replacen("host='", "host='127.0.0.1,", 1) + &format!(" port={port},5432");
    // Of each host: the second one answers in that time also on a busy machine.
    let options =
        ConnectOptions { connect_timeout: Duration::from_secs(4), ..ConnectOptions::default() };

    let single = connect_one(&url, &options).await.unwrap();
    let pooled = connect(&url, &options).await.unwrap();

    assert_eq!(single.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    assert_eq!(pooled.status().size, 1);
}

/// What that brings about is a story of its own, which takes root: `sick_network`.
#[test]
fn a_connection_that_swallows_what_is_sent_is_given_up_after_six_seconds() {
    let url: DatabaseUrl = "postgres://me@127.0.0.1/lethe".parse().unwrap();
    let prepared = |url: &DatabaseUrl| prepare(url, &ConnectOptions::app()).unwrap().0;

    let config = prepared(&url);

    let seconds = Duration::from_secs;
    assert_eq!(config.get_tcp_user_timeout(), Some(&seconds(6)));
    assert_eq!(config.get_keepalives_idle(), seconds(3));
    assert_eq!(config.get_keepalives_interval(), Some(seconds(1)));
    assert_eq!(config.get_keepalives_retries(), Some(3));
    let own = "postgres://me@127.0.0.1/lethe?keepalives_idle=60&tcp_user_timeout=90";
    let config = prepared(&own.parse().unwrap());
    assert_eq!(config.get_tcp_user_timeout(), Some(&seconds(90)));
    assert_eq!(config.get_keepalives_idle(), seconds(60));
}

#[tokio::test]
async fn every_session_starts_with_its_limits_and_its_role() {
    let url = test_support::empty_database().await.unwrap();
    let options = ConnectOptions {
        statement_timeout: Duration::from_millis(1234),
        role: Some("pg_monitor"),
        settings: vec!["search_path=a, b".to_owned()],
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

/// Its statements are prepared, and its process has their plans.
#[tokio::test]
async fn the_connection_that_came_back_last_is_handed_out_first() {
    let url = test_support::empty_database().await.unwrap();
    let pool = connect(&url, &ConnectOptions::default()).await.unwrap();
    let process = async |client: &PooledClient| -> i32 {
        client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
    };
    let (one, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    let (first, last) = (process(&one).await, process(&other).await);
    drop(one);
    drop(other);

    for _ in 0..3 {
        assert_eq!(process(&pool.get().await.unwrap()).await, last);
    }
    let (_last, next) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    assert_eq!(process(&next).await, first);
}
