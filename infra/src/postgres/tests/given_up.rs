//! A statement whose future is dropped before the answer, as a client that disconnects or a time-out does it.

use std::time::Duration;

use futures_util::StreamExt;
use test_support::until;

use crate::postgres::{ConnectOptions, Pool, PooledClient, connect, connect_one};

/// Waits for a lock that the harness holds.
const WAIT: &str = "select pg_advisory_lock(7)";
const PID: &str = "select pg_backend_pid()";

struct Harness {
    admin: tokio_postgres::Client,
    pool: Pool,
}

impl Harness {
    /// A pool of one connection.
    async fn new(options: ConnectOptions) -> Self {
        let url = test_support::empty_database().await.unwrap();
        let admin = connect_one(&url, &ConnectOptions::default()).await.unwrap();
        admin.batch_execute("create table notes (note text)").await.unwrap();
        admin.execute(WAIT, &[]).await.unwrap();
        let wait = Duration::from_mins(1);
        let options = ConnectOptions { role: None, connections_max: 1, wait, ..options };
        Self { admin, pool: connect(&url, &options).await.unwrap() }
    }

    /// Runs `work` on the pool's connection, and drops it once a statement with this text runs on the server.
    /// Returns the process of the connection.
    async fn give_up<W>(&self, text: &str, work: impl FnOnce(PooledClient) -> W) -> i32
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let client = self.pool.get().await.unwrap();
        let process = pid(&client).await;
        let working = tokio::spawn(work(client));
        let running = "select from pg_stat_activity \
            where pid = $1 and state = 'active' and strpos(query, $2) > 0";
        until("the statement runs", async || {
            let rows = self.admin.query(running, &[&process, &text]).await.unwrap();
            (!rows.is_empty()).then_some(())
        })
        .await;
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        process
    }

    async fn until_gone(&self, process: i32) {
        until("the server has ended the connection", async || {
            let rows = "select from pg_stat_activity where pid = $1";
            self.admin.query(rows, &[&process]).await.unwrap().is_empty().then_some(())
        })
        .await;
    }

    async fn notes(&self) -> i64 {
        self.admin.query_one("select count(*) from notes", &[]).await.unwrap().get(0)
    }
}

async fn pid(client: &PooledClient) -> i32 {
    client.query_one(PID, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_cancelled_and_its_connection_used_no_more() {
    let harness = Harness::new(ConnectOptions::default()).await;
    for _ in 0..3 {
        let old = harness
            .give_up(WAIT, async |client| drop(client.query(WAIT, &[]).await.unwrap()))
            .await;

        let next = harness.pool.get().await.unwrap();
        assert_ne!(pid(&next).await, old);
        drop(next);
        harness.until_gone(old).await;
    }
    let status = harness.pool.status();
    assert_eq!((status.size, status.available, status.max_size), (1, 1, 1));
}

#[tokio::test]
async fn a_transaction_that_is_dropped_in_a_statement_holds_no_lock_and_writes_nothing() {
    let harness = Harness::new(ConnectOptions::default()).await;
    let old = harness
        .give_up(WAIT, async |mut client| {
            let tx = client.transaction().await.unwrap();
            tx.execute("insert into notes values ('lost')", &[]).await.unwrap();
            tx.execute("lock table notes in access exclusive mode", &[]).await.unwrap();
            tx.query(WAIT, &[]).await.unwrap();
        })
        .await;

    // Waits for the lock: it is given back without the next use of the connection.
    assert_eq!(harness.notes().await, 0);
    let next = harness.pool.get().await.unwrap();
    assert_ne!(pid(&next).await, old);
    harness.until_gone(old).await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_between_two_statements_leaves_a_connection_that_is_clean() {
    let harness = Harness::new(ConnectOptions::default()).await;
    let mut client = harness.pool.get().await.unwrap();
    let process = pid(&client).await;
    let tx = client.transaction().await.unwrap();
    tx.execute("insert into notes values ('lost')", &[]).await.unwrap();
    drop(tx);
    drop(client);

    let next = harness.pool.get().await.unwrap();
    assert_eq!(pid(&next).await, process, "the same one");
    let own = next.query_one("select pg_current_xact_id_if_assigned()::text", &[]).await.unwrap();
    assert_eq!(own.get::<_, Option<String>>(0), None, "it is in no transaction");
    assert_eq!(harness.notes().await, 0);
}

#[tokio::test]
async fn a_transaction_that_ends_leaves_its_connection_and_cancels_nothing() {
    let harness = Harness::new(ConnectOptions::default()).await;
    let mut client = harness.pool.get().await.unwrap();
    let process = pid(&client).await;
    for _ in 0..50 {
        let tx = client.transaction().await.unwrap();
        tx.execute("insert into notes values ('kept')", &[]).await.unwrap();
        tx.commit().await.unwrap();
        let tx = client.transaction().await.unwrap();
        tx.execute("insert into notes values ('lost')", &[]).await.unwrap();
        tx.rollback().await.unwrap();
        client.query_one("select count(*) from generate_series(1, 1000)", &[]).await.unwrap();
    }
    drop(client);

    let next = harness.pool.get().await.unwrap();
    assert_eq!(pid(&next).await, process, "the same one");
    assert_eq!(harness.notes().await, 50);
}

#[tokio::test]
async fn rows_that_are_not_read_to_their_end_cost_the_connection() {
    let harness = Harness::new(ConnectOptions::default()).await;
    let client = harness.pool.get().await.unwrap();
    let process = pid(&client).await;
    let none: [i32; 0] = [];
    let mut rows = client.query_raw("select generate_series(1, 3)", none).await.unwrap();
    let read = async |rows: &mut crate::postgres::Rows<'_>| rows.next().await.map(Result::unwrap);
    for number in 1..=3 {
        assert_eq!(read(&mut rows).await.unwrap().get::<_, i32>(0), number);
    }
    assert!(read(&mut rows).await.is_none());
    drop(rows);
    drop(client);
    let client = harness.pool.get().await.unwrap();
    assert_eq!(pid(&client).await, process, "they were read to the end");

    let mut rows = client.query_raw("select generate_series(1, 3)", none).await.unwrap();
    assert_eq!(read(&mut rows).await.unwrap().get::<_, i32>(0), 1);
    drop(rows);
    drop(client);

    assert_ne!(pid(&harness.pool.get().await.unwrap()).await, process);
    harness.until_gone(process).await;
}

#[tokio::test]
async fn an_error_of_the_server_leaves_a_connection_that_is_used_again() {
    let harness = Harness::new(ConnectOptions::default()).await;
    let client = harness.pool.get().await.unwrap();
    let process = pid(&client).await;
    assert!(client.query_one("select 1 / 0", &[]).await.is_err());
    drop(client);

    assert_eq!(pid(&harness.pool.get().await.unwrap()).await, process);
}

/// A key whose commit waits for a standby must not be seen before.
#[tokio::test]
async fn a_statement_of_the_keyring_goes_on_and_its_connection_is_used_no_more() {
    const WRITE: &str = "insert into notes select 'kept' from pg_advisory_xact_lock(7)";
    let harness = Harness::new(ConnectOptions::keyring()).await;
    let old = harness
        .give_up(WRITE, async |client| assert_eq!(client.execute(WRITE, &[]).await.unwrap(), 1))
        .await;

    assert_ne!(pid(&harness.pool.get().await.unwrap()).await, old);
    harness.admin.execute("select pg_advisory_unlock(7)", &[]).await.unwrap();

    until("the statement has ended", async || (harness.notes().await == 1).then_some(())).await;
    harness.until_gone(old).await;
}
