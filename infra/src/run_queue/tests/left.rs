//! Lost attempts that were left: superseded, or looked for in vain.

use std::collections::BTreeSet;

use super::*;

impl Harness {
    /// A task of which a start was sent to its server.
    async fn launched(&self) -> Task {
        let task = self.claim(ONE, 1, WIDE).await.remove(0);
        assert!(self.queue.launch(task.run, task.lease, PLACE).await.unwrap());
        task
    }

    async fn text(&self, sql: &str) -> String {
        self.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn execute(&self, sql: &str) {
        self.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn what_may_run_is_listed_though_nobody_looks_for_it_soon() {
    let given = given(LEASE).await;
    let deploys = |run, attempt| {
        let deployment = Some(DeploymentId(Uuid::from_u128(run)));
        NewTask { attempt, deployment, ..task(1, 7, run) }
    };
    let workspace = WorkspaceId(Uuid::from_u128(1));
    let launched = async || {
        let task = given.claim(ONE, 1, WIDE).await.remove(0);
        given.queue.launch(task.run, task.lease, PLACE).await.unwrap();
        given.queue.lose(task.run, task.lease, LEASE).await.unwrap();
        task
    };
    given.put([deploys(10, 1)]).await;
    launched().await;
    given.put([deploys(10, 2)]).await;
    let second = given.claim(ONE, 1, WIDE).await.remove(0);
    assert_eq!(second.lease.attempt, 2, "it does not wait for the one that it supersedes");
    given.queue.finish(second.run, second.lease).await.unwrap();
    given.put([deploys(11, 1)]).await;
    let other = launched().await;
    given.queue.leave(other.run, other.lease).await.unwrap();

    let begun = given.queue.begun(workspace, None, 9).await.unwrap();
    let begun: Vec<_> = begun.iter().map(|it| (it.run.0.as_u128(), it.launched)).collect();
    assert_eq!(begun, [(10, true), (11, true)]);
    given.put([deploys(12, 1)]).await;
    assert_eq!(given.claimed(9, WIDE).await, [12], "nor does another deployment");
    assert_eq!(given.queue.end_of_workspace(workspace).await.unwrap(), 3);
    let found = given.claim(OTHER, 9, WIDE).await;
    let found: Vec<_> = found.iter().map(|it| (it.run.0.as_u128(), it.cancel)).collect();
    assert_eq!(found, [(10, true), (11, true)]);
}

#[tokio::test]
async fn a_lost_task_that_is_cancelled_is_looked_for_at_once() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let task = given.launched().await;
    given.queue.lose(task.run, task.lease, LEASE).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, [], "it was just looked for");

    given.cancel(10).await;

    let again = given.claim(OTHER, 9, WIDE).await;
    let again: Vec<_> = again.iter().map(|task| (task.cancel, task.lost.is_some())).collect();
    assert_eq!(again, [(true, true)]);
}

#[tokio::test]
async fn the_fence_of_a_superseded_attempt_is_over() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let old = given.launched().await;
    let row = "select t::text from working.run_tasks t where attempt = 1";

    given.put([NewTask { attempt: 2, ..task(1, 7, 10) }]).await;

    let superseded = given.text(row).await;
    let (queue, run, lease) = (&given.queue, old.run, old.lease);
    assert_eq!(given.renewed(ONE, &old).await, []);
    assert!(!queue.launch(run, lease, PLACE).await.unwrap());
    assert_eq!(queue.begin(run, lease).await.unwrap(), None);
    assert!(!queue.lose(run, lease, Duration::ZERO).await.unwrap());
    queue.leave(run, lease).await.unwrap();
    queue.set_aside(run, lease).await.unwrap();
    queue.finish(run, lease).await.unwrap();
    assert_eq!(given.text(row).await, superseded);
    assert_eq!(given.claimed(9, WIDE).await, [10], "the attempt after it");
}

#[tokio::test]
async fn a_left_attempt_is_looked_for_ever_more_seldom() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let left = given.launched().await;
    given.queue.lose(left.run, left.lease, LEASE).await.unwrap();
    given.queue.leave(left.run, left.lease).await.unwrap();
    let days = "select round(extract(epoch from next_at - clock_timestamp()) / 86400)::text
        from working.run_tasks";

    assert_eq!(given.text(days).await, "1");
    assert_eq!(given.claimed(9, WIDE).await, []);
    given
        .execute(
            "update working.run_tasks
            set next_at = clock_timestamp(), lost_at = clock_timestamp() - interval '3 days'",
        )
        .await;
    let again = given.claim(OTHER, 9, WIDE).await.remove(0);
    assert!(again.lost.is_some());
    given.queue.leave(again.run, again.lease).await.unwrap();
    assert_eq!(given.text(days).await, "3");
    given.put([NewTask { attempt: 2, ..task(1, 7, 10) }]).await;
    assert_eq!(
        given.text(&format!("{days} where attempt = 1")).await,
        "3",
        "superseded, it is not looked for sooner"
    );
}

