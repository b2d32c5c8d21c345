//! Tasks of a workspace whose deletion is requested.

use super::*;

/// A claimed task of a workspace with so many others that wait.
async fn given_one_of(tasks: u128) -> (Harness, Task) {
    let given = given(LEASE).await;
    given.put((0..tasks).map(|run| task(1, 7, 10 + run))).await;
    let first = given.claim(ONE, 1, WIDE).await.remove(0);
    (given, first)
}

#[tokio::test]
async fn what_is_set_aside_is_claimed_once_it_is_resumed_and_keeps_its_order() {
    let (given, first) = given_one_of(3).await;
    given.put([task(2, 8, 20)]).await;

    given.queue.set_aside(first.run, first.lease).await.unwrap();

    assert_eq!(given.renewed(ONE, &first).await, []);
    assert_eq!(given.queue.paused(None, 9).await.unwrap(), [WorkspaceId(Uuid::from_u128(1))]);
    assert_eq!(given.claimed(9, WIDE).await, [20]);
    given.put([task(1, 7, 13)]).await;
    assert_eq!(given.claimed(9, WIDE).await, [13], "a later one is set aside by whoever claims it");
    assert_eq!(given.queue.resume(first.workspace).await.unwrap(), 3);
    assert_eq!(given.queue.paused(None, 9).await.unwrap(), []);
    assert_eq!(given.claimed(9, WIDE).await, [10, 11, 12]);
}

#[tokio::test]
async fn a_task_that_was_launched_or_belongs_to_another_is_not_set_aside() {
    let (given, first) = given_one_of(2).await;
    let stale = TaskLease { fence: first.lease.fence + 1, ..first.lease };
    given.queue.set_aside(first.run, stale).await.unwrap();
    assert!(given.queue.launch(first.run, first.lease, PLACE).await.unwrap());
    given.queue.set_aside(first.run, first.lease).await.unwrap();

    let mut states = given.states().await;
    states.sort();
    assert_eq!(states, ["queued", "running"]);
    assert_eq!(given.claimed(9, WIDE).await, [11], "what was launched is looked at later");
    given.cancel(10).await;
    assert_eq!(given.claimed(9, WIDE).await, [10]);
}

#[tokio::test]
async fn what_an_older_node_cancels_while_it_is_set_aside_is_queued() {
    let (given, first) = given_one_of(2).await;
    given.queue.set_aside(first.run, first.lease).await.unwrap();
    let cancel = "update working.run_tasks set cancel = true where run_id = $1";
    given.pool.get().await.unwrap().execute(cancel, &[&first.run.0]).await.unwrap();

    assert_eq!(given.queue.resume_cancelled(first.workspace).await.unwrap(), 1);

    let mut states = given.states().await;
    states.sort();
    assert_eq!(states, ["paused", "queued"]);
}

#[tokio::test]
async fn what_is_cancelled_does_not_stay_set_aside() {
    let (given, first) = given_one_of(3).await;
    given.cancel(10).await;
    given.queue.set_aside(first.run, first.lease).await.unwrap();
    given.cancel(11).await;

    let taken = given.claim(ONE, 9, WIDE).await;

    let taken: Vec<_> = taken.iter().map(|task| (task.run.0.as_u128(), task.cancel)).collect();
    assert_eq!(taken, [(10, true), (11, true)]);
    let mut client = given.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let (run, server) = (RunId(Uuid::from_u128(12)), ServerId(Uuid::from_u128(7)));
    given.queue.delete_queued(&tx, run, server, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(given.states().await, ["running", "running"]);
}

#[tokio::test]
async fn after_a_restore_of_the_log_what_was_set_aside_is_lost_as_well() {
    let (given, first) = given_one_of(2).await;
    given.queue.set_aside(first.run, first.lease).await.unwrap();

    assert_eq!(given.queue.lose_all().await.unwrap(), 2);
    assert_eq!(given.states().await, ["lost", "lost"]);
}

#[tokio::test]
async fn a_workspace_that_ends_has_what_may_run_on_its_servers_ended_and_nothing_else() {
    let (given, first) = given_one_of(2).await;
    let lost = given.claim(ONE, 1, WIDE).await.remove(0);
    given.queue.lose(lost.run, lost.lease, LEASE).await.unwrap();
    given.put([NewTask { attempt: 2, ..task(1, 7, 20) }, task(1, 7, 21), task(2, 8, 30)]).await;
    let begun = async || given.queue.begun(first.workspace, None, 9).await.unwrap();
    let ids = |begun: Vec<BegunTask>| -> Vec<_> {
        begun.iter().map(|task| (task.run.0.as_u128(), task.launched)).collect()
    };

    assert_eq!(given.queue.end_of_workspace(first.workspace).await.unwrap(), 3);
    assert_eq!(given.queue.end_of_workspace(first.workspace).await.unwrap(), 0);

    assert_eq!(ids(begun().await), [(10, false), (11, false), (20, true)]);
    let taken = given.claim(OTHER, 2, WIDE).await;
    let taken: Vec<_> = taken.iter().map(|task| (task.run.0.as_u128(), task.cancel)).collect();
    assert_eq!(taken, [(20, true), (30, false)], "before those that wait, and without limits");
    let found = given.claim(OTHER, 2, WIDE).await;
    assert!(found.iter().any(|task| task.run.0.as_u128() == 11 && task.cancel), "{found:?}");
}
