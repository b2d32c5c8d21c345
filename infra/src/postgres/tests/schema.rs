//! What is said of a schema that is not the one of this programme, and that nothing is changed.

use crate::postgres::{ConnectOptions, Schema, connect_one, keyring_schema, log_schema};

/// The schema of the events' database of a test, after `damage`.
async fn after(damage: &str) -> Schema {
    let databases = test_support::databases().await.unwrap();
    let client = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    client.batch_execute(damage).await.unwrap();
    log_schema(&databases.log_url).await.unwrap()
}

#[tokio::test]
async fn migrated_databases_have_the_schema_of_this_programme() {
    let databases = test_support::databases().await.unwrap();
    assert_eq!(log_schema(&databases.log_url).await.unwrap(), Schema::Current);
    assert_eq!(keyring_schema(&databases.keyring_url).await.unwrap(), Schema::Current);
}

#[tokio::test]
async fn a_database_that_is_empty_or_not_there_has_no_schema() {
    let empty = test_support::empty_database().await.unwrap();
    assert_eq!(log_schema(&empty).await.unwrap(), Schema::Missing);
    assert_eq!(keyring_schema(&empty).await.unwrap(), Schema::Missing);
    let absent = format!("{empty} dbname='not_there'");
    assert_eq!(log_schema(&absent).await.unwrap(), Schema::Missing);
}

#[tokio::test]
async fn a_schema_is_older_or_newer_by_its_last_migration() {
    let older = "delete from refinery_schema_history
        where version = (select max(version) from refinery_schema_history)";
    let older = after(older).await;
    assert!(matches!(older, Schema::Older { applied, known } if applied < known), "{older:?}");

    let newer =
        "insert into refinery_schema_history values (900, 'later', '2026-01-01T00:00:00Z', '0')";
    let newer = after(newer).await;
    assert!(matches!(newer, Schema::Newer { applied: 900, known } if known < 900), "{newer:?}");
}

#[tokio::test]
async fn functions_that_are_older_or_missing_are_named_and_newer_ones_are_left_alone() {
    let damage = "update event_log.function_revisions set revision = 0, sha256 = '00'
        where name = 'event_log.partitions_end';
        update event_log.function_revisions set revision = 999, sha256 = '00'
        where name = 'event_log.fence';
        drop function event_log.lock_holder";
    let functions = vec!["event_log.lock_holder", "event_log.partitions_end"];
    assert_eq!(after(damage).await, Schema::OlderFunctions(functions));

    let newer = "update event_log.function_revisions set revision = 999, sha256 = '00'
        where name = 'event_log.fence'";
    assert_eq!(after(newer).await, Schema::Current);
}
