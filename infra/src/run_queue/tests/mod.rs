mod fair;
mod given_up;
mod kills;
mod left;
mod leftovers;
mod paused;
mod reads;
mod rounds;
mod secrets;
mod unseen;

use super::*;
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

const LEASE: Duration = Duration::from_mins(1);
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
/// Where starts are sent to.
const PLACE: &[u8] = b"here";
const WIDE: RunLimits =
    RunLimits { per_server: 100, per_workspace: 100, per_account: 100, per_node: 100 };

struct Harness {
    databases: Databases,
    pool: Pool,
    queue: RunQueue,
}

async fn given(lease: Duration) -> Harness {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let queue = RunQueue::new(pool.clone(), lease);
    Harness { databases, pool, queue }
}

fn account(id: u128) -> AccountId {
    AccountId(Uuid::from_u128(id))
}

/// Number `run` of a workspace, on a server; a later number is younger. Each workspace has one account.
fn task(workspace: u128, server: u128, run: u128) -> NewTask {
    NewTask {
        run: RunId(Uuid::from_u128(run)),
        server: ServerId(Uuid::from_u128(server)),
        attempt: 1,
        workspace: WorkspaceId(Uuid::from_u128(workspace)),
        requester: Some(account(workspace)),
        queued_at: DateTime::from_timestamp(i64::try_from(run).unwrap(), 0).unwrap(),
        deployment: None,
        secrets: None,
        timeout_seconds: 60,
    }
}

