//! The log is not rewritten, by anybody.

use super::{appended, databases, event, node, one, owner};

async fn refused(client: &tokio_postgres::Client, statement: &str) {
    let error = client.batch_execute(statement).await.expect_err(statement);
    assert_eq!(error.code().unwrap().code(), "42501", "{statement}: {error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programme_reads_the_log_and_writes_through_its_functions_only() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
    let client = owner(&databases.log_url).await;
    client.batch_execute("set role lethe_app").await.unwrap();

    client.batch_execute("select * from event_log.events").await.unwrap();
    for table in ["events", "events_1", "reservations", "fences"] {
        refused(&client, &format!("insert into event_log.{table} default values")).await;
        refused(&client, &format!("delete from event_log.{table}")).await;
        refused(&client, &format!("truncate event_log.{table}")).await;
    }
    refused(&client, "update event_log.events set actor = null").await;
    refused(&client, "update event_log.reservations set owner = gen_random_uuid()").await;
    refused(&client, "select event_log.create_partition(1, 2)").await;
    refused(&client, "select event_log.lock()").await;
    refused(&client, "drop table event_log.events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_retention_role_deletes_nothing() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    for n in 1..=3 {
        assert!(appended(&node.queue.append(one(event(n, n, 1))).await.unwrap()));
    }
    let client = owner(&databases.log_url).await;
    // Whoever owns the log may lend the right again: the trigger refuses all the same.
    for lent in ["", "grant delete, update on event_log.events to lethe_retention"] {
        client.batch_execute(lent).await.unwrap();
        client.batch_execute("set role lethe_retention").await.unwrap();

        for position in 1..=3 {
            let delete = format!("delete from event_log.events where position = {position}");
            refused(&client, &delete).await;
        }
        refused(&client, "update event_log.events set actor = null").await;
        refused(&client, "truncate event_log.events").await;
        client.batch_execute("reset role").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_even_the_owner_rewrites() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
    let client = owner(&databases.log_url).await;

    for table in ["events", "events_1"] {
        refused(&client, &format!("delete from event_log.{table}")).await;
        refused(&client, &format!("update event_log.{table} set actor = null")).await;
        refused(&client, &format!("truncate event_log.{table}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_on_the_callers_path_means_nothing_to_the_log() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    client
        .batch_execute(
            "create schema mine;
             create function mine.max(bigint) returns bigint language sql as 'select 41::bigint';
             grant usage on schema mine to lethe_app;
             set role lethe_app;
             set search_path = mine, pg_catalog",
        )
        .await
        .unwrap();
    let fence = "select event_log.fence(gen_random_uuid(), '{}')";
    let fenced: i64 = client.query_one(fence, &[]).await.unwrap().get(0);
    assert_eq!(fenced, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_refuses_a_snapshot_older_than_the_lock() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    let append = "begin isolation level repeatable read;
        select event_log.append('{}', '{}')";
    assert!(client.batch_execute(append).await.is_err());
    client.batch_execute("rollback").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_the_lock_is_shown() {
    let databases = databases().await;
    let mut holder = owner(&databases.log_url).await;
    let asking = owner(&databases.log_url).await;
    let nobody = asking.query("select * from event_log.lock_holder()", &[]).await.unwrap();
    assert!(nobody.is_empty());
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();
    let pid: i32 = holding.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);

    asking.batch_execute("set role lethe_app").await.unwrap();
    let held = asking.query_one("select * from event_log.lock_holder()", &[]).await.unwrap();

    assert_eq!(held.get::<_, i32>("pid"), pid);
    assert_eq!(held.get::<_, Option<&str>>("state"), Some("idle in transaction"));
}
