//! Streams of logs: what they ask of the database, and what they have on any node.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Events, RunHarness, database_of};

const WATCHED: Duration = Duration::from_secs(20);
/// The node itself may make 8; four find what other nodes store, and ten readers are admitted again twice a second.
const TRANSACTIONS_A_SECOND_MAX: f64 = 60.0;
const TRANSACTIONS: &str = "select sum(xact_commit + xact_rollback)::bigint \
    from pg_stat_database where datname = any ($1)";
const WAITS: &str = "echo one; while ! [ -e ~/go ]; do sleep 0.2; done; echo two";

async fn open(client: &tests::Client, path: &str) -> Events {
    let mut events = Events::open(client.call("GET".parse().unwrap(), path)).await;
    while events.next().await.unwrap().name != "line" {}
    events
}

/// What comes until the end: the text of the lines, and the last state.
async fn rest(events: Events) -> (Vec<String>, String) {
    let rest = events.rest().await;
    let lines = rest.iter().filter(|event| event.name == "line");
    let texts = lines.map(|event| event.data["text"].as_str().unwrap().to_owned()).collect();
    let end = rest.last().unwrap();
    assert_eq!(end.name, "end");
    (texts, end.data["state"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn ten_streams_without_news_ask_the_database_for_little() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start(WAITS).await;
    let path = harness.path(&harness.log_of(&run));
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(open(&harness.ada, &path).await);
    }
    let databases = [harness.installation.log_url(), harness.installation.keyring_url()];
    let databases = databases.map(|url| database_of(&url));
    let watching = harness.installation.log().await;
    let count = async || {
        let row = watching.query_one(TRANSACTIONS, &[&databases.as_slice()]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let mut watched = tokio::time::interval(WATCHED);
    watched.tick().await;
    // What the start of the run has left to do comes first.
    watched.tick().await;

    let (before, since) = (count().await, Instant::now());
    watched.tick().await;
    let made = count().await - before;

    let a_second = made as f64 / since.elapsed().as_secs_f64();
    assert!(a_second <= TRANSACTIONS_A_SECOND_MAX, "{a_second:.1} transactions a second");
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    for events in streams {
        assert_eq!(rest(events).await, (vec!["two\n".to_owned()], "succeeded".to_owned()));
    }
}

#[tokio::test]
async fn a_stream_of_any_node_has_every_line_and_the_end() {
    let (harness, node) = RunHarness::new().await;
    let other = harness.installation.node().await;
    let run = harness.start(WAITS).await;
    let path = harness.path(&harness.log_of(&run));
    let mut streams = Vec::new();
    for node in [&node, &other] {
        streams.push(open(&harness.ada.at(node.api()), &path).await);
    }

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    for events in streams {
        assert_eq!(rest(events).await, (vec![], "cancelled".to_owned()));
    }
}
