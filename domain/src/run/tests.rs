mod inputs;
mod left;

use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{
    Digest, Ending, Failure, LogSeal, LossCause, NotADigest, Run, RunCommand, RunError, RunEvent,
    RunState, Stage, StartCause, StreamSeal, Target, TaskLease, Work,
};
use crate::privacy::{self, CommandLine, Personal};
use crate::server::ConnectFailure;
use crate::{AccountId, AggregateRoot, DeploymentId, Event, ServerId, TenantId};

type Runs = TestFramework<Run>;

const ADA: AccountId = AccountId(Uuid::from_u128(1));
const ONE: ServerId = ServerId(Uuid::from_u128(11));
const TWO: ServerId = ServerId(Uuid::from_u128(12));
const EXIT: Ending = Ending::Failed { failure: Failure::Exit { code: 3 } };
const UNREACHED: Ending = Ending::Failed {
    failure: Failure::NotStarted { cause: StartCause::Connect(ConnectFailure::Tcp) },
};
const LOST: Ending = Ending::Lost { why: LossCause::Unreachable };
const TIMED_OUT: Ending = Ending::TimedOut { proven: true };

fn command() -> Work {
    let line = CommandLine::parse("make").unwrap();
    Work::Command { command: Personal::<privacy::RunCommand>::Clear(line) }
}

fn deployment() -> Work {
    let deployment = DeploymentId(Uuid::from_u128(5));
    Work::Deployment { deployment, version: 2, steps: Personal::Apart }
}

fn request(work: Work, servers: &[ServerId], timeout_seconds: u32) -> RunCommand {
    RunCommand::Request {
        work,
        servers: servers.to_vec(),
        timeout_seconds,
        secrets: None,
        secret_names: None,
        environment: None,
    }
}

fn requested(work: Work, servers: &[ServerId]) -> RunEvent {
    RunEvent::Requested { work, servers: servers.to_vec(), timeout_seconds: 60, secrets: None }
}

fn lease(attempt: u32, fence: u64) -> TaskLease {
    TaskLease { server: ONE, attempt, fence }
}

fn dispatched(fence: u64) -> RunEvent {
    RunEvent::Dispatched { server: ONE, attempt: 1, fence }
}

fn started(fence: u64) -> RunEvent {
    RunEvent::Started { server: ONE, attempt: 1, fence }
}

fn ended(ending: Ending) -> RunEvent {
    super::requested::ended(lease(1, 1), ending, None)
}

fn end(lease: TaskLease, ending: Ending) -> RunCommand {
    RunCommand::End { lease, ending, left: None }
}

/// Cancelled before any node took it.
fn cancelled_in_queue(server: ServerId, attempt: u32) -> RunEvent {
    RunEvent::Cancelled { server, attempt, fence: 0, forced: false, proven: true, left: None }
}

fn log() -> LogSeal {
    let stream = StreamSeal { lines: 0, bytes: 0, sha256: Digest([0; 32]) };
    LogSeal { out: stream, err: stream, lines: 0, bytes: 0, truncated: false }
}

/// On one server, and then.
fn given(then: &[RunEvent]) -> Vec<RunEvent> {
    [requested(command(), &[ONE])].into_iter().chain(then.iter().cloned()).collect()
}

#[track_caller]
fn refuses(given: Vec<RunEvent>, command: RunCommand, why: RunError) {
    Runs::with(()).given(given).when(command).then_expect_error(why);
}

#[track_caller]
fn emits(given: Vec<RunEvent>, command: RunCommand, then: Vec<RunEvent>) {
    Runs::with(()).given(given).when(command).then_expect_events(then);
}

fn state(events: Vec<RunEvent>) -> RunState {
    let mut run = Run::default();
    for event in events {
        run.apply(event);
    }
    RunState::of(run.requested().unwrap().targets.values())
}

