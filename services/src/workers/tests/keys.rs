//! The root key turns.

use super::super::keys::rotate_keys;
use super::*;

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
