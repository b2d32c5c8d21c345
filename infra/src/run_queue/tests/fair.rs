//! What one workspace, or one account, asks for does not keep others from beginning.

use super::reads::forget_all_but_statistics;
use super::*;
use crate::postgres::connect_one;

/// All that a node has left are the slots that it keeps.
const KEPT: FreeSlots = FreeSlots { most: 8, are_kept: true };

fn by(requester: u128, task: NewTask) -> NewTask {
    NewTask { requester: Some(account(requester)), ..task }
}

fn runs(tasks: &[Task]) -> Vec<u128> {
    tasks.iter().map(|task| task.run.0.as_u128()).collect()
}

#[tokio::test]
async fn an_account_has_no_more_at_work_than_it_may_in_all_its_workspaces() {
    let given = given(LEASE).await;
    let limits = RunLimits { per_account: 3, ..WIDE };
    given.put((0..4).map(|run| by(9, task(1, run, 10 + run)))).await;
    given.put((0..4).map(|run| by(9, task(2, run, 20 + run)))).await;
    given.put([task(3, 30, 40)]).await;

    let first = given.claim(ONE, 9, limits).await;
    assert_eq!(runs(&first), [10, 40, 11, 12]);
    assert_eq!(given.claimed(9, limits).await, []);
    given.queue.finish(first[0].run, first[0].lease).await.unwrap();
    assert_eq!(given.claimed(9, limits).await, [13]);
}

#[tokio::test]
async fn a_task_of_nobody_known_counts_for_no_account() {
    let given = given(LEASE).await;
    let limits = RunLimits { per_account: 1, ..WIDE };
    given.put((0..3).map(|run| NewTask { requester: None, ..task(1, run, 10 + run) })).await;

    assert_eq!(given.claimed(9, limits).await, [10, 11, 12]);
}

#[tokio::test]
async fn the_account_with_the_fewest_at_work_is_next_in_whatever_workspaces() {
    let given = given(LEASE).await;
    given.put((1..=3).map(|workspace| by(9, task(workspace, 7, 10 + workspace)))).await;
    given.put([by(8, task(4, 7, 20)), by(8, task(4, 7, 21))]).await;

    assert_eq!(given.claimed(9, WIDE).await, [11, 20, 12, 21, 13]);
}

#[tokio::test]
async fn nobody_waits_behind_an_account_that_may_have_no_more_at_work() {
    let given = given(LEASE).await;
    let limits = RunLimits { per_account: 2, ..WIDE };
    given.put((0..2).map(|run| by(9, task(2, 6, 1 + run)))).await;
    assert_eq!(given.claimed(9, limits).await, [1, 2]);

    given.put((0..40).map(|run| by(9, task(1, 7, 100 + run)))).await;
    given.put([by(8, task(1, 7, 500))]).await;

    assert_eq!(given.claimed(9, limits).await, [500]);
}

#[tokio::test]
async fn the_kept_slots_are_for_workspaces_and_accounts_that_have_nothing_at_work() {
    let given = given(LEASE).await;
    given.put((0..3).map(|run| task(1, 7, 10 + run))).await;
    assert_eq!(given.claimed(1, WIDE).await, [10]);
    given.put([task(2, 8, 20), task(2, 8, 21), by(1, task(3, 9, 30))]).await;

    let first = given.claim_for(ONE, KEPT, WIDE).await;
    assert_eq!(runs(&first), [20]);
    assert_eq!(runs(&given.claim_for(ONE, KEPT, WIDE).await), []);
    given.queue.lose(first[0].run, first[0].lease, Duration::ZERO).await.unwrap();
    assert_eq!(runs(&given.claim_for(ONE, KEPT, WIDE).await), [21], "what is lost waits");
    assert_eq!(given.claimed(9, WIDE).await, [11, 12, 30, 20]);
}

#[tokio::test]
async fn whoever_has_nothing_at_work_is_found_behind_colleagues_who_have() {
    let given = given(LEASE).await;
    given.put([by(9, task(2, 6, 1))]).await;
    assert_eq!(given.claimed(9, WIDE).await, [1]);
    given.put((0..40).map(|run| by(9, task(1, 7, 100 + run)))).await;
    given.put([by(8, task(1, 7, 500))]).await;

    assert_eq!(runs(&given.claim_for(ONE, KEPT, WIDE).await), [500]);
}

#[tokio::test]
async fn what_was_begun_or_is_cancelled_is_taken_for_kept_slots_too() {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    assert_eq!(given.claimed(1, WIDE).await, [10]);
    given.put([task(1, 7, 11)]).await;
    given.cancel(11).await;

    assert_eq!(runs(&given.claim_for(OTHER, KEPT, WIDE).await), [10, 11]);
}

