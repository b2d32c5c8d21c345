//! A migration that breaks older nodes waits until none runs.

use refinery::{Runner, Target};
use tokio_postgres::Client;

use crate::postgres::migrate::{BREAKING_KEYRING, BREAKING_LOG, keyring, log};
use crate::postgres::{
    ConnectOptions, Migration, PgError, breaking, connect_one, migrate_keyring, migrate_log,
};

const NODE: &str = "00000000-0000-0000-0000-00000000000b";

/// An empty database, migrated up to `version`.
async fn migrated(runner: Runner, version: i32) -> (String, Client) {
    let url = test_support::empty_database().await.unwrap();
    let mut client = connect_one(&url, &ConnectOptions::unlimited()).await.unwrap();
    runner.set_target(Target::Version(version)).run_async(&mut client).await.unwrap();
    (url, client)
}

async fn refuse_to_break_nodes(log_url: &str, keyring_url: &str) -> Result<(), PgError> {
    let log = Migration::of_log(log_url).await?;
    let keyring = Migration::of_keyring(keyring_url).await?;
    breaking::refuse_to_break_nodes(&log, &keyring).await
}

/// A node whose lease ends in so many seconds.
async fn add_node(client: &Client, seconds: f64) {
    let add = "insert into readers.nodes (node, readers, lease_until)
        values ($1::text::uuid, '{}', clock_timestamp() + make_interval(secs => $2))";
    client.execute(add, &[&NODE, &seconds]).await.unwrap();
}

/// The same, after V11 of the log.
async fn add_part(client: &Client, part: &str) {
    let add = "insert into working.nodes (node, part, serves, lease_until)
        values ($1::text::uuid, $2, '{}', clock_timestamp() + interval '1 minute')";
    client.execute(add, &[&NODE, &part]).await.unwrap();
}

async fn versions(client: &Client) -> i32 {
    let newest = "select max(version) from refinery_schema_history";
    client.query_one(newest, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_breaking_migration_names_the_nodes_that_run_and_changes_nothing() {
    let (log_url, log) = migrated(log::migrations::runner(), 8).await;
    let (keyring_url, keyring) = migrated(keyring::migrations::runner(), 2).await;
    add_node(&log, 60.0).await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, nodes } = &refused else { panic!("{refused}") };
    assert_eq!(
        migrations,
        "V9__plain_words, V11__cluster, V24__ended_api_tokens, V27__names_of_operator_tokens, \
         V28__one_claim_of_tasks, V31__secrets_of_api_tokens, V34__runs_that_say_more, \
         V38__generations, V3__invalidations, V6__held_roots, V9__copy, V13__shards"
    );
    assert_eq!(nodes, &format!("node {NODE}"));
    assert!(refused.to_string().contains("`lethe migrate --force`"), "{refused}");
    assert_eq!((versions(&log).await, versions(&keyring).await), (8, 2));
}

#[tokio::test]
async fn one_database_of_the_older_version_is_enough_to_refuse() {
    let (log_url, log) = migrated(log::migrations::runner(), 38).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 2).await;
    add_part(&log, "monitors").await;
    add_part(&log, "readers").await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, nodes } = &refused else { panic!("{refused}") };
    assert_eq!(migrations, "V3__invalidations, V6__held_roots, V9__copy, V13__shards");
    assert_eq!(nodes, &format!("node {NODE}"));
}

#[tokio::test]
async fn the_table_of_nodes_is_not_replaced_under_the_nodes_that_use_it() {
    let (log_url, log) = migrated(log::migrations::runner(), 10).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_node(&log, 60.0).await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, nodes } = &refused else { panic!("{refused}") };
    assert_eq!(
        migrations,
        "V11__cluster, V24__ended_api_tokens, V27__names_of_operator_tokens, \
         V28__one_claim_of_tasks, V31__secrets_of_api_tokens, V34__runs_that_say_more, V38__generations"
    );
    assert_eq!(nodes, &format!("node {NODE}"));
}

/// It would set a password and end no API token, and could not read an account that has ended them.
#[tokio::test]
async fn a_node_that_does_not_know_what_ends_api_tokens_is_stopped_first() {
    let (log_url, log) = migrated(log::migrations::runner(), 23).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_part(&log, "readers").await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, nodes } = &refused else { panic!("{refused}") };
    assert_eq!(
        migrations,
        "V24__ended_api_tokens, V27__names_of_operator_tokens, V28__one_claim_of_tasks, \
         V31__secrets_of_api_tokens, V34__runs_that_say_more, V38__generations"
    );
    assert_eq!(nodes, &format!("node {NODE}"));
}

