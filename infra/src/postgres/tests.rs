#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

use super::{ConnectOptions, testing};

#[tokio::test]
async fn each_test_gets_a_migrated_pair_of_its_own() {
    let databases = testing::databases().await.unwrap();
    let client = super::connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let applied = client.query("select version from refinery_schema_history", &[]).await.unwrap();
    assert!(applied.len() < 100);
}
