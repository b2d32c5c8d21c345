use super::*;
use infra::postgres::{ConnectOptions, connect_one};
use test_support::databases;

/// A database that is there and refuses the login role is not one that is missing, whatever
/// stands in the text of the error.
#[tokio::test]
async fn a_database_that_refuses_a_role_is_not_created() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let prepare = r#"create database "refusing_3D000""#;
    admin.batch_execute(prepare).await.unwrap();
    let refuse = r#"create role visitor login;
        revoke connect on database "refusing_3D000" from public"#;
    admin.batch_execute(refuse).await.unwrap();
    let url = format!("{} user=visitor dbname='refusing_3D000'", databases.log_url);
    let url = url.parse().unwrap();

    let refused = create_database(&url).await.unwrap_err().to_string();

    assert!(refused.contains("permission denied for database"), "{refused}");
}

/// What is left of the history of migrations is that of the older version: enough to ask, not
/// enough to migrate.
#[tokio::test]
async fn a_breaking_migration_is_refused_while_a_node_runs_unless_it_is_forced() {
    let pair = databases().await.unwrap();
    let log = connect_one(&pair.log_url, &ConnectOptions::default()).await.unwrap();
    let older = "delete from refinery_schema_history where version >= 9;
        insert into working.nodes (node, part, serves, lease_until)
        values ('00000000-0000-0000-0000-00000000000b', 'readers', '{}', 'infinity')";
    log.batch_execute(older).await.unwrap();
    let databases = Databases::private(&pair.log_url, &pair.keyring_url, None).unwrap();

    let refused = databases.migrate(false).await.unwrap_err().to_string();
    let forced = databases.migrate(true).await.unwrap_err();

    let start = "the databases are not migrated: V9__plain_words, V11__cluster, V24__ended_api_tokens, \
        V27__names_of_operator_tokens, V28__one_claim_of_tasks, V31__secrets_of_api_tokens, \
        V34__runs_that_say_more, V38__generations would break";
    assert!(refused.starts_with(start), "{refused}");
    assert!(refused.contains("node 00000000-0000-0000-0000-00000000000b"), "{refused}");
    // It has begun: the tables of V9 are there already.
    assert!(matches!(forced, DatabasesError::Log(PgError::Migration(_))), "{forced}");
}

/// Another process migrates meanwhile, or an operator holds the lock.
#[tokio::test]
async fn a_node_that_starts_while_a_migration_waits_for_its_turn_is_seen() {
    let pair = databases().await.unwrap();
    let log = connect_one(&pair.log_url, &ConnectOptions::default()).await.unwrap();
    let lock = "delete from refinery_schema_history where version >= 9;
        select pg_advisory_lock(hashtextextended('lethe.migrate', 0))";
    log.batch_execute(lock).await.unwrap();
    let databases = Databases::private(&pair.log_url, &pair.keyring_url, None).unwrap();
    let migrating = tokio::spawn(async move { databases.migrate(false).await });
    test_support::until("the migration waits", async || {
        let waits = "select exists (select from pg_locks join pg_database d on d.oid = database
            where locktype = 'advisory' and not granted and datname = current_database())";
        log.query_one(waits, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;

    let start = "insert into working.nodes (node, part, serves, lease_until)
        values ('00000000-0000-0000-0000-00000000000b', 'readers', '{}', 'infinity');
        select pg_advisory_unlock(hashtextextended('lethe.migrate', 0))";
    log.batch_execute(start).await.unwrap();

    let refused = migrating.await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("node 00000000-0000-0000-0000-00000000000b"), "{refused}");
}

#[tokio::test]
async fn a_proxy_to_another_database_and_keys_beside_the_events_are_refused() {
    let pair = databases().await.unwrap();
    let of = |log: &str, keyring: &str, direct: &str| Databases {
        log: log.parse().unwrap(),
        keyring: keyring.parse().unwrap(),
        direct: direct.parse().unwrap(),
        cluster: None,
    };
    let (log, keyring) = (pair.log_url.as_str(), pair.keyring_url.as_str());
    let other_form = format!("{log} application_name='another form'");

    let mixed = of(keyring, keyring, log).refuse_mixed_up().await.unwrap_err();
    let shared = of(log, &other_form, log).refuse_mixed_up().await.unwrap_err();

    assert!(matches!(mixed, DatabasesError::TwoDatabases { .. }), "{mixed}");
    assert!(matches!(shared, DatabasesError::SharedDatabase(_)), "{shared}");
    of(&other_form, keyring, log).refuse_mixed_up().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_missing_is_created() {
    let databases = databases().await.unwrap();
    let url = format!("{} dbname='made_by_create'", databases.log_url).parse().unwrap();

    create_database(&url).await.unwrap();

    connect_one(&url, &ConnectOptions::default()).await.unwrap();
}
