//! Folders that could not be removed from their servers.

use super::*;

fn leftover(workspace: u128, run: u128) -> Leftover {
    let (run, server) = (RunId(Uuid::from_u128(run)), ServerId(Uuid::from_u128(7)));
    Leftover { run, server, attempt: 1, workspace: WorkspaceId(Uuid::from_u128(workspace)) }
}

impl Harness {
    async fn make_due(&self, left_for: &str) {
        let due = format!(
            "update working.run_leftovers set next_at = clock_timestamp(),
            left_at = clock_timestamp() - interval '{left_for}'"
        );
        self.pool.get().await.unwrap().batch_execute(&due).await.unwrap();
    }

    /// In how many hours it is due.
    async fn hours(&self) -> String {
        let hours = "select round(extract(epoch from next_at - clock_timestamp()) / 3600)::text
            from working.run_leftovers";
        self.pool.get().await.unwrap().query_one(hours, &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn a_folder_is_due_after_an_hour_then_after_six_and_then_each_day() {
    let given = given(LEASE).await;
    let left = leftover(1, 10);
    given.queue.note_leftover(left, Some(PLACE)).await.unwrap();
    given.queue.note_leftover(left, Some(PLACE)).await.unwrap();
    assert_eq!(given.hours().await, "1");
    assert_eq!(given.queue.take_leftovers(9).await.unwrap(), []);

    for hours in ["6", "24", "24"] {
        given.make_due("13 days").await;
        let due = given.queue.take_leftovers(9).await.unwrap();
        assert_eq!(
            due,
            [DueLeftover { leftover: left, place: Some(PLACE.to_vec()), is_last: false }]
        );
        assert_eq!(given.queue.take_leftovers(9).await.unwrap(), [], "nobody else gets it");
        assert_eq!(given.hours().await, hours);
    }

    given.make_due("14 days").await;
    let due = given.queue.take_leftovers(9).await.unwrap();
    assert_eq!(due, [DueLeftover { leftover: left, place: Some(PLACE.to_vec()), is_last: true }]);
    given.queue.delete_leftover(left).await.unwrap();
    given.make_due("14 days").await;
    assert_eq!(given.queue.take_leftovers(9).await.unwrap(), []);
}

#[tokio::test]
async fn of_an_erased_workspace_no_folder_is_noted() {
    let given = given(LEASE).await;
    let fence = "select event_log.fence($1, '{}')";
    let client = given.pool.get().await.unwrap();
    client.execute(fence, &[&Uuid::from_u128(1)]).await.unwrap();

    for workspace in [1, 2] {
        given.queue.note_leftover(leftover(workspace, 10 + workspace), None).await.unwrap();
    }

    given.make_due("1 hour").await;
    let due = given.queue.take_leftovers(9).await.unwrap();
    assert_eq!(due, [DueLeftover { leftover: leftover(2, 12), place: None, is_last: false }]);
}
