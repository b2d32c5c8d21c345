//! Nodes of two versions at once: the older one does not know what the newer one appends.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{LogHarness, options};
use crate::tally::{ACTS, Act, Tally, cure};
use infra::log::watermark::Watermark;
use infra::log::{
    NewestVersion, ReadPositions, Reader, ReaderOptions, ReaderStatus, Readers, parked, release,
    status,
};
use infra::log::{ReplayError, ReplayOptions, replay};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, connect};
use projections::audit_trail::AuditTrail;
use test_support::until;
use tokio::sync::watch;
use uuid::Uuid;

const OLD: Uuid = Uuid::from_u128(1);
const NEW: Uuid = Uuid::from_u128(2);
/// Of a reader, and of a node without a heartbeat.
const LEASE: Duration = Duration::from_secs(15);

fn known_to_old(event_type: &str) -> Option<i16> {
    ["tally.added", "tally.passed"].contains(&event_type).then_some(1)
}

fn known_to_new(event_type: &str) -> Option<i16> {
    ["tally.added", "tally.passed", "tally.renamed"].contains(&event_type).then_some(2)
}

struct ReaderNode {
    readers: Readers,
    metrics: Arc<Metrics>,
}

impl ReaderNode {
    async fn start(harness: &LogHarness, node: Uuid, readers: Vec<Reader>) -> Self {
        let newest_version: NewestVersion = if node == OLD { known_to_old } else { known_to_new };
        let options = ReaderOptions { newest_version, lease: LEASE, ..options(node) };
        let pool = connect(&harness.databases.log_url, &ConnectOptions::app()).await.unwrap();
        let (metrics, (_, wake)) = (Arc::new(Metrics::new().unwrap()), watch::channel(0));
        let (of_node, positions) = (Arc::clone(&metrics), ReadPositions::default());
        let readers =
            Readers::start(pool, wake, readers, options, of_node, positions, Watermark::default())
                .await;
        Self { readers: readers.unwrap(), metrics }
    }

    /// Whether the node shows that it leaves the reader to newer ones.
    fn shows_unknown(&self, reader: &str, value: u8) -> bool {
        let text = String::from_utf8(self.metrics.text().unwrap()).unwrap();
        let series = format!("lethe_reader_unknown_event{{reader=\"{reader}\",version=\"1\"}}");
        text.contains(&format!("\n{series} {value}\n"))
    }
}

fn both() -> Vec<Reader> {
    vec![Reader::projection::<Tally>(), Reader::worker(Act)]
}

async fn add(harness: &LogHarness, stream: Uuid, event_type: &str, version: i16, letter: &str) {
    let data = format!(r#"{{"add":"{letter}"}}"#);
    harness.append("tally", stream, event_type, version, &data, None).await;
}

async fn reader(harness: &LogHarness, name: &str) -> ReaderStatus {
    let readers = status(&harness.pool).await.unwrap();
    readers.into_iter().find(|reader| reader.name == name).unwrap()
}

async fn is_released(harness: &LogHarness, name: &str) -> bool {
    let reader = reader(harness, name).await;
    reader.node.is_none() && reader.last_error.is_some()
}

async fn letters(harness: &LogHarness) -> String {
    let sql = "select coalesce(string_agg(text, ' ' order by stream), '') from read_models.tally";
    harness.admin.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_node_that_does_not_know_an_event_type_leaves_its_readers_to_one_that_does() {
    let harness = LogHarness::new().await;
    harness.admin.batch_execute(ACTS).await.unwrap();
    let stream = Uuid::from_u128(0xc1);
    add(&harness, stream, "tally.added", 1, "a").await;
    let old = ReaderNode::start(&harness, OLD, both()).await;
    harness.caught_up(&["tally", "act"]).await;

    add(&harness, stream, "tally.renamed", 1, "-").await;
    add(&harness, stream, "tally.added", 1, "b").await;

    for name in ["tally", "act"] {
        until("the old node has released the reader", async || is_released(&harness, name).await)
            .await;
        let reader = reader(&harness, name).await;
        assert_eq!((reader.position, reader.parked), (1, 0));
        let error = reader.last_error.unwrap();
        let expected =
            "the event at position 2 (tally.renamed, version 1) is not known to this version";
        assert!(error.starts_with(expected), "{error}");
        assert!(old.shows_unknown(name, 1));
    }
    let new = ReaderNode::start(&harness, NEW, both()).await;
    harness.caught_up(&["tally", "act"]).await;
    assert_eq!(letters(&harness).await, "ab");
    assert_eq!(harness.count("select count(*) from read_models.acts").await, 2);
    for name in ["tally", "act"] {
        let reader = reader(&harness, name).await;
        assert_eq!((reader.node, reader.last_error), (Some(NEW), None));
        assert!(old.shows_unknown(name, 1), "a newer node reads it: it stays there");
        assert!(!new.shows_unknown(name, 1));
    }
    old.readers.stop().await;
    new.readers.stop().await;
}

#[tokio::test]
async fn an_unknown_version_parks_no_stream_and_the_only_node_stands_still() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc2);
    let old = ReaderNode::start(&harness, OLD, vec![Reader::projection::<Tally>()]).await;

    add(&harness, stream, "tally.added", 1, "a").await;
    add(&harness, stream, "tally.added", 2, "b").await;

    until("the node has released the reader", async || is_released(&harness, "tally").await).await;
    let fence = reader(&harness, "tally").await.fence;
    until("the node has had time to take it again", async || {
        // The node's heartbeat came after it had released the reader.
        let sql = "select count(*) from working.nodes where part = 'readers'
            and lease_until > (select lease_until from readers.checkpoints) + make_interval(secs => $1)";
        let beats = harness.admin.query_one(sql, &[&LEASE.as_secs_f64()]).await.unwrap();
        beats.get::<_, i64>(0) == 1
    })
    .await;
    let seen = reader(&harness, "tally").await;
    assert_eq!((seen.fence, seen.position, seen.parked), (fence, 1, 0));
    let new = ReaderNode::start(&harness, NEW, vec![Reader::projection::<Tally>()]).await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness).await, "ab");

    new.readers.stop().await;
    until("the older node reads on", async || reader(&harness, "tally").await.node == Some(OLD))
        .await;
    add(&harness, stream, "tally.added", 1, "c").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness).await, "abc");
    assert!(old.shows_unknown("tally", 0));
    old.readers.stop().await;
}

