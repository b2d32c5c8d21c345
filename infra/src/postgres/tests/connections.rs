use std::path::PathBuf;
use std::time::Duration;

use test_support::ClosedPort;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, timeout};
use tokio_postgres::config::Host;

use crate::postgres::destination::{Destination, hosts};
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
        let text = error.to_string();
        assert!(matches!(error, PgError::Unreachable { .. }), "{text}");
        assert!(text.contains("(no answer within 0.05 s)"), "{text}");
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

/// The second host answers in that time also on a busy machine.
const EACH_HOST: Duration = Duration::from_secs(4);

/// The server of the tests, behind another host of this machine with this port.
async fn second_after(port: u16) -> String {
    let url = test_support::empty_database().await.unwrap();
    url.replacen("host='", "host='127.0.0.1,", 1) + &format!(" port={port},5432")
}

async fn assert_reached(url: &str, connect_timeout: Duration) {
    let options = ConnectOptions { connect_timeout, ..ConnectOptions::default() };

    let single = connect_one(url, &options).await.unwrap();
    let pooled = connect(url, &options).await.unwrap();

    assert_eq!(single.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    assert_eq!(pooled.status().size, 1);
}

#[tokio::test]
async fn a_host_that_swallows_packets_is_passed_over_for_the_next() {
    let (swallows, _waiting) = full_host().await;
    let url = second_after(swallows.local_addr().unwrap().port()).await;

    assert_reached(&url, EACH_HOST).await;
    // The URL may not ask for more than all of the time.
    assert_reached(&(url + " connect_timeout=600"), EACH_HOST).await;
}

#[tokio::test]
async fn a_host_that_takes_a_connection_and_says_nothing_is_passed_over_for_the_next() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = second_after(silent.local_addr().unwrap().port()).await;

    assert_reached(&url, EACH_HOST).await;
}

/// Passes on what comes, to the socket of a server.
async fn forward(listener: TcpListener, socket: PathBuf) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = UnixStream::connect(&socket).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
    }
}

/// No name of this machine has two addresses for certain: here they are those that a name has led to.
#[tokio::test]
async fn the_addresses_of_a_name_share_the_time_of_their_host() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = test_support::empty_database().await.unwrap();
    let server: DatabaseUrl = url.parse().unwrap();
    let [Host::Unix(folder)] = server.config.get_hosts() else { panic!("{server}") };
    let answers = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    tokio::spawn(forward(answers, folder.join(".s.PGSQL.5432")));
    let (user, database) = (server.user().unwrap(), server.database().unwrap());
    let url = format!("hostaddr=127.0.0.1,127.0.0.2 port={port} user={user} dbname={database}");
    let (url, options) = (url.parse::<DatabaseUrl>().unwrap(), ConnectOptions::default());
    let ways = hosts(&prepare(&url, &options).unwrap().0);
    assert_eq!(ways.len(), 2);
    let limit = Duration::from_secs(2);

    let destination = Destination::new(&url, &options).unwrap();
    let reached = destination.connect_by(&ways, Instant::now() + limit).await;

    assert!(reached.is_ok(), "{}", reached.map(drop).unwrap_err());
    let early = destination.connect_by(ways.get(..1).unwrap(), Instant::now()).await;
    assert!(matches!(early.map(drop), Err(PgError::Unreachable { .. })));
}

#[test]
fn each_host_of_a_url_is_tried_with_all_that_the_url_says() {
    let says = "user=me password='a b' dbname=l options='-c a=b' sslmode=require sslnegotiation=direct \
        connect_timeout=2 tcp_user_timeout=3 keepalives=0 keepalives_idle=4 keepalives_interval=5 \
        keepalives_retries=6 target_session_attrs=read-write channel_binding=require \
        load_balance_hosts=random";
    let whole = |place: &str| {
        let url: DatabaseUrl = format!("{place} {says}").parse().unwrap();
        prepare(&url, &ConnectOptions::app()).unwrap().0
    };
    let read = |place: &str| hosts(&whole(place));

    for place in ["host=one port=1", "host=one hostaddr=10.0.0.1 port=1", "host=/run/pg port=1"] {
        assert_eq!(read(place), [whole(place)], "{place}");
    }
    let mut two = read("host=one,two port=1,2");
    two.sort_by_key(|host| host.get_ports().to_vec());
    assert_eq!(two, [whole("host=one port=1"), whole("host=two port=2")]);
    // The driver refuses it, and says why.
    assert_eq!(read("host=one,two port=1,2,3"), [whole("host=one,two port=1,2,3")]);
}

/// What that brings about is a story of its own, which takes root: `sick_network`.
#[test]
fn a_connection_that_swallows_what_is_sent_is_given_up_after_six_seconds() {
    let url: DatabaseUrl = "postgres://me@127.0.0.1/lethe".parse().unwrap();
    let prepared = |url: &DatabaseUrl| prepare(url, &ConnectOptions::app()).unwrap().0;

    let config = prepared(&url);

    let seconds = Duration::from_secs;
    assert_eq!(config.get_tcp_user_timeout(), Some(&seconds(6)));
    assert_eq!(config.get_connect_timeout(), Some(&seconds(5)));
    assert_eq!(config.get_keepalives_idle(), seconds(3));
    assert_eq!(config.get_keepalives_interval(), Some(seconds(1)));
    assert_eq!(config.get_keepalives_retries(), Some(3));
    let own =
        "postgres://me@127.0.0.1/lethe?keepalives_idle=60&tcp_user_timeout=90&connect_timeout=2";
    let config = prepared(&own.parse().unwrap());
    assert_eq!(config.get_tcp_user_timeout(), Some(&seconds(90)));
    assert_eq!(config.get_connect_timeout(), Some(&seconds(2)));
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
