//! What a worker makes of a command that is refused.

use domain::DecodeError;
use infra::event_store::{ExecuteError, LoadError};
use infra::log::WorkerError;
use infra::postgres::PgError;

use super::*;
use crate::operations::system_command::SystemCommand;

/// No erasure is requested, so there is none to complete.
fn complete(account: AccountId) -> SystemCommand {
    let command = AccountCommand::CompleteErasure { now: noon() };
    SystemCommand::new(account.into(), &[b"test", account.0.as_bytes()])
        .step::<Account>(account.0, command)
}

#[tokio::test]
async fn only_a_refusal_that_a_worker_expects_means_that_there_is_nothing_to_do() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;

    let expected = complete(ada.account).execute(&app.executor, |_| true).await;
    let unexpected = complete(ada.account).execute(&app.executor, |_| false).await;

    assert!(matches!(expected, Ok(None)), "{expected:?}");
    assert!(matches!(unexpected, Err(ExecuteError::Refused(_))), "{unexpected:?}");
    assert_eq!(event_types(&app, ada.account.0).await, ["account.registered"]);
}

#[test]
fn a_worker_parks_what_it_can_never_read_and_waits_for_what_another_node_can() {
    let (stream, version) = (Uuid::from_u128(1), 2);
    let of = |reason| LoadError::Undecodable { stream, version, reason };
    let parks = [
        of(DecodeError::Sealed),
        LoadError::Missing { stream, version },
        LoadError::WrongType { stream, stream_type: "account" },
    ];
    for error in parks {
        let error = WorkerError::from(ExecuteError::from(error));
        assert!(matches!(error, WorkerError::Poison(_)), "{error:?}");
    }
    let waits =
        [of(DecodeError::Type), of(DecodeError::Version), LoadError::Postgres(PgError::Busy)];
    for error in waits {
        let error = WorkerError::from(error);
        assert!(matches!(error, WorkerError::Unavailable(_)), "{error:?}");
    }
    let refused = WorkerError::from(ExecuteError::Reused);
    assert!(matches!(refused, WorkerError::Poison(_)), "{refused:?}");
    let busy = WorkerError::from(ExecuteError::Conflict);
    assert!(matches!(busy, WorkerError::Unavailable(_)), "{busy:?}");
}
