use crate::postgres::{ConnectOptions, connect_one, migrate_keyring, migrate_log};

async fn versions(url: &str) -> Vec<i32> {
    let client = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let rows = client
        .query("select version from refinery_schema_history order by version", &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn each_test_gets_a_migrated_pair_of_its_own() {
    let (one, other) =
        (test_support::databases().await.unwrap(), test_support::databases().await.unwrap());

    assert_ne!(one.log_url, other.log_url);
    assert_eq!(versions(&one.log_url).await, versions(&other.log_url).await);
    assert_eq!(versions(&one.keyring_url).await, versions(&other.keyring_url).await);
}

#[tokio::test]
async fn migrations_by_two_at_once_are_done_once() {
    let migrated = test_support::databases().await.unwrap();
    let (log, keyring) = (
        test_support::empty_database().await.unwrap(),
        test_support::empty_database().await.unwrap(),
    );

    let done = tokio::join!(
        migrate_log(&log),
        migrate_log(&log),
        migrate_keyring(&keyring),
        migrate_keyring(&keyring)
    );

    assert!(done.0.is_ok() && done.1.is_ok() && done.2.is_ok() && done.3.is_ok(), "{done:?}");
    assert_eq!(versions(&log).await, versions(&migrated.log_url).await);
    assert_eq!(versions(&keyring).await, versions(&migrated.keyring_url).await);
}
