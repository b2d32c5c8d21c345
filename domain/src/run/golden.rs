//! Each event as the log keeps it.

use uuid::Uuid;

use super::{Digest, Failure, LogSeal, RunEvent, StartFailure, StreamSeal, Work};
use crate::privacy::Personal;
use crate::server::ConnectFailure;
use crate::{AccountId, DeploymentId, RunSecretsId, ServerId, golden};

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
            RunEvent::Dispatched { server, attempt, fence },
            RunEvent::Started { server, attempt, fence },
            RunEvent::Reattached { server, attempt, fence },
            RunEvent::CancelRequested { by: AccountId(Uuid::from_u128(3)) },
            RunEvent::Succeeded { server, attempt, fence },
            RunEvent::Failed { server, attempt, fence, failure: Failure::Exit { code: 255 } },
            RunEvent::TimedOut { server, attempt, fence },
            RunEvent::Cancelled { server, attempt, fence, forced: true },
            RunEvent::Lost { server, attempt, fence },
            sealed(),
            RunEvent::Retried { servers: vec![SERVER], secrets: None },
        ],
    );
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
    let unreached = Failure::NotStarted { cause: StartFailure::Connect(ConnectFailure::HostKey) };
    kept(
        serde_json::to_value(unreached).unwrap(),
        r#"{"kind":"not_started","obstacle":"host_key"}"#,
    );
}

#[test]
fn every_start_failure_is_kept_as_one_word() {
    let words = [
        (StartFailure::Connect(ConnectFailure::Address), "address"),
        (StartFailure::Connect(ConnectFailure::Tcp), "tcp"),
        (StartFailure::Connect(ConnectFailure::Identification), "identification"),
        (StartFailure::Connect(ConnectFailure::HostKey), "host_key"),
        (StartFailure::Connect(ConnectFailure::Authentication), "authentication"),
        (StartFailure::Connect(ConnectFailure::Command), "command"),
        (StartFailure::NotReady, "not_ready"),
        (StartFailure::InputsDeleted, "forgotten"),
    ];
    for (failure, word) in words {
        assert_eq!(serde_json::to_value(failure).unwrap(), word);
        assert_eq!(serde_json::from_value::<StartFailure>(word.into()).unwrap(), failure);
    }
    assert!(serde_json::from_value::<StartFailure>("lazy".into()).is_err());
}
