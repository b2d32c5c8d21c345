//! Keys turn, and everybody's address stays reserved.

use std::time::Duration;

use super::super::keys::{rotate_email_index_after, rotate_keys};
use super::*;

#[tokio::test]
async fn an_address_stays_reserved_when_the_index_gets_another_key() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let before = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    harness.clock.advance(TimeDelta::days(8));

    rotate_email_index_after(app.clone(), Duration::ZERO).await.unwrap();

    let after = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    assert_ne!(before, after);
    assert_eq!(app.reservations.of_owner(ada.account.0).await.unwrap(), after);
    let (kind, index) = &after[0];
    let owner = app.executor.reservation_owner(kind, index).await.unwrap();
    assert_eq!(owner, Some(ada.account.0));
    rotate_email_index_after(app.clone(), Duration::ZERO).await.unwrap();
    assert_eq!(app.keyring.email_index.indexes(&address(ada.email)).await.unwrap(), after);
}

#[tokio::test]
async fn the_root_key_turns_when_it_is_a_day_old() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    register(&app, "ada@example.org").await;
    let before = app.keyring.status().await.unwrap().root;

    rotate_keys(app.clone()).await.unwrap();
    assert_eq!(app.keyring.status().await.unwrap().root, before);
    harness.clock.advance(TimeDelta::days(1));
    rotate_keys(app.clone()).await.unwrap();

    assert!(app.keyring.status().await.unwrap().root > before);
}
