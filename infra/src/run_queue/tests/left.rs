//! Lost attempts that were left: superseded, or looked for in vain.

use super::*;

impl Harness {
    /// A task of which a start was sent to its server.
    async fn launched(&self) -> Task {
        let task = self.claim(ONE, 1, WIDE).await.remove(0);
        assert!(self.queue.launch(task.run, task.lease).await.unwrap());
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
    let deployment = Some(DeploymentId(Uuid::from_u128(5)));
    let deploys = |run, attempt| NewTask { attempt, deployment, ..task(1, 7, run) };
    let workspace = WorkspaceId(Uuid::from_u128(1));
    let launched = async || {
        let task = given.claim(ONE, 1, WIDE).await.remove(0);
        given.queue.launch(task.run, task.lease).await.unwrap();
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
    assert_eq!(given.claimed(9, WIDE).await, [12], "nor does another run of the deployment");
    assert_eq!(given.queue.end_of_workspace(workspace).await.unwrap(), 3);
    let found = given.claim(OTHER, 9, WIDE).await;
    let found: Vec<_> = found.iter().map(|it| (it.run.0.as_u128(), it.cancel)).collect();
    assert_eq!(found, [(10, true), (11, true)]);
    let third = TaskLease { attempt: 3, ..second.lease };
    given.queue.delete_earlier(second.run, third).await.unwrap();
    assert_eq!(given.queue.begun(workspace, None, 9).await.unwrap().len(), 2);
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
    assert!(!queue.launch(run, lease).await.unwrap());
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