#[tokio::test]
async fn what_may_run_is_listed_page_by_page() {
    let given = given(LEASE).await;
    given.put((0..5).map(|run| task(1, 7 + run % 2, 10 + run))).await;
    given.put([task(2, 7, 20)]).await;
    given.claim(ONE, 9, WIDE).await;
    let workspace = WorkspaceId(Uuid::from_u128(1));
    let (mut listed, mut after) = (Vec::new(), None);

    loop {
        let page = given.queue.begun(workspace, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.run, last.server));
        listed.extend(page.iter().map(|task| task.run.0.as_u128()));
    }

    assert_eq!(listed, [10, 11, 12, 13, 14]);
}

#[tokio::test]
async fn a_cancelled_attempt_that_is_left_stays_cancelled_and_is_ended_with_its_workspace() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let left = given.launched().await;
    given.execute("update working.run_tasks set cancel = true").await;

    given.queue.leave(left.run, left.lease).await.unwrap();

    let row = "select concat(cancel, round(extract(epoch from next_at - clock_timestamp()) / 3600))
        from working.run_tasks";
    assert_eq!(given.text(row).await, "t24");
    let workspace = WorkspaceId(Uuid::from_u128(1));
    assert_eq!(given.queue.end_of_workspace(workspace).await.unwrap(), 1);
    assert!(given.claim(OTHER, 9, WIDE).await.remove(0).cancel);
}

/// Of the one deployment of a server.
fn deploys(run: u128, attempt: u32) -> NewTask {
    let deployment = Some(DeploymentId(Uuid::from_u128(5)));
    NewTask { attempt, deployment, ..task(1, 7, run) }
}

fn attempts(tasks: &[Task]) -> Vec<(u128, u32)> {
    tasks.iter().map(|task| (task.run.0.as_u128(), task.lease.attempt)).collect()
}

/// A harness of which the first attempt at run 10 of the deployment was left.
async fn given_left() -> (Harness, Task) {
    let given = given(LEASE).await;
    given.put([deploys(10, 1)]).await;
    let left = given.launched().await;
    given.queue.lose(left.run, left.lease, LEASE).await.unwrap();
    given.queue.leave(left.run, left.lease).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, []);
    (given, left)
}

#[tokio::test]
async fn a_deployment_waits_while_an_earlier_run_of_it_may_be_at_work() {
    let (given, left) = given_left().await;
    let server = left.lease.server;

    given.put([deploys(11, 1)]).await;
    let found = given.claim(OTHER, 9, WIDE).await;
    assert_eq!(attempts(&found), [(10, 1)], "it is looked for at once");
    given.queue.leave(found[0].run, found[0].lease).await.unwrap();
    let minutes = "select round(extract(epoch from next_at - clock_timestamp()) / 60)::text
        from working.run_tasks where state = 'lost'";
    assert_eq!(given.text(minutes).await, "5", "and again soon");

    given.put([deploys(10, 2)]).await;
    let second = given.claim(ONE, 9, WIDE).await;
    assert_eq!(attempts(&second), [(10, 2)], "which ends the one that is lost");
    given.queue.finish(second[0].run, second[0].lease).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, [], "it did not come so far");

    assert!(given.queue.prove_gone(left.run, server, 1).await.unwrap());
    assert!(!given.queue.prove_gone(left.run, server, 1).await.unwrap());
    assert_eq!(attempts(&given.claim(ONE, 9, WIDE).await), [(11, 1)]);
    assert!(!given.queue.prove_gone(RunId(Uuid::from_u128(11)), server, 1).await.unwrap());
    assert_eq!(given.states().await, ["running"], "what is not lost stays");
}

#[tokio::test]
async fn a_later_attempt_is_found_behind_all_that_wait_for_the_earlier_one() {
    let (given, _) = given_left().await;
    given.put((11..51).map(|run| deploys(run, 1))).await;
    let queued_at = DateTime::from_timestamp(1000, 0).unwrap();
    given.put([NewTask { queued_at, ..deploys(10, 2) }]).await;

    assert_eq!(attempts(&given.claim(ONE, 9, WIDE).await), [(10, 2)]);
}

