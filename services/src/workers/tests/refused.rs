//! What a worker makes of a command that is refused.

use infra::event_store::ExecuteError;

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
