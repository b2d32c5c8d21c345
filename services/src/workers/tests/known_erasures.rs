//! What is known of an erasure outside the log, so that a log that lacks it is noticed.

use domain::EventId;
use infra::log::watermark::NewestEvent;

use super::super::eraser::{erase_due, next_stage};
use super::erasing::{entry, request, somebody};
use super::lost_fences::erase_keys;
use super::preparing::known;
use super::*;

#[tokio::test]
async fn a_log_that_loses_a_completed_erasure_lacks_what_is_known() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    request(&app, ada.account, TimeDelta::zero()).await;
    app.watermark.begin_keeping().await.unwrap();

    erase_due(app.clone()).await.unwrap();

    let completed = "select max(position) from event_log.events \
        where event_type = 'account.erasure_completed'";
    assert!(known(&app).await >= count(&app, completed).await);
}

#[tokio::test]
async fn no_key_is_erased_before_its_request_is_known_outside_the_log() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    request(&app, ada.account, TimeDelta::zero()).await;
    let standing = entry(&app, ada.account).await;
    let stage = next_stage(&app, &standing).await.unwrap().stage().unwrap();
    let fenced = app.keyring.ledger.advance(standing.subject, stage).await.unwrap();
    let lost = NewestEvent { position: 99, event: EventId(Uuid::nil()) };
    app.watermark.watermark().raise(lost);

    next_stage(&app, &fenced).await.unwrap_err();

    let live = "select count(*) from keyring.keys where subject = $1 and wrapped is not null";
    let keyring = app.keyring_pool.get().await.unwrap();
    let live: i64 = keyring.query_one(live, &[&ada.account.0]).await.unwrap().get(0);
    assert!(live > 0, "a log that went back has erased keys");
}

#[tokio::test]
async fn the_request_of_an_erasure_is_known_once_its_keys_are_erased() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    app.watermark.begin_keeping().await.unwrap();
    let ada = somebody(&app).await;
    erase_keys(&app, ada.account).await;

    let asked = "select max(position) from event_log.events
        where event_type = 'account.erasure_requested'";
    assert!(known(&app).await >= count(&app, asked).await);
}
