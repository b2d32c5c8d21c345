//! What a claim reads, and which leases it believes.

use super::*;
use crate::postgres::connect_one;

/// Filled by SQL: so many tasks of so many workspaces, each on one of its two servers.
pub(super) async fn fill(given: &Harness, tasks: i32, workspaces: i32) {
    let fill = "insert into working.run_tasks \
        (run_id, server_id, attempt, workspace_id, state, queued_at) \
        select gen_random_uuid(), md5(format('server %s', n % (2 * $2)))::uuid, 1, \
          md5(format('workspace %s', n % $2))::uuid, 'queued', now() + n * interval '1 ms' \
        from generate_series(1, $1) n";
    given.pool.get().await.unwrap().execute(fill, &[&tasks, &workspaces]).await.unwrap();
}

/// How many rows of the queue a claim reads that finds tasks.
async fn read_by_claim(given: &Harness) -> i64 {
    let read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables \
        where relname = 'run_tasks'";
    let claim = "select count((task).run_id)
        from working.claim_run_tasks_fair($1, 8, 60, 4, 20, 20, false, $2, $2)";
    let mut client = given.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let before: i64 = tx.query_one(read, &[]).await.unwrap().get(0);
    let claimed: i64 = tx.query_one(claim, &[&ONE, &Uuid::nil()]).await.unwrap().get(0);
    assert_eq!(claimed, 8);
    tx.query_one(read, &[]).await.unwrap().get::<_, i64>(0) - before
}

#[tokio::test]
async fn a_claim_does_not_read_the_queue() {
    let given = given(LEASE).await;
    fill(&given, 200, 3).await;
    let short = read_by_claim(&given).await;

    fill(&given, 20_000, 3).await;
    let long = read_by_claim(&given).await;
    fill(&given, 20_000, 5_000).await;
    let many = read_by_claim(&given).await;

    assert!(long <= short + 100, "{short} rows of a short queue, {long} of a long one");
    assert!(many < 10_000, "{many} rows where many workspaces wait");
}

/// What the statistics say of the queue is of another time: they are of what it holds now, and it is emptied.
pub(super) async fn forget_all_but_statistics(given: &Harness) -> tokio_postgres::Client {
    let unlimited = ConnectOptions::unlimited();
    let owner = connect_one(&given.databases.log_url, &unlimited).await.unwrap();
    let forget = "alter table working.run_tasks set (autovacuum_enabled = off);
        analyze working.run_tasks; truncate working.run_tasks";
    owner.batch_execute(forget).await.unwrap();
    owner
}

/// After a restore of the log all are lost at once; half of them were looked for in vain since.
#[tokio::test]
async fn a_claim_does_not_read_what_is_lost() {
    let given = given(LEASE).await;
    fill(&given, 200, 3).await;
    let short = read_by_claim(&given).await;
    let owner = forget_all_but_statistics(&given).await;
    let lost = "insert into working.run_tasks
          (run_id, server_id, attempt, workspace_id, state, queued_at, next_at)
        select gen_random_uuid(), md5(format('server %s', n % 6))::uuid, 1,
          md5(format('workspace %s', n % 3))::uuid, 'lost', now(),
          case n % 2 when 0 then now() + interval '1 hour' end
        from generate_series(1, 300000) n";
    owner.batch_execute(lost).await.unwrap();

    let lost = read_by_claim(&given).await;
    fill(&given, 200, 3).await;
    let queued = read_by_claim(&given).await;

    assert!(lost <= short, "{short} rows of a short queue, {lost} where 300,000 are lost");
    assert!(queued <= short + 100, "{short} and {queued}, where others are lost");
}

#[tokio::test]
async fn a_claim_does_not_read_a_queue_that_the_statistics_do_not_know() {
    let given = given(LEASE).await;
    fill(&given, 200, 3).await;
    let lost = "update working.run_tasks set state = 'lost'";
    given.pool.get().await.unwrap().execute(lost, &[]).await.unwrap();
    forget_all_but_statistics(&given).await;

    fill(&given, 20_000, 2_000).await;

    let read = read_by_claim(&given).await;
    assert!(read < 10_000, "{read} rows");
}

/// The clock of a server that failed ran hours ahead.
#[tokio::test]
async fn a_lease_that_ends_far_later_than_its_length_is_over() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10), task(1, 8, 11)]).await;
    given.claim(ONE, 9, WIDE).await;
    let ahead = "update working.run_tasks set lease_until = clock_timestamp() + interval '1 hour'
        where server_id = $1";
    let server = Uuid::from_u128(7);
    given.pool.get().await.unwrap().execute(ahead, &[&server]).await.unwrap();

    let again = given.claim(OTHER, 9, WIDE).await;

    let runs: Vec<u128> = again.iter().map(|task| task.run.0.as_u128()).collect();
    assert_eq!(runs, [10]);
    assert_eq!(given.claimed(9, WIDE).await, []);
}