#[test]
fn a_run_is_requested_once_on_some_servers_for_some_time() {
    let on = |servers: &[ServerId], seconds| request(command(), servers, seconds);
    emits(vec![], on(&[ONE, TWO], 60), vec![requested(command(), &[ONE, TWO])]);
    refuses(given(&[]), on(&[ONE], 60), RunError::AlreadyExists);
    refuses(vec![], on(&[], 60), RunError::ServersOutOfRange);
    refuses(vec![], on(&[ONE; 51], 60), RunError::ServersOutOfRange);
    refuses(vec![], on(&[ONE, TWO, ONE], 60), RunError::ServerTwice);
    refuses(vec![], on(&[ONE], 0), RunError::TimeoutOutOfRange);
    refuses(vec![], on(&[ONE], 86_401), RunError::TimeoutOutOfRange);
    assert!(Run::default().decide(on(&[ONE], 86_400)).is_ok());
    emits(vec![], request(deployment(), &[ONE], 60), vec![requested(deployment(), &[ONE])]);
    refuses(vec![], request(deployment(), &[ONE, TWO], 60), RunError::DeploymentOnSeveral);
    refuses(vec![], RunCommand::RequestCancel { by: ADA }, RunError::Unknown);
}

#[test]
fn a_worker_takes_a_task_starts_it_and_tells_its_end() {
    let (first, ending) = (lease(1, 1), Ending::Succeeded);
    emits(given(&[]), RunCommand::Dispatch { lease: first }, vec![dispatched(1)]);
    emits(given(&[dispatched(1)]), RunCommand::Start { lease: first }, vec![started(1)]);
    let running = || given(&[dispatched(1), started(1)]);
    emits(running(), end(first, ending), vec![ended(ending)]);
    let sealed = RunEvent::LogSealed { server: ONE, attempt: 1, log: log() };
    let over = || given(&[dispatched(1), started(1), ended(ending)]);
    emits(over(), RunCommand::SealLog { lease: first, log: log() }, vec![sealed.clone()]);
    let whole = [over(), vec![sealed]].concat();
    refuses(whole, RunCommand::SealLog { lease: first, log: log() }, RunError::Sealed);
    refuses(running(), RunCommand::SealLog { lease: first, log: log() }, RunError::NotEnded);
}

#[test]
fn what_has_not_come_so_far_is_not_told() {
    let first = lease(1, 1);
    refuses(given(&[]), RunCommand::Start { lease: first }, RunError::TooEarly);
    refuses(given(&[]), RunCommand::Reattach { lease: first }, RunError::TooEarly);
    refuses(given(&[]), end(first, LOST), RunError::TooEarly);
    let taken = || given(&[dispatched(1)]);
    refuses(taken(), RunCommand::Reattach { lease: lease(1, 2) }, RunError::TooEarly);
    refuses(taken(), end(first, EXIT), RunError::TooEarly);
    refuses(taken(), end(first, TIMED_OUT), RunError::TooEarly);
    emits(taken(), end(first, UNREACHED), vec![ended(UNREACHED)]);
    // What was taken may have been started, or be cancelled before it was.
    emits(taken(), end(first, LOST), vec![ended(LOST)]);
    let before_it_began = Ending::Cancelled { forced: false, proven: true };
    let cancelling = [taken(), vec![RunEvent::CancelRequested { by: ADA }]].concat();
    emits(cancelling, end(first, before_it_began), vec![ended(before_it_began)]);
    let running = || given(&[dispatched(1), started(1)]);
    refuses(running(), end(first, UNREACHED), RunError::Started);
    refuses(running(), RunCommand::Start { lease: first }, RunError::Started);
    refuses(running(), RunCommand::Dispatch { lease: lease(1, 2) }, RunError::Started);
}

#[test]
fn an_older_fence_and_another_attempt_are_refused() {
    let taken_over = || given(&[dispatched(2)]);
    refuses(taken_over(), RunCommand::Start { lease: lease(1, 1) }, RunError::Fenced);
    refuses(taken_over(), RunCommand::Dispatch { lease: lease(1, 2) }, RunError::Fenced);
    emits(taken_over(), RunCommand::Dispatch { lease: lease(1, 3) }, vec![dispatched(3)]);
    refuses(taken_over(), RunCommand::Start { lease: lease(2, 3) }, RunError::OtherAttempt);
    let elsewhere = TaskLease { server: TWO, attempt: 1, fence: 1 };
    refuses(taken_over(), RunCommand::Start { lease: elsewhere }, RunError::OtherServer);
    let running = || given(&[dispatched(2), started(2)]);
    let late = end(lease(1, 1), Ending::Succeeded);
    refuses(running(), late, RunError::Fenced);
    refuses(running(), RunCommand::Reattach { lease: lease(1, 2) }, RunError::Fenced);
    let reattached = RunEvent::Reattached { server: ONE, attempt: 1, fence: 3 };
    emits(running(), RunCommand::Reattach { lease: lease(1, 3) }, vec![reattached]);
}