#[tokio::test]
async fn the_earlier_attempts_that_may_run_are_those_that_are_lost() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    given.launched().await;
    given.put([NewTask { attempt: 2, ..task(1, 7, 10) }]).await;
    let second = given.launched().await;
    given.put([NewTask { attempt: 3, ..task(1, 7, 10) }]).await;
    let third = given.launched().await;
    assert_eq!(third.lease.attempt, 3);
    let at = |attempt| EarlierAttempt { attempt, place: Some(PLACE.to_vec()) };
    let earlier = async || given.queue.earlier(third.run, third.lease).await.unwrap();
    assert_eq!(earlier().await, [at(2), at(1)]);

    let server = second.lease.server;
    assert!(given.queue.prove_gone(second.run, server, 2).await.unwrap());

    assert_eq!(earlier().await, [at(1)]);
    assert_eq!(given.queue.earlier(second.run, second.lease).await.unwrap(), [at(1)]);
}

#[tokio::test]
async fn a_task_keeps_the_place_that_its_first_start_was_sent_to() {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    let first = given.launched().await;
    assert_eq!(first.place, None);

    let second = given.claim(OTHER, 1, WIDE).await.remove(0);

    assert_eq!(second.place.as_deref(), Some(PLACE));
    assert!(given.queue.launch(second.run, second.lease, b"elsewhere").await.unwrap());
    let third = given.claim(ONE, 1, WIDE).await.remove(0);
    assert_eq!(third.place.as_deref(), Some(PLACE));
}

#[tokio::test]
async fn what_is_left_of_an_erased_workspace_is_looked_for_each_minute() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let left = given.launched().await;
    let fence = "select event_log.fence($1, '{}')";
    given.pool.get().await.unwrap().execute(fence, &[&left.workspace.0]).await.unwrap();

    given.queue.leave(left.run, left.lease).await.unwrap();

    let minutes = "select round(extract(epoch from next_at - clock_timestamp()) / 60)::text
        from working.run_tasks";
    assert_eq!(given.text(minutes).await, "1");
}

#[tokio::test]
async fn the_cancellation_of_an_attempt_is_over_when_another_one_is_asked_for() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    given.launched().await;
    given.cancel(10).await;

    given.put([NewTask { attempt: 2, ..task(1, 7, 10) }]).await;

    let cancelled = "select count(*)::text from working.run_tasks where cancel";
    assert_eq!(given.text(cancelled).await, "0");
}

#[tokio::test]
async fn a_server_keeps_what_runs_there_and_what_is_lost() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10), task(1, 7, 11), task(1, 8, 12), task(2, 7, 13)]).await;
    for taken in given.claim(ONE, 9, WIDE).await {
        if taken.run.0.as_u128() == 10 {
            given.queue.lose(taken.run, taken.lease, LEASE).await.unwrap();
        }
    }
    given.put([task(1, 7, 14)]).await;
    let (workspace, server) = (WorkspaceId(Uuid::from_u128(1)), ServerId(Uuid::from_u128(7)));

    let kept = given.queue.begun_on(workspace, server, 9).await.unwrap();

    let mut kept: Vec<_> = kept.iter().map(|(run, attempt)| (run.0.as_u128(), *attempt)).collect();
    kept.sort_unstable();
    assert_eq!(kept, [(10, 1), (11, 1)]);
}

#[tokio::test]
async fn of_what_may_be_at_work_on_a_server_no_more_is_listed_than_is_asked_for() {
    let given = given(LEASE).await;
    given.put((0..5).map(|run| task(1, 7, 10 + run))).await;
    given.put([task(1, 8, 20), task(2, 7, 30)]).await;
    given.claim(ONE, 9, WIDE).await;
    let (workspace, server) = (WorkspaceId(Uuid::from_u128(1)), ServerId(Uuid::from_u128(7)));

    let listed = async |limit| {
        let begun = given.queue.begun_on(workspace, server, limit).await.unwrap();
        begun.iter().map(|(run, _)| run.0.as_u128()).collect::<BTreeSet<_>>()
    };

    assert_eq!(listed(9).await, BTreeSet::from([10, 11, 12, 13, 14]));
    assert_eq!(listed(3).await.len(), 3);
}
