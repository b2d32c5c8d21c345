//! What the projection of runs makes of events.

use crate::harness::{LogHarness, bytes, sealed, time};
use domain::privacy::{self, Personal};
use domain::run::{Digest, LogSeal, RunEvent, RunState, StreamSeal, Work};
use domain::{AccountId, RunId, ServerId, WorkspaceId};
use infra::postgres::TimeOrder;
use projections::runs::{Filter, by_id, page};
use uuid::Uuid;

const RUN: Uuid = Uuid::from_u128(7);
const ONE: ServerId = ServerId(Uuid::from_u128(11));
const TWO: ServerId = ServerId(Uuid::from_u128(12));

fn requested() -> RunEvent {
    let command: Personal<privacy::RunCommand> = sealed("make");
    let (work, servers) = (Work::Command { command }, vec![ONE, TWO]);
    RunEvent::Requested { work, servers, timeout_seconds: 60, secrets: None }
}

fn log() -> LogSeal {
    let stream = StreamSeal { lines: 1, bytes: 2, sha256: Digest([9; 32]) };
    LogSeal { out: stream, err: stream, lines: 2, bytes: 4, truncated: false }
}

#[tokio::test]
async fn a_run_shows_how_far_it_is_on_each_server() {
    let harness = LogHarness::new().await;
    let (server, attempt, fence) = (ONE, 1, 1);
    harness.record("run", RUN, requested()).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["runs"]).await;
    for event in [
        RunEvent::Dispatched { server, attempt, fence },
        RunEvent::Started { server, attempt, fence },
        RunEvent::CancelRequested { by: AccountId(Uuid::from_u128(1)) },
        RunEvent::Cancelled { server: TWO, attempt, fence: 0, forced: false },
        RunEvent::Cancelled { server, attempt, fence, forced: true },
        RunEvent::LogSealed { server, attempt, log: log() },
        RunEvent::Retried { servers: vec![TWO], secrets: None },
    ] {
        harness.record("run", RUN, event).await;
    }
    harness.caught_up(&["runs"]).await;

    // The harness's streams are their own tenants.
    let workspace = WorkspaceId(RUN);
    let run = by_id(&harness.pool, workspace, RunId(RUN)).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.version), ("running", 8));
    assert_eq!(run.work, bytes("make"));
    let targets = &run.run.0.requested().unwrap().targets;
    assert_eq!((targets[&ONE].as_str(), targets[&ONE].log), ("cancelled", Some(log())));
    assert_eq!((targets[&TWO].as_str(), targets[&TWO].attempt), ("queued", 2));
    let on = &run.on_servers.0[&ONE];
    assert_eq!((on.started_at, on.ended_at), (Some(time(3)), Some(time(6))));
    assert_eq!(run.on_servers.0[&TWO].queued_at, time(8));
    for (state, server, count) in [
        (None, None, 1),
        (Some(RunState::Running), Some(TWO), 1),
        (Some(RunState::Lost), None, 0),
        (None, Some(ServerId(RUN)), 0),
    ] {
        let filter = Filter { state, server, ..Filter::default() };
        let listed = page(&harness.pool, workspace, &filter, (TimeOrder::Newest, None), 10).await;
        assert_eq!(listed.unwrap().len(), count);
    }
    let stranger = WorkspaceId(Uuid::from_u128(8));
    assert!(by_id(&harness.pool, stranger, RunId(RUN)).await.unwrap().is_none());
    readers.stop().await;
}