impl Harness {
    /// The state of each task.
    async fn states(&self) -> Vec<String> {
        let states = "select state from working.run_tasks";
        let rows = self.pool.get().await.unwrap().query(states, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn put(&self, tasks: impl IntoIterator<Item = NewTask>) {
        for task in tasks {
            let mut client = self.pool.get().await.unwrap();
            let tx = client.transaction().await.unwrap();
            self.queue.put(&tx, &task).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    async fn cancel(&self, run: u128) {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let (run, server) = (RunId(Uuid::from_u128(run)), ServerId(Uuid::from_u128(7)));
        self.queue.cancel(&tx, run, server, 1).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn claim(&self, node: Uuid, most: u32, limits: RunLimits) -> Vec<Task> {
        self.claim_for(node, FreeSlots { most, are_kept: false }, limits).await
    }

    async fn claim_for(&self, node: Uuid, slots: FreeSlots, limits: RunLimits) -> Vec<Task> {
        self.queue.claim(node, slots, limits, &mut ClaimRound::default()).await.unwrap()
    }

    async fn claimed(&self, most: u32, limits: RunLimits) -> Vec<u128> {
        let taken = self.claim(ONE, most, limits).await;
        taken.iter().map(|task| task.run.0.as_u128()).collect()
    }

    async fn renewed(&self, node: Uuid, task: &Task) -> Vec<RenewedTask> {
        let held = HeldTask { run: task.run, lease: task.lease, reached: true };
        self.queue.renew(node, &[held]).await.unwrap()
    }
}

#[tokio::test]
async fn the_workspace_with_the_fewest_at_work_is_next_and_its_oldest_first() {
    let given = given(LEASE).await;
    given.put((0..6).map(|run| task(1, run, 10 + run))).await;
    given.put([task(2, 20, 30), task(2, 21, 31), task(3, 22, 40)]).await;

    assert_eq!(given.claimed(3, WIDE).await, [10, 30, 40]);
    assert_eq!(given.claimed(3, WIDE).await, [11, 31, 12]);
    assert_eq!(given.claimed(9, WIDE).await, [13, 14, 15]);
    assert_eq!(given.claimed(9, WIDE).await, []);
}

#[tokio::test]
async fn a_task_of_an_erased_workspace_is_not_queued() {
    let given = given(LEASE).await;
    let fence = "select event_log.fence($1, '{}')";
    let client = given.pool.get().await.unwrap();
    client.execute(fence, &[&Uuid::from_u128(1)]).await.unwrap();

    given.put([task(1, 0, 10), task(2, 1, 11)]).await;

    assert_eq!(given.claimed(9, WIDE).await, [11]);
}

#[tokio::test]
async fn no_more_are_taken_than_a_server_and_a_workspace_may_have() {
    let given = given(LEASE).await;
    given.put((0..5).map(|run| task(1, 7, 10 + run))).await;
    given.put([task(1, 8, 20), task(2, 9, 30)]).await;
    let limits = RunLimits { per_server: 2, per_workspace: 3, ..WIDE };

    assert_eq!(given.claimed(9, limits).await, [10, 30, 11, 20]);
    assert_eq!(given.claimed(9, limits).await, []);
}

#[tokio::test]
async fn a_deployment_waits_for_another_run_of_it_on_its_server() {
    let given = given(LEASE).await;
    let deployment = Some(DeploymentId(Uuid::from_u128(5)));
    let deploys = |server, run| NewTask { deployment, ..task(1, server, run) };
    given.put([deploys(7, 10), deploys(7, 11), task(1, 7, 12), deploys(8, 13)]).await;

    let first = given.claim(ONE, 9, WIDE).await;
    let runs: Vec<u128> = first.iter().map(|task| task.run.0.as_u128()).collect();
    assert_eq!(runs, [10, 12, 13]);
    given.queue.lose(first[0].run, first[0].lease, LEASE).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, []);
    given.queue.finish(first[0].run, first[0].lease).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, [11]);
}

#[tokio::test]
async fn a_long_queue_for_a_full_server_does_not_keep_the_others_of_its_workspace() {
    let given = given(LEASE).await;
    let deployment = Some(DeploymentId(Uuid::from_u128(5)));
    let limits = RunLimits { per_server: 1, per_workspace: 9, ..WIDE };
    given.put((0..40).map(|run| task(1, 7, 100 + run))).await;
    assert_eq!(given.claimed(9, limits).await, [100]);
    given.put([task(1, 8, 200), task(1, 9, 201)]).await;

    assert_eq!(given.claimed(9, limits).await, [200, 201]);

    given.put((0..40).map(|run| NewTask { deployment, ..task(1, 6, 300 + run) })).await;
    given.put([task(1, 6, 400)]).await;
    let limits = RunLimits { per_server: 2, ..limits };
    assert_eq!(given.claimed(9, limits).await, [101]);
    assert_eq!(given.claimed(9, limits).await, [300, 400]);
}

#[tokio::test]
async fn the_tasks_of_a_node_that_died_are_anothers_under_a_higher_fence() {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    let limits = RunLimits { per_server: 1, per_workspace: 1, ..WIDE };
    let first = given.claim(ONE, 1, limits).await.remove(0);
    assert!(given.queue.launch(first.run, first.lease, PLACE).await.unwrap());
    let left = given.queue.begin(first.run, first.lease).await.unwrap().unwrap();
    assert!(left > Duration::from_secs(55), "{left:?}");

    let second = given.claim(OTHER, 1, limits).await.remove(0);

    assert_eq!((first.lease.fence, second.lease.fence), (1, 2));
    assert!(!first.launched && second.launched && second.left.is_some());
    assert_eq!(given.renewed(ONE, &first).await, []);
    assert!(!given.queue.launch(first.run, first.lease, PLACE).await.unwrap());
    assert_eq!(given.queue.begin(first.run, first.lease).await.unwrap(), None);
    assert_eq!(given.renewed(OTHER, &second).await.len(), 1);
    given.queue.finish(first.run, first.lease).await.unwrap();
    assert_eq!(given.renewed(OTHER, &second).await.len(), 1);
}

/// A task that one node has claimed twice, so that only the fence tells the leases apart.
async fn claimed_twice() -> (Harness, Task, Task) {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    let stale = given.claim(ONE, 1, WIDE).await.remove(0);
    let present = given.claim(ONE, 1, WIDE).await.remove(0);
    assert_eq!((stale.lease.fence, present.lease.fence), (1, 2));
    (given, stale, present)
}

#[tokio::test]
async fn a_stale_fence_renews_nothing() {
    let (given, stale, present) = claimed_twice().await;

    assert_eq!(given.renewed(ONE, &stale).await, []);
    assert_eq!(given.renewed(ONE, &present).await.len(), 1);
}

#[tokio::test]
async fn a_stale_fence_launches_and_begins_nothing() {
    let (given, stale, present) = claimed_twice().await;

    assert!(!given.queue.launch(stale.run, stale.lease, PLACE).await.unwrap());
    assert_eq!(given.queue.begin(stale.run, stale.lease).await.unwrap(), None);
    assert!(given.queue.begin(present.run, present.lease).await.unwrap().is_some());
}

#[tokio::test]
async fn a_stale_fence_loses_nothing() {
    let (given, stale, present) = claimed_twice().await;

    assert!(!given.queue.lose(stale.run, stale.lease, LEASE).await.unwrap());
    assert!(given.queue.lose(present.run, present.lease, LEASE).await.unwrap());
}

#[tokio::test]
async fn a_stale_fence_finishes_nothing() {
    let (given, stale, present) = claimed_twice().await;

    given.queue.finish(stale.run, stale.lease).await.unwrap();

    assert_eq!(given.states().await, ["running"]);
    given.queue.finish(present.run, present.lease).await.unwrap();
    assert_eq!(given.states().await, [""; 0]);
}

#[tokio::test]
async fn a_renewed_task_stays_and_what_is_handed_over_goes_at_once() {
    let given = given(LEASE).await;
    assert_eq!(given.queue.lease(), LEASE);
    given.put([task(1, 7, 10)]).await;
    let first = given.claim(ONE, 1, WIDE).await.remove(0);
    assert!(given.claim(OTHER, 1, WIDE).await.is_empty());

    assert_eq!(given.queue.hand_over(ONE).await.unwrap(), 1);

    assert_eq!(given.renewed(ONE, &first).await, []);
    assert_eq!(given.claim(OTHER, 1, WIDE).await.remove(0).lease.fence, 2);
}

#[tokio::test]
async fn a_worker_finds_out_that_its_task_is_cancelled_and_a_queued_one_does_not_wait() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10), task(1, 7, 11)]).await;
    let limits = RunLimits { per_server: 1, per_workspace: 1, ..WIDE };
    let first = given.claim(ONE, 9, limits).await.remove(0);
    assert!(!given.renewed(ONE, &first).await[0].cancel);

    given.cancel(10).await;
    given.cancel(11).await;

    assert!(given.renewed(ONE, &first).await[0].cancel);
    let second = given.claim(ONE, 9, limits).await;
    assert_eq!((second.len(), second[0].cancel), (1, true));
}

