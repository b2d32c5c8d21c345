//! The functions of the databases are those of `migrations/functions`.

use std::collections::BTreeSet;
use std::path::Path;

use tokio_postgres::Client;

use crate::postgres::functions::{self, Function};
use crate::postgres::{ConnectOptions, PgError, connect_one, migrate_log};

const DEFINITION: &str = include_str!("function_definition.sql");
const IN_DATABASE: &str = include_str!("list_functions.sql");
const PINNED: &str = include_str!("functions.txt");

async fn client(url: &str) -> Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

async fn both(databases: &test_support::Databases) -> [(Client, &'static [Function]); 2] {
    let (log, keyring) = (client(&databases.log_url).await, client(&databases.keyring_url).await);
    [(log, functions::LOG.all), (keyring, functions::KEYRING.all)]
}

/// Its definition and privileges.
async fn definition(client: &Client, name: &str) -> (String, String) {
    let row = client.query_one(DEFINITION, &[&name]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn the_files_are_the_functions_of_the_database_to_the_letter() {
    let databases = test_support::databases().await.unwrap();
    for (mut client, functions) in both(&databases).await {
        for function in functions {
            let of_database = definition(&client, function.name).await;
            let in_place = client.transaction().await.unwrap();
            in_place.batch_execute(function.text).await.unwrap();
            in_place.commit().await.unwrap();

            assert_eq!(definition(&client, function.name).await, of_database);
            assert!(!of_database.1.contains("{=X"), "everybody may call {}", function.name);
        }
    }
}

#[tokio::test]
async fn no_function_is_without_a_file_and_no_file_without_a_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/functions");
    let mut files = BTreeSet::new();
    for schema in std::fs::read_dir(&folder).unwrap() {
        let schema = schema.unwrap();
        for file in std::fs::read_dir(schema.path()).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            files.insert(format!("{}.{name}", schema.file_name().to_string_lossy()));
        }
    }

    let databases = test_support::databases().await.unwrap();
    let mut present = Vec::new();
    for (client, _) in both(&databases).await {
        let rows = client.query(IN_DATABASE, &[]).await.unwrap();
        present.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }

    present.sort_unstable();
    assert_eq!(present, files.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_function_whose_text_changes_has_a_higher_revision() {
    let functions = functions::LOG.all.iter().chain(functions::KEYRING.all);
    let now = functions.map(|function| {
        let stamp = function.stamp();
        format!("{} {} {}\n", function.name, stamp.revision, stamp.hash)
    });
    assert_eq!(
        now.collect::<String>(),
        PINNED,
        "raise the revision in infra/src/postgres/functions.rs, then write its new line to \
         infra/src/postgres/tests/functions.txt"
    );
}

const REVISIONS: [&str; 2] = ["event_log.function_revisions", "keyring.function_revisions"];

#[tokio::test]
async fn the_applications_role_cannot_write_the_revisions() {
    let databases = test_support::databases().await.unwrap();
    for ((client, functions), table) in both(&databases).await.into_iter().zip(REVISIONS) {
        let may = "select has_table_privilege('lethe_app', $1, 'insert, update, delete, truncate')";
        assert!(!client.query_one(may, &[&table]).await.unwrap().get::<_, bool>(0), "{table}");
        let count = format!("select count(*) from {table}");
        let count: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
        assert_eq!(count, i64::try_from(functions.len()).unwrap());
    }
}

#[tokio::test]
async fn an_older_programme_leaves_a_newer_function_alone_in_a_restore_without_comments() {
    let databases = test_support::databases().await.unwrap();
    let client = client(&databases.log_url).await;
    let newer = "create or replace function event_log.partitions_end() returns bigint
        language sql stable security definer set search_path = pg_catalog, pg_temp as 'select 7::bigint';
        comment on function event_log.partitions_end is null;
        update event_log.function_revisions set revision = 999, sha256 = '00'
        where name = 'event_log.partitions_end'";
    client.batch_execute(newer).await.unwrap();

    let migrated = migrate_log(&databases.log_url).await.unwrap();

    assert_eq!(migrated, crate::postgres::Migrated::default());
    let end = "select event_log.partitions_end()";
    assert_eq!(client.query_one(end, &[]).await.unwrap().get::<_, i64>(0), 7);
}

#[tokio::test]
async fn what_is_older_or_missing_is_applied_once() {
    let databases = test_support::databases().await.unwrap();
    let client = client(&databases.log_url).await;
    let expected = definition(&client, "event_log.partitions_end").await;
    let older = "create or replace function event_log.partitions_end() returns bigint
        language sql stable security definer set search_path = pg_catalog, pg_temp as 'select 7::bigint';
        update event_log.function_revisions set revision = 0, sha256 = '00'
        where name = 'event_log.partitions_end';
        drop function event_log.lock_holder";
    client.batch_execute(older).await.unwrap();

    let migrated = migrate_log(&databases.log_url).await.unwrap();

    assert_eq!(migrated.functions, ["event_log.lock_holder", "event_log.partitions_end"]);
    assert_eq!(definition(&client, "event_log.partitions_end").await, expected);
    let again = migrate_log(&databases.log_url).await.unwrap();
    assert_eq!(again.functions, Vec::<&str>::new());
}

#[tokio::test]
async fn two_texts_of_one_revision_are_refused_and_nothing_is_applied() {
    let databases = test_support::databases().await.unwrap();
    let client = client(&databases.log_url).await;
    let edited = "update event_log.function_revisions set sha256 = '00'
        where name = 'event_log.fence';
        delete from event_log.function_revisions where name = 'event_log.lock'";
    client.batch_execute(edited).await.unwrap();

    let refused = migrate_log(&databases.log_url).await.unwrap_err();

    assert!(
        matches!(refused, PgError::FunctionDiffers { name: "event_log.fence", revision: 2 }),
        "{refused}"
    );
    let locks = "select count(*) from event_log.function_revisions where name = 'event_log.lock'";
    assert_eq!(client.query_one(locks, &[]).await.unwrap().get::<_, i64>(0), 0);
}
