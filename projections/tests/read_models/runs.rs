//! What the projection of runs makes of events.

use crate::harness::{LogHarness, bytes, sealed, time};
use chrono::TimeDelta;
use domain::privacy::{self, Personal, RunLeft};
use domain::run::{Digest, LogSeal, RunEvent, RunState, Settled, StreamSeal, Work};
use domain::{AccountId, RunId, ServerId, WorkspaceId};
use infra::postgres::TimeOrder;
use projections::runs::{Filter, Runs, page};
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

fn cancelled(server: ServerId, fence: u64, forced: bool) -> RunEvent {
    RunEvent::Cancelled { server, attempt: 1, fence, forced, proven: true, left: None }
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
        cancelled(TWO, 0, false),
        cancelled(ONE, fence, true),
        RunEvent::LogSealed { server, attempt, log: log() },
        RunEvent::Retried { servers: vec![TWO], secrets: None },
    ] {
        harness.record("run", RUN, event).await;
    }
    harness.caught_up(&["runs"]).await;

    // The harness's streams are their own tenants.
    let workspace = WorkspaceId(RUN);
    let run = harness.row::<Runs>(RunId(RUN)).await.unwrap();
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
        assert_eq!(listed.unwrap().runs.len(), count);
    }
    let (stranger, all) = (WorkspaceId(Uuid::from_u128(8)), Filter::default());
    let listed = page(&harness.pool, stranger, &all, (TimeOrder::Newest, None), 10).await;
    assert!(listed.unwrap().runs.is_empty());
    readers.stop().await;
}

#[tokio::test]
async fn a_run_shows_what_it_was_given_and_what_may_be_left_of_it() {
    let harness = LogHarness::new().await;
    let (server, attempt, fence) = (ONE, 1, 1);
    let readers = harness.read(projections::all()).await;
    for event in [
        requested(),
        RunEvent::SecretNames { names: sealed("names") },
        RunEvent::EnvironmentGiven { environment: sealed("environment") },
        RunEvent::Dispatched { server, attempt, fence },
        RunEvent::Started { server, attempt, fence },
        RunEvent::TimedOut { server, attempt, fence, proven: false, left: Some(sealed("left")) },
        cancelled(TWO, 0, false),
    ] {
        harness.record("run", RUN, event).await;
    }
    harness.caught_up(&["runs"]).await;

    let run = harness.row::<Runs>(RunId(RUN)).await.unwrap();
    assert_eq!((run.state.as_str(), run.version), ("unproven", 7));
    assert_eq!(run.secret_names, Some(bytes("names")));
    assert_eq!(run.environment, Some(bytes("environment")));
    let on = &run.on_servers.0[&ONE];
    let left: Personal<RunLeft> = sealed("left");
    assert_eq!((on.ended_at, on.left.as_ref()), (Some(time(6)), Some(&left)));
    assert_eq!(run.on_servers.0[&TWO].left, None);

    harness.record("run", RUN, RunEvent::ProvenGone { server, attempt, fence: 2 }).await;
    harness.caught_up(&["runs"]).await;

    let run = harness.row::<Runs>(RunId(RUN)).await.unwrap();
    assert_eq!((run.state.as_str(), run.version), ("timed_out", 8));
    let target = &run.run.0.requested().unwrap().targets[&ONE];
    assert_eq!((target.settled, target.left.is_none()), (Some(Settled::ProvenGone), true));
    readers.stop().await;
}

/// Runs of the workspace that nobody looks for, one a second after the one that was requested.
const OTHERS: &str = "
    insert into read_models.runs_v2_g1 (run_id, tenant_id, work, state, run, on_servers, requested_at, version, position)
    select md5(n::text)::uuid, tenant_id, '', 'lost', '{}', '{}', requested_at + n * interval '1 second', 1, 1
    from read_models.runs_v2_g1, generate_series(1, 25000) n;
    analyze read_models.runs_v2_g1";

#[tokio::test]
async fn a_page_of_those_that_a_filter_lets_through_looks_at_so_many_runs_and_goes_on_behind_them()
{
    let harness = LogHarness::new().await;
    harness.record("run", RUN, requested()).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["runs"]).await;
    readers.stop().await;
    harness.admin.batch_execute(OTHERS).await.unwrap();
    let workspace = WorkspaceId(RUN);
    let found = async |filter: &Filter, order, last| {
        page(&harness.pool, workspace, filter, (order, last), 10).await.unwrap()
    };
    let queued = Filter { state: Some(RunState::Queued), ..Filter::default() };
    let at = |seconds: i64| time(1) + TimeDelta::seconds(seconds);

    let mut ends = vec![];
    let mut last = None;
    loop {
        let page = found(&queued, TimeOrder::Newest, last).await;
        ends.push((page.runs.len(), page.end.map(|(requested_at, _)| requested_at)));
        last = page.end;
        if last.is_none() {
            break;
        }
    }
    assert_eq!(ends, [(0, Some(at(15_001))), (0, Some(at(5_001))), (1, None)]);

    let oldest = found(&queued, TimeOrder::Oldest, None).await;
    assert_eq!((oldest.runs.len(), oldest.end.unwrap().0), (1, at(9_999)));
    let early = Filter { until: Some(at(5_000)), ..queued.clone() };
    let early = found(&early, TimeOrder::Newest, None).await;
    assert_eq!((early.runs.len(), early.end), (1, None), "what is too late is not looked at");
    let late = Filter { since: Some(at(1)), until: Some(at(2)), ..Filter::default() };
    let none = Filter { since: Some(at(25_001)), ..queued };
    assert!(found(&none, TimeOrder::Newest, None).await.end.is_none());
    let late = page(&harness.pool, workspace, &late, (TimeOrder::Newest, None), 10).await;
    assert!(late.is_err(), "the one of that second is none that can be read");
}