/// It could not read an account that has ended its sessions.
#[tokio::test]
async fn a_node_that_cannot_read_the_newest_events_is_stopped_first() {
    let (log_url, log) = migrated(log::migrations::runner(), 26).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_part(&log, "readers").await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, .. } = &refused else { panic!("{refused}") };
    assert_eq!(
        migrations,
        "V27__names_of_operator_tokens, V28__one_claim_of_tasks, V31__secrets_of_api_tokens, \
         V34__runs_that_say_more, V38__generations"
    );
}

/// It would look for the secrets of API tokens where they are no more.
#[tokio::test]
async fn a_node_that_does_not_know_where_secrets_are_is_stopped_first() {
    let (log_url, log) = migrated(log::migrations::runner(), 30).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_part(&log, "readers").await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, .. } = &refused else { panic!("{refused}") };
    assert_eq!(migrations, "V31__secrets_of_api_tokens, V34__runs_that_say_more, V38__generations");
}

/// It could not read a run that is lost, and would leave it running.
#[tokio::test]
async fn a_node_that_cannot_read_how_runs_end_is_stopped_first() {
    let (log_url, log) = migrated(log::migrations::runner(), 32).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_part(&log, "readers").await;

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

    let PgError::NodesRunning { migrations, .. } = &refused else { panic!("{refused}") };
    assert_eq!(migrations, "V34__runs_that_say_more, V38__generations");
}

#[tokio::test]
async fn a_programme_that_appends_without_readers_counts_as_a_node() {
    let (log_url, _log) = migrated(log::migrations::runner(), 8).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 2).await;
    let options = ConnectOptions { application: "lethe append", ..ConnectOptions::default() };
    let appending = connect_one(&log_url, &options).await.unwrap();

    let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err().to_string();

    let backend = appending
        .query_one(
            "select pg_backend_pid(), backend_start::date::text
        from pg_stat_activity where pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    let (process, day): (i32, String) = (backend.get(0), backend.get(1));
    let from = format!("a programme that appends, connected from this machine since {day} ");
    assert!(refused.contains(&from), "{refused}");
    assert!(refused.contains(&format!("with process {process} of PostgreSQL")), "{refused}");
    assert!(refused.contains("`select pg_terminate_backend(process)`"), "{refused}");
}

#[tokio::test]
async fn a_replay_that_runs_counts_as_a_node_by_either_name_of_its_column() {
    for (version, holder) in [(10, "owner"), (11, "node")] {
        let (log_url, log) = migrated(log::migrations::runner(), version).await;
        let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 2).await;
        let replays = format!(
            "insert into readers.replays (name, version, {holder}, lease_until, ceiling)
            select name, 1, $1::text::uuid, clock_timestamp() + make_interval(mins => minutes), 5
            from (values ('accounts', 1), ('seats', -1)) as it (name, minutes)"
        );
        log.execute(&replays, &[&NODE]).await.unwrap();

        let refused = refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap_err();

        let PgError::NodesRunning { nodes, .. } = &refused else { panic!("{refused}") };
        assert_eq!(nodes, "the replay of accounts");
    }
}

#[tokio::test]
async fn nodes_whose_leases_have_ended_are_not_waited_for() {
    let (log_url, log) = migrated(log::migrations::runner(), 8).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 2).await;
    add_node(&log, -1.0).await;

    refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap();
}

#[tokio::test]
async fn a_fresh_database_and_one_without_breaking_migrations_pass() {
    let fresh = test_support::empty_database().await.unwrap();
    let other = test_support::empty_database().await.unwrap();
    refuse_to_break_nodes(&fresh, &other).await.unwrap();

    let (log_url, log) = migrated(log::migrations::runner(), 38).await;
    let (keyring_url, _keyring) = migrated(keyring::migrations::runner(), 13).await;
    add_part(&log, "readers").await;
    refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap();

    migrate_log(&log_url).await.unwrap();
    migrate_keyring(&keyring_url).await.unwrap();
    refuse_to_break_nodes(&log_url, &keyring_url).await.unwrap();
    // No older node uses an empty database, whatever runs on the other one.
    refuse_to_break_nodes(&log_url, &other).await.unwrap();
}

#[test]
fn the_breaking_migrations_are_those_that_say_so() {
    let says_so = |runner: Runner| -> Vec<i32> {
        let migrations = runner.get_migrations().iter();
        let breaking = migrations.filter(|it| it.sql().unwrap().contains("stop its nodes first"));
        let mut versions: Vec<i32> = breaking.map(refinery::Migration::version).collect();
        versions.sort_unstable();
        versions
    };
    assert_eq!(says_so(log::migrations::runner()), BREAKING_LOG);
    assert_eq!(says_so(keyring::migrations::runner()), BREAKING_KEYRING);
}