#[tokio::test]
async fn a_reader_passes_what_it_is_known_not_to_want_and_one_that_decodes_nothing_takes_all() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc3);
    let of_tally = ReaderNode::start(&harness, OLD, vec![Reader::projection::<Tally>()]).await;

    add(&harness, stream, "tally.passed", 2, "-").await;
    add(&harness, stream, "tally.added", 1, "a").await;

    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness).await, "a");
    of_tally.readers.stop().await;
    add(&harness, stream, "tally.renamed", 1, "-").await;
    let trail = ReaderNode::start(&harness, OLD, vec![Reader::projection::<AuditTrail>()]).await;
    harness.caught_up(&["audit_trail"]).await;
    assert_eq!(harness.count("select count(*) from read_models.audit_trail_v2").await, 3);
    trail.readers.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_released_on_an_older_node_stays_parked_at_what_that_does_not_know() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc4);
    let new = ReaderNode::start(&harness, NEW, vec![Reader::projection::<Tally>()]).await;
    add(&harness, stream, "tally.added", 1, "!").await;
    add(&harness, stream, "tally.added", 2, "b").await;
    harness.caught_up(&["tally"]).await;
    new.readers.stop().await;
    cure(stream);
    let old = ReaderNode::start(&harness, OLD, vec![Reader::projection::<Tally>()]).await;

    assert!(release(&harness.pool, "tally", stream).await.unwrap());

    until("the stream is parked again", async || {
        let waiting = parked(&harness.pool, None, None, 10).await.unwrap();
        waiting.len() == 1 && waiting[0].released_at.is_none()
    })
    .await;
    let waiting = parked(&harness.pool, None, None, 10).await.unwrap().remove(0);
    assert_eq!(waiting.from_position, 2);
    assert!(waiting.error.contains("release the stream again"), "{}", waiting.error);
    assert_eq!(letters(&harness).await, "!");
    old.readers.stop().await;
}

#[tokio::test]
async fn an_older_programme_replays_no_log_with_events_that_it_does_not_know() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc5);
    add(&harness, stream, "tally.added", 1, "a").await;
    add(&harness, stream, "tally.renamed", 1, "-").await;
    let new = ReaderNode::start(&harness, NEW, vec![Reader::projection::<Tally>()]).await;
    harness.caught_up(&["tally"]).await;
    new.readers.stop().await;
    let replay_of = async |reader: Reader, newest_version: NewestVersion| {
        let options = ReplayOptions { newest_version, ..ReplayOptions::of(OLD) };
        let (_keep, cancel) = watch::channel(false);
        replay(&harness.pool, &reader, options, cancel, |_| {}).await
    };

    let refused = replay_of(Reader::projection::<Tally>(), known_to_old).await;

    let Err(ReplayError::Unknown { event_type, version }) = refused else { panic!("{refused:?}") };
    assert_eq!((event_type.as_str(), version), ("tally.renamed", 1));
    replay_of(Reader::projection::<Tally>(), known_to_new).await.unwrap();
    replay_of(Reader::projection::<AuditTrail>(), known_to_old).await.unwrap();
    add(&harness, stream, "tally.added", 2, "b").await;
    let refused = replay_of(Reader::projection::<Tally>(), known_to_old).await;
    assert!(matches!(refused, Err(ReplayError::Unknown { .. })), "{refused:?}");
    assert_eq!(letters(&harness).await, "a");
}