#[tokio::test]
async fn what_waits_of_a_workspace_is_counted_as_far_as_it_matters() {
    let given = given(LEASE).await;
    given.put((0..5).map(|run| task(1, 7, 10 + run))).await;
    given.put([task(2, 7, 20)]).await;
    given.claim(ONE, 1, WIDE).await;
    let paused = "update working.run_tasks set state = 'paused' where run_id = $1";
    let client = given.pool.get().await.unwrap();
    client.execute(paused, &[&Uuid::from_u128(14)]).await.unwrap();
    let workspace = WorkspaceId(Uuid::from_u128(1));

    assert_eq!(given.queue.count_waiting(workspace, 100).await.unwrap(), 4);
    assert_eq!(given.queue.count_waiting(workspace, 2).await.unwrap(), 3);
}

/// So many tasks of three workspaces, each with two servers and four accounts, in no order of their age.
const QUEUED: &str = "insert into working.run_tasks
    (run_id, server_id, attempt, workspace_id, state, queued_at, requester_id)
    select gen_random_uuid(), md5(format('server %s', n % 6))::uuid, 1,
      md5(format('workspace %s', n % 3))::uuid, 'queued', now() - random() * interval '1 hour',
      md5(format('account %s', n % 12))::uuid
    from generate_series(1, $1::int) n";
/// Each of the accounts has 20 at work, each of them elsewhere.
const AT_WORK: &str = "insert into working.run_tasks
    (run_id, server_id, attempt, workspace_id, state, queued_at, requester_id, node, lease_until)
    select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'running', now(),
      md5(format('account %s', n % 12))::uuid, gen_random_uuid(), now() + interval '1 hour'
    from generate_series(1, 240) n";

/// How many tasks a claim takes, and how many blocks it reads. Its plans are made anew, and nothing is changed.
async fn blocks_of_claim(given: &Harness, newcomers: bool) -> (i64, i64) {
    let claim = format!(
        "select count((task).run_id) from working.claim_run_tasks_fair(
        '{ONE}', 8, 3600, 4, 20, 20, {newcomers}, '{nobody}', '{nobody}')",
        nobody = Uuid::nil()
    );
    let unlimited = ConnectOptions::unlimited();
    let client = connect_one(&given.databases.log_url, &unlimited).await.unwrap();
    client.batch_execute("begin").await.unwrap();
    let claimed = client.query_one(&claim, &[]).await.unwrap().get(0);
    client.batch_execute("rollback; begin").await.unwrap();
    let explain = format!("explain (analyze, buffers, timing off, summary off) {claim}");
    let lines = client.query(&explain, &[]).await.unwrap();
    client.batch_execute("rollback").await.unwrap();
    let mut lines = lines.iter().map(|line| line.get::<_, String>(0));
    let buffers = lines.find(|line| line.contains("Buffers:")).unwrap();
    let counts = buffers.split_whitespace().filter_map(|word| {
        let count = word.strip_prefix("hit=").or_else(|| word.strip_prefix("read="))?;
        count.trim_end_matches(',').parse::<i64>().ok()
    });
    (claimed, counts.sum())
}

/// The statistics are of a time when all were lost, and there were 200.
async fn given_old_statistics() -> (Harness, tokio_postgres::Client) {
    let given = given(LEASE).await;
    reads::fill(&given, 200, 3).await;
    let lost = "update working.run_tasks set state = 'lost'";
    given.pool.get().await.unwrap().execute(lost, &[]).await.unwrap();
    let owner = forget_all_but_statistics(&given).await;
    (given, owner)
}

#[tokio::test]
async fn a_claim_reads_no_more_blocks_of_a_long_queue_than_of_a_short_one() {
    let (given, owner) = given_old_statistics().await;
    owner.execute(QUEUED, &[&300_i32]).await.unwrap();
    let (claimed, short) = blocks_of_claim(&given, false).await;
    assert_eq!(claimed, 8);

    owner.execute(QUEUED, &[&29_700_i32]).await.unwrap();

    let (claimed, long) = blocks_of_claim(&given, false).await;
    assert_eq!(claimed, 8);
    assert!(long < short + 1000, "{short} blocks of 300 tasks, {long} of 30,000");
}

#[tokio::test]
async fn nor_does_one_that_finds_every_account_at_its_limit() {
    let (given, owner) = given_old_statistics().await;
    owner.execute(AT_WORK, &[]).await.unwrap();
    owner.execute(QUEUED, &[&300_i32]).await.unwrap();
    let short = [blocks_of_claim(&given, false).await, blocks_of_claim(&given, true).await];

    owner.execute(QUEUED, &[&29_700_i32]).await.unwrap();

    let long = [blocks_of_claim(&given, false).await, blocks_of_claim(&given, true).await];
    for ((of_short, short), (of_long, long)) in short.into_iter().zip(long) {
        assert_eq!((of_short, of_long), (0, 0), "nothing can be taken");
        assert!(long < short + 1000, "{short} blocks of 300 tasks, {long} of 30,000");
    }
}
