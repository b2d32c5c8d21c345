//! Streams of logs: what they ask of the database, and what they have on any node.

use std::time::Duration;

use serde_json::json;
use tests::{Events, RunHarness, transactions_a_second};

const WATCHED: Duration = Duration::from_secs(20);
/// The node itself may make 8; four find what other nodes store, and ten readers are admitted again twice a second.
const TRANSACTIONS_A_SECOND_MAX: f64 = 60.0;
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

    let a_second = transactions_a_second(&harness.installation, WATCHED).await;

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
