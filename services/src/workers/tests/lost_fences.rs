//! A fence is a row: a failover can lose it, and no event with it.

use infra::keyring::ErasureState;
use infra::log::watermark::Known;

use super::super::eraser::{erase_due, next_stage};
use super::super::prepare;
use super::erasing::{entry, request, somebody};
use super::*;

/// The stages of an erasure up to the one before its last.
pub(super) async fn erase_keys(app: &App, account: AccountId) {
    request(app, account, TimeDelta::zero()).await;
    let mut reached = entry(app, account).await;
    while reached.state < ErasureState::KeysErased {
        let stage = next_stage(app, &reached).await.unwrap().stage().unwrap();
        reached = app.keyring.ledger.advance(reached.subject, stage).await.unwrap();
    }
}

pub(super) const FENCES: &str = "select count(*) from event_log.fences";

/// A failover that was not synchronous loses a row, and no event that anybody knows.
async fn lose_fences(harness: &Harness) {
    let owner = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    assert_eq!(owner.execute("delete from event_log.fences", &[]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_fence_that_a_failover_has_lost_is_raised_again_before_an_erasure_is_completed() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    erase_keys(&app, ada.account).await;
    lose_fences(&harness).await;

    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Completed);
    assert_eq!(count(&app, FENCES).await, 1);
}

#[tokio::test]
async fn a_start_on_the_log_that_is_known_raises_the_fence_of_an_erasure_under_way() {
    let harness = Harness::new().await;
    let keyring = harness.databases.keyring_url.parse().unwrap();
    let app = harness.node().await;
    prepare(&app, &keyring).await.unwrap();
    let ada = register(&app, "ada@example.org").await;
    erase_keys(&app, ada.account).await;
    lose_fences(&harness).await;

    let next = harness.node().await;
    assert_eq!(next.watermark.load().await.unwrap(), Known::Same);
    prepare(&next, &keyring).await.unwrap();

    assert_eq!(count(&next, FENCES).await, 1);
}