#[tokio::test]
async fn what_is_lost_is_looked_for_again_until_another_attempt_is_asked_for() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let first = given.claim(ONE, 1, WIDE).await.remove(0);
    assert!(given.queue.lose(first.run, first.lease, LEASE).await.unwrap());
    assert_eq!(given.claimed(1, WIDE).await, []);
    assert!(given.queue.lose(first.run, first.lease, Duration::ZERO).await.unwrap());

    let again = given.claim(ONE, 1, WIDE).await.remove(0);
    assert!(again.lost.is_some() && again.lease.fence == 2);
    given.queue.begin(again.run, again.lease).await.unwrap();
    assert_eq!(given.states().await, ["running"]);

    given.put([NewTask { attempt: 2, ..task(1, 7, 10) }]).await;
    assert_eq!(given.renewed(ONE, &again).await, []);
    assert_eq!(given.claim(ONE, 9, WIDE).await[0].lease.attempt, 2);
}

#[tokio::test]
async fn after_a_restore_of_the_log_all_of_many_tasks_are_lost() {
    let given = given(LEASE).await;
    reads::fill(&given, 2500, 5).await;
    assert_eq!(given.queue.lose_all().await.unwrap(), 2500);
    assert_eq!(given.queue.lose_all().await.unwrap(), 0);
}

#[tokio::test]
async fn how_long_a_server_has_not_answered_is_counted_over_all_leases() {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    let mut taken = given.claim(ONE, 1, WIDE).await.remove(0);
    assert!(taken.unseen < LEASE, "{:?}", taken.unseen);
    for reached in [false, true] {
        let hour = "update working.run_tasks set seen_at = clock_timestamp() - interval '1 hour'";
        given.pool.get().await.unwrap().batch_execute(hour).await.unwrap();
        let held = HeldTask { run: taken.run, lease: taken.lease, reached };
        assert_eq!(given.queue.renew(ONE, &[held]).await.unwrap().len(), 1);

        taken = given.claim(ONE, 1, WIDE).await.remove(0);

        assert_eq!(taken.unseen < LEASE, reached, "{:?}", taken.unseen);
    }
}
