//! Each event as the log keeps it.

use uuid::Uuid;

use super::{Digest, Failure, LogSeal, LossCause, RunEvent, StartCause, StreamSeal, Work};
use crate::privacy::Personal;
use crate::server::ConnectFailure;
use crate::{AccountId, DeploymentId, Event, RunSecretsId, ServerId, check_upcasters, golden};

const SERVER: ServerId = ServerId(Uuid::from_u128(1));

fn requested() -> RunEvent {
    RunEvent::Requested {
        work: Work::Command { command: Personal::Apart },
        servers: vec![SERVER],
        timeout_seconds: 3600,
        secrets: Some(RunSecretsId(Uuid::from_u128(2))),
    }
}

fn sealed() -> RunEvent {
    let stream = StreamSeal { lines: 1, bytes: 6, sha256: Digest([171; 32]) };
    let log = LogSeal { out: stream, err: stream, lines: 2, bytes: 12, truncated: false };
    RunEvent::LogSealed { server: SERVER, attempt: 1, log }
}

#[test]
fn every_event_of_a_run_is_kept_as_it_ever_was() {
    let (server, attempt, fence) = (SERVER, 1, 2);
    golden::check(
        "run",
        vec![
            requested(),
            RunEvent::SecretNames { names: Personal::Apart },
            RunEvent::EnvironmentGiven { environment: Personal::Apart },
            RunEvent::Dispatched { server, attempt, fence },
            RunEvent::Started { server, attempt, fence },
            RunEvent::Reattached { server, attempt, fence },
            RunEvent::CancelRequested { by: AccountId(Uuid::from_u128(3)) },
            RunEvent::Succeeded { server, attempt, fence },
            RunEvent::Failed { server, attempt, fence, failure: Failure::Exit { code: 255 } },
            RunEvent::NotStarted { server, attempt, fence, cause: StartCause::ShellRefused },
            RunEvent::TimedOut {
                server,
                attempt,
                fence,
                proven: false,
                left: Some(Personal::Apart),
            },
            RunEvent::Cancelled { server, attempt, fence, forced: true, proven: true, left: None },
            RunEvent::Lost { server, attempt, fence, why: LossCause::Unreachable },
            RunEvent::ProvenGone { server, attempt, fence },
            RunEvent::GivenUp { server, attempt, by: Some(AccountId(Uuid::from_u128(3))) },
            sealed(),
            RunEvent::Retried { servers: vec![SERVER], secrets: None },
        ],
    );
}

/// What was said of them then is what counts: an end was proven, and a loss had no cause.
#[test]
fn the_ends_of_former_versions_are_read_as_they_were_meant() {
    let (server, attempt, fence) = (SERVER, 1, 2);
    let read = |event_type: &str, data: &str| RunEvent::decode(event_type, 1, data.trim_end());
    assert_eq!(
        read("run.cancelled", include_str!("golden/run.cancelled.1.json")).unwrap(),
        RunEvent::Cancelled { server, attempt, fence, forced: true, proven: true, left: None }
    );
    assert_eq!(
        read("run.timed_out", include_str!("golden/run.timed_out.1.json")).unwrap(),
        RunEvent::TimedOut { server, attempt, fence, proven: true, left: None }
    );
    assert_eq!(
        read("run.lost", include_str!("golden/run.lost.1.json")).unwrap(),
        RunEvent::Lost { server, attempt, fence, why: LossCause::Unknown }
    );
    assert_eq!(check_upcasters::<RunEvent>(), Ok(()));
    let unreached = r#"{"server":"00000000-0000-0000-0000-000000000001","attempt":1,"fence":2,
        "failure":{"kind":"not_started","obstacle":"forgotten"}}"#;
    let failure = Failure::NotStarted { cause: StartCause::InputsDeleted };
    let failed = RunEvent::Failed { server, attempt, fence, failure };
    assert_eq!(read("run.failed", unreached).unwrap(), failed);
}

#[test]
fn a_deployment_and_each_failure_are_kept_as_they_ever_were() {
    let kept = |value: serde_json::Value, text: &str| assert_eq!(value.to_string(), text);
    let work = Work::Deployment {
        deployment: DeploymentId(Uuid::from_u128(4)),
        version: 7,
        steps: Personal::Apart,
    };
    kept(
        serde_json::to_value(work).unwrap(),
        r#"{"deployment":"00000000-0000-0000-0000-000000000004","kind":"deployment","steps":"sealed","version":7}"#,
    );
    let signal = serde_json::to_value(Failure::Signal { number: 9 });
    kept(signal.unwrap(), r#"{"kind":"signal","number":9}"#);
    let unreached = Failure::NotStarted { cause: StartCause::Connect(ConnectFailure::HostKey) };
    kept(
        serde_json::to_value(unreached).unwrap(),
        r#"{"kind":"not_started","obstacle":"host_key"}"#,
    );
}

#[test]
fn every_cause_of_no_start_is_kept_as_one_word() {
    let words = [
        (StartCause::Connect(ConnectFailure::Address), "address"),
        (StartCause::Connect(ConnectFailure::Tcp), "tcp"),
        (StartCause::Connect(ConnectFailure::Identification), "identification"),
        (StartCause::Connect(ConnectFailure::HostKey), "host_key"),
        (StartCause::Connect(ConnectFailure::Authentication), "authentication"),
        (StartCause::Connect(ConnectFailure::Command), "command"),
        (StartCause::NotReady, "not_ready"),
        (StartCause::InputsDeleted, "inputs_deleted"),
        (StartCause::NoProc, "no_proc"),
        (StartCause::NoSetsid, "no_setsid"),
        (StartCause::HomeUnwritable, "home_unwritable"),
        (StartCause::HomeFull, "home_full"),
        (StartCause::ShellRefused, "shell_refused"),
        (StartCause::VariableName, "variable_name"),
        (StartCause::CommandTooLong, "command_too_long"),
        (StartCause::RequesterNotAllowed, "requester_not_allowed"),
    ];
    for (cause, word) in words {
        assert_eq!(serde_json::to_value(cause).unwrap(), word);
        assert_eq!(serde_json::from_value::<StartCause>(word.into()).unwrap(), cause);
    }
    assert!(serde_json::from_value::<StartCause>("lazy".into()).is_err());
}