#[test]
fn an_attempt_ends_once() {
    for ending in [Ending::Succeeded, EXIT, TIMED_OUT] {
        let over = || given(&[dispatched(1), started(1), ended(ending)]);
        let again = end(lease(1, 2), Ending::Succeeded);
        refuses(over(), again, RunError::Ended);
        refuses(over(), RunCommand::Dispatch { lease: lease(1, 2) }, RunError::Ended);
        refuses(over(), RunCommand::Start { lease: lease(1, 2) }, RunError::Ended);
        refuses(over(), RunCommand::Reattach { lease: lease(1, 2) }, RunError::Ended);
    }
}

#[test]
fn the_truth_may_follow_lost_while_it_is_the_last_attempt() {
    let lost = || given(&[dispatched(1), started(1), ended(LOST)]);
    let again = lease(1, 2);
    let reattached = RunEvent::Reattached { server: ONE, attempt: 1, fence: 2 };
    emits(lost(), RunCommand::Reattach { lease: again }, vec![reattached]);
    let truth =
        RunEvent::Failed { server: ONE, attempt: 1, fence: 2, failure: Failure::Exit { code: 3 } };
    emits(lost(), end(again, EXIT), vec![truth]);
    refuses(lost(), end(again, LOST), RunError::Ended);
    refuses(lost(), end(again, UNREACHED), RunError::Started);
    let retried = RunEvent::Retried { servers: vec![ONE], secrets: None };
    let newer = [lost(), vec![retried]].concat();
    refuses(newer.clone(), end(again, EXIT), RunError::OtherAttempt);
    let taken = RunEvent::Dispatched { server: ONE, attempt: 2, fence: 3 };
    emits(newer, RunCommand::Dispatch { lease: lease(2, 3) }, vec![taken]);
}

#[test]
fn a_cancel_ends_what_is_queued_and_asks_the_worker_of_what_runs() {
    let both = vec![requested(command(), &[ONE, TWO]), dispatched(1), started(1)];
    let queued = cancelled_in_queue(TWO, 1);
    let requested = RunEvent::CancelRequested { by: ADA };
    let cancel = || RunCommand::RequestCancel { by: ADA };
    emits(both.clone(), cancel(), vec![requested.clone(), queued.clone()]);
    let cancelling = [both, vec![requested, queued]].concat();
    emits(cancelling.clone(), cancel(), vec![]);
    let proven = Ending::Cancelled { forced: true, proven: true };
    let cancelled = vec![ended(proven)];
    emits(cancelling.clone(), end(lease(1, 1), proven), cancelled.clone());
    let over = [cancelling, cancelled].concat();
    refuses(over, cancel(), RunError::RunEnded);
    let running = given(&[dispatched(1), started(1)]);
    refuses(running, end(lease(1, 1), proven), RunError::NotCancelled);
}

#[test]
fn a_retry_takes_what_did_not_succeed_or_what_is_named() {
    let both = vec![requested(command(), &[ONE, TWO]), dispatched(1), started(1), ended(EXIT)];
    let retry =
        |servers: &[ServerId]| RunCommand::Retry { servers: servers.to_vec(), secrets: None };
    let retried = || vec![RunEvent::Retried { servers: vec![ONE], secrets: None }];
    emits(both.clone(), retry(&[]), retried());
    refuses(both.clone(), retry(&[TWO]), RunError::NotEnded);
    refuses(both.clone(), retry(&[ONE, ONE]), RunError::ServerTwice);
    refuses(both, retry(&[ServerId(Uuid::from_u128(13))]), RunError::OtherServer);
    let done = given(&[dispatched(1), started(1), ended(Ending::Succeeded)]);
    refuses(done.clone(), retry(&[]), RunError::NothingToRetry);
    emits(done, retry(&[ONE]), retried());
}

