//! Older events under the ledger of today.

use infra::keyring::ErasureState;

use super::super::eraser::{Eraser, erase_due};
use super::super::replay_ledger;
use super::*;

async fn erasure(app: &App, account: AccountId, grace: TimeDelta) {
    let now = app.clock.now();
    ask(app, account, None, AccountCommand::RequestErasure { now, due: now + grace })
        .await
        .unwrap();
    react(app, &Eraser::new(app, &Arc::default())).await.unwrap();
}

#[tokio::test]
async fn who_was_erased_is_fenced_again_before_anything_is_served() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    // What the events' database was before the erasures: the same people in another database.
    let before = databases().await.unwrap();
    let mail = app.transport.clone();
    let restored = harness.node_with(mail, &before.log_url).await;
    register_as(&restored, ada.account, "ada@example.org").await;
    register_as(&restored, bob.account, "bob@example.org").await;
    let (_, token) = sign_in(&restored, ada.account).await;
    erasure(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    erasure(&app, bob.account, TimeDelta::days(7)).await;
    harness.clock.advance(TimeDelta::days(2));

    assert_eq!(replay_ledger(&restored).await.unwrap(), 2);

    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
    assert_eq!(replay_ledger(&app).await.unwrap(), 0);
    assert_eq!(restored.sessions.find(&token).await.unwrap(), None);
    let hashes = "select count(*) from working.credentials";
    assert_eq!(count(&restored, hashes).await, 1);
    assert_eq!(
        count(&restored, "select count(distinct owner) from event_log.reservations").await,
        1
    );
    let late = AccountCommand::RequestPasswordReset { proof: proof(&restored) };
    let late = ask(&restored, ada.account, None, late).await;
    assert!(matches!(late, Err(ExecuteError::Fenced)), "{late:?}");
    let steps = event_types(&restored, bob.account.0).await;
    assert_eq!(steps.last().unwrap(), "account.erasure_requested");
    harness.clock.advance(TimeDelta::days(6));
    erase_due(restored.clone()).await.unwrap();
    let entry = restored.keyring.ledger.entry(bob.account.into()).await.unwrap().unwrap();
    assert_eq!(entry.state, ErasureState::Completed);
}
