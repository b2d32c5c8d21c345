//! Tasks that are to be killed, and may be left.

use super::*;

const HOURS: &str = "select round(extract(epoch from next_at - clock_timestamp()) / 3600)::text
    from working.run_tasks";

impl Harness {
    async fn one(&self, sql: &str) -> String {
        self.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn kills_that_have_proven_nothing_are_counted_under_the_fence_and_go_on_being_counted() {
    let given = given(Duration::ZERO).await;
    given.put([task(1, 7, 10)]).await;
    let first = given.claim(ONE, 1, WIDE).await.remove(0);
    assert_eq!(first.kill_tries, 0);
    for tries in 1..=2 {
        assert_eq!(given.queue.note_kill(first.run, first.lease).await.unwrap(), Some(tries));
    }

    let second = given.claim(OTHER, 1, WIDE).await.remove(0);

    assert_eq!(second.kill_tries, 2);
    assert_eq!(given.queue.note_kill(first.run, first.lease).await.unwrap(), None);
    assert_eq!(given.queue.note_kill(second.run, second.lease).await.unwrap(), Some(3));
}

#[tokio::test]
async fn what_was_to_be_killed_is_looked_for_each_hour_of_a_day_and_then_each_day() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    let mut task = given.claim(ONE, 1, WIDE).await.remove(0);
    given.queue.note_kill(task.run, task.lease).await.unwrap();
    for (lost_for, hours) in
        [("0 days", "1"), ("23 hours", "1"), ("25 hours", "24"), ("9 days", "24")]
    {
        let due = format!(
            "update working.run_tasks
            set next_at = null, lost_at = clock_timestamp() - interval '{lost_for}'"
        );
        given.pool.get().await.unwrap().batch_execute(&due).await.unwrap();

        given.queue.leave(task.run, task.lease).await.unwrap();

        assert_eq!(given.one(HOURS).await, hours, "{lost_for}");
        assert_eq!(given.states().await, ["lost"]);
        let again = "update working.run_tasks set next_at = null";
        given.pool.get().await.unwrap().batch_execute(again).await.unwrap();
        task = given.claim(ONE, 1, WIDE).await.remove(0);
    }
}

#[tokio::test]
async fn what_may_be_left_on_a_server_is_looked_for_at_once() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10), task(1, 8, 11), task(2, 7, 12)]).await;
    for task in given.claim(ONE, 9, WIDE).await {
        given.queue.leave(task.run, task.lease).await.unwrap();
    }
    assert_eq!(given.claimed(9, WIDE).await, []);

    let (workspace, server) = (WorkspaceId(Uuid::from_u128(1)), ServerId(Uuid::from_u128(7)));
    {
        let mut client = given.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        assert_eq!(given.queue.hasten_on(&tx, workspace, server).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    assert_eq!(given.claimed(9, WIDE).await, [10]);
}
