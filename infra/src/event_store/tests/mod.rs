//! The event store against a real PostgreSQL.

mod as_of;
mod batches;
mod executor;
mod fence;
mod guards;
mod loads;
mod lost;
mod outcomes;
mod partition;
mod proxy;
mod receipts;
mod recent;
mod roles;
mod snapshots;
mod start;
mod taking;
mod went_back;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::append::batcher::{self, BatcherOptions};
use super::append::outcome::AppendOutcome;
use super::append::queue::Queue;
use super::append::rows::{Append, Json, NewEvent};
use super::append::writes::Writes;
use super::config::ExecutorConfig;
use crate::log::watermark::Watermark;
use crate::metrics::Metrics;
use crate::postgres::{ConnectOptions, Pool, connect, connect_one};
use test_support::Databases;

/// What one node has of the log.
struct Node {
    queue: Queue,
    head: watch::Receiver<i64>,
    missing: Arc<Notify>,
    watermark: Watermark,
    writes: Writes,
}

async fn databases() -> Databases {
    test_support::databases().await.unwrap()
}

async fn node(url: &str) -> Node {
    node_that_asks(url, ExecutorConfig::default().ask_every).await
}

async fn node_that_asks(url: &str, ask_every: Duration) -> Node {
    let ExecutorConfig { connect, appends_max, waiting_max, .. } = ExecutorConfig::default();
    let (url, watermark) = (url.parse().unwrap(), Watermark::default());
    let known = watermark.clone();
    let metrics = Arc::new(Metrics::new().unwrap());
    let writes = Writes::new(metrics.log_writable.clone());
    let options = BatcherOptions {
        url,
        connect,
        appends_max,
        waiting_max,
        answer_within: batcher::ANSWER_WITHIN,
        // Longer than a busy machine takes to kill a connection five times.
        resend_for: Duration::from_mins(5),
        watermark: known,
        writes: writes.clone(),
        ask_every,
    };
    let (sender, head) = watch::channel(0);
    let missing = Arc::new(Notify::new());
    let queue = batcher::start(options, metrics, sender, Arc::clone(&missing)).await.unwrap();
    Node { queue, head, missing, watermark, writes }
}

fn writes() -> Writes {
    Writes::new(Metrics::new().unwrap().log_writable.clone())
}

async fn pool(url: &str) -> Pool {
    connect(url, &ConnectOptions::app()).await.unwrap()
}

pub(super) async fn owner(url: &str) -> tokio_postgres::Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

/// The event number `version` of a stream, all of one append.
pub(super) fn event(command: u128, stream: u128, version: i64) -> NewEvent {
    let of = Uuid::from_u128;
    NewEvent {
        append: 0,
        expected: Some(version - 1),
        tenant_id: of(1),
        stream_type: "car",
        stream_id: of(stream),
        version,
        event_id: crate::ids::hashed(&[&stream.to_be_bytes(), &version.to_be_bytes()]),
        event_type: "car.drove",
        schema_version: 1,
        data: Json(format!(r#"{{"metres":{version}}}"#)),
        sealed: None,
        subjects: vec![of(stream)],
        actor: None,
        session: None,
        request: None,
        correlation: None,
        causation: None,
        command_id: Some(of(command)),
        request_mac: None,
        request_mac_before: None,
        events: Some(1),
    }
}

pub(super) fn one(event: NewEvent) -> Append {
    Append { events: vec![event], reservations: Vec::new(), ..Append::default() }
}

async fn count(client: &tokio_postgres::Client) -> i64 {
    let counted = client.query_one("select count(*) from event_log.events", &[]).await;
    counted.unwrap().get(0)
}

fn appended(answer: &AppendOutcome) -> bool {
    matches!(answer, AppendOutcome::Appended { .. })
}