#[test]
fn a_lost_deployment_is_retried_only_by_its_servers_name() {
    let lost = vec![requested(deployment(), &[ONE]), dispatched(1), ended(LOST)];
    let retry = |servers: Vec<ServerId>| RunCommand::Retry { servers, secrets: None };
    refuses(lost.clone(), retry(vec![]), RunError::DeploymentLost);
    let retried = RunEvent::Retried { servers: vec![ONE], secrets: None };
    emits(lost, retry(vec![ONE]), vec![retried.clone()]);
    let failed = vec![requested(deployment(), &[ONE]), dispatched(1), started(1), ended(EXIT)];
    emits(failed, retry(vec![]), vec![retried.clone()]);
    let lost_command = given(&[dispatched(1), ended(LOST)]);
    emits(lost_command, retry(vec![]), vec![retried]);
}

#[test]
fn an_attempt_has_a_name_for_each_stage() {
    let mut target = Target::new(1);
    for (stage, name, cancelling) in [
        (Stage::Queued, "queued", "cancelling"),
        (Stage::Dispatched, "dispatched", "cancelling"),
        (Stage::Started, "running", "cancelling"),
        (Stage::Ended(Ending::Succeeded), "succeeded", "succeeded"),
        (Stage::Ended(EXIT), "failed", "failed"),
        (Stage::Ended(TIMED_OUT), "timed_out", "timed_out"),
        (Stage::Ended(Ending::Cancelled { forced: false, proven: true }), "cancelled", "cancelled"),
        (Stage::Ended(LOST), "lost", "lost"),
    ] {
        (target.stage, target.cancelling) = (stage, false);
        assert_eq!(target.as_str(), name);
        target.cancelling = true;
        assert_eq!(target.as_str(), cancelling);
    }
}

#[test]
fn a_digest_is_64_hexadecimal_digits_and_nothing_else() {
    let digest = Digest([0xa7; 32]);
    let text = "a7".repeat(32);
    assert_eq!((digest.to_string(), format!("{digest:?}")), (text.clone(), text.clone()));
    assert_eq!(text.parse(), Ok(digest));
    for bad in ["a7".repeat(31), "a7".repeat(33), "+7".repeat(32), "g7".repeat(32)] {
        assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
    }
}

#[test]
fn a_runs_state_is_the_least_certain_of_its_servers() {
    let both = |then: &[RunEvent]| {
        state([vec![requested(command(), &[ONE, TWO])], then.to_vec()].concat())
    };
    assert_eq!(both(&[]), RunState::Queued);
    assert_eq!(both(&[dispatched(1)]), RunState::Running);
    assert_eq!(both(&[dispatched(1), started(1), ended(EXIT)]), RunState::Running);
    let requested = RunEvent::CancelRequested { by: ADA };
    let late = [dispatched(1), started(1), ended(EXIT), requested.clone()];
    assert_eq!(both(&late), RunState::Cancelling);
    let queued = cancelled_in_queue(TWO, 1);
    let cancelling = [dispatched(1), requested, queued];
    assert_eq!(both(&cancelling), RunState::Cancelling);
    let then = |ending| both(&[&cancelling[..], &[started(1), ended(ending)]].concat());
    assert_eq!(then(Ending::Succeeded), RunState::Cancelled);
    assert_eq!(then(TIMED_OUT), RunState::TimedOut);
    assert_eq!(then(EXIT), RunState::Failed);
    assert_eq!(then(LOST), RunState::Lost);
    assert_eq!(
        state(given(&[dispatched(1), started(1), ended(Ending::Succeeded)])),
        RunState::Succeeded
    );
}

#[test]
fn every_event_is_about_the_workspace() {
    let tenant = TenantId(Uuid::from_u128(7));
    let mut event = requested(command(), &[ONE]);
    assert_eq!(event.subject(tenant, Uuid::from_u128(8)).0, tenant.0);
    let mut fields = vec![];
    let seen = event.visit_personal::<()>(tenant, Uuid::from_u128(8), &mut |about, field| {
        fields.push((about.0, field.declaration().name));
        Ok(())
    });
    assert_eq!((seen, fields), (Ok(()), vec![(tenant.0, "run.command")]));
}
