//! What the logs of a workspace may have in a day, on all nodes.

use chrono::TimeDelta;

use super::*;

/// A node with a limit of so many bytes a day, and what it has counted.
async fn node(given: &Harness, number: u128, bytes: u64) -> (RunLogs, IntCounter) {
    let reached = IntCounter::new("reached", "Reached.").unwrap();
    let limit = DayLimit { node: Uuid::from_u128(number), bytes, reached: reached.clone() };
    let keyring = keyring(&given.databases, &given.roots, &given.clock).await;
    (limited(&given.pool, &keyring, &given.clock, limit), reached)
}

impl Harness {
    /// Another task of the same workspace.
    async fn task_beside(&self, task: &LogKey) -> LogKey {
        let beside = self.task().await;
        let update = "update working.run_tasks set workspace_id = $2 where run_id = $1";
        assert_eq!(self.sql(update, &[&beside.run.0, &task.workspace.0]).await, 1);
        LogKey { workspace: task.workspace, ..beside }
    }
}

/// Writes lines of ten bytes, and ends the log. Answers the text of each stored line.
async fn write(logs: &RunLogs, task: &LogKey, lines: usize) -> Vec<String> {
    let resume = logs.resume(task).await.unwrap();
    let mut writer = logs.writer(*task, 1, &Masks::default(), BYTES_MAX, &resume);
    for number in 0..lines {
        writer.out(number as u64 * 10, b"ten bytes\n").await.unwrap();
        writer.flush().await.unwrap();
    }
    writer.finish().await.unwrap();
    let stored = all(logs, task).await.into_iter();
    stored.map(|line| String::from_utf8(line.bytes).unwrap()).collect()
}

#[tokio::test]
async fn the_logs_of_a_workspace_share_what_they_may_have_in_a_day_whichever_node_writes() {
    let given = given().await;
    let (one, reached) = node(&given, 1, 50).await;
    let (two, reached_by_two) = node(&given, 2, 50).await;
    let first = given.task().await;
    let (second, third) = (given.task_beside(&first).await, given.task_beside(&first).await);
    let strange = given.task().await;

    // The last line is not in the node's row yet.
    assert_eq!(write(&one, &first, 4).await, ["ten bytes\n"; 4]);
    let cut = write(&two, &second, 3).await;
    let none = write(&two, &third, 2).await;
    let other = write(&two, &strange, 5).await;

    let says = |lines: u32, bytes: u32| {
        format!(
            "Lethe kept the first {lines} lines of this log, {bytes} bytes. The logs of a \
             workspace may have 50 bytes a day: the rest was dropped.\n"
        )
    };
    assert_eq!(cut, ["ten bytes\n".to_owned(), "ten bytes\n".to_owned(), says(2, 20)]);
    assert_eq!(none, [says(0, 0)]);
    assert_eq!(other, ["ten bytes\n"; 5]);
    assert_eq!((reached.get(), reached_by_two.get()), (0, 2));
    for (task, truncated) in [(&first, false), (&second, true), (&third, true)] {
        assert_eq!(two.seal(task).await.unwrap().truncated, truncated);
    }

    given.clock.advance(TimeDelta::days(1));
    let next_day = given.task_beside(&first).await;
    assert_eq!(write(&one, &next_day, 3).await, ["ten bytes\n"; 3]);
}

#[tokio::test]
async fn a_node_that_is_started_again_knows_what_was_stored() {
    let given = given().await;
    let task = given.task().await;
    let (before, _) = node(&given, 1, 50).await;
    write(&before, &task, 5).await;
    let beside = given.task_beside(&task).await;
    // What was stored last is added to the row with the next line of the workspace.
    write(&before, &beside, 1).await;

    let (again, reached) = node(&given, 3, 50).await;
    let lines = write(&again, &given.task_beside(&task).await, 1).await;

    assert!(lines[0].starts_with("Lethe kept the first 0 lines"), "{lines:?}");
    assert_eq!(reached.get(), 1);
}

#[tokio::test]
async fn what_was_counted_goes_after_the_next_day_and_with_the_workspace() {
    let given = given().await;
    let (logs, _) = node(&given, 1, 1_000).await;
    let (gone, task) = (given.task().await, given.task().await);
    let rows = async || given.count("select count(*) from working.run_log_usage").await;
    write(&logs, &gone, 2).await;
    write(&logs, &task, 2).await;
    assert_eq!(rows().await, 2);

    let mut through = crate::workspace_rows::DeletedThrough::default();
    USAGE_OF_WORKSPACE.delete(&given.pool, gone.workspace.0, &mut through, 1).await.unwrap();
    assert_eq!(rows().await, 1);
    let fence = "insert into event_log.fences (subject, closing, position) values ($1, '{}', 1)";
    given.as_owner(&fence.replace("$1", &format!("'{}'", gone.workspace))).await;
    let (later, _) = node(&given, 2, 1_000).await;
    let left = later.0.usage.left(&given.pool, gone.workspace, later.today()).await.unwrap();
    assert_eq!((left, rows().await), (1_000, 1));

    given.clock.advance(TimeDelta::days(1));
    given.logs.retain().await.unwrap();
    assert_eq!(rows().await, 1);
    given.clock.advance(TimeDelta::days(1));
    given.logs.retain().await.unwrap();
    assert_eq!(rows().await, 0);
}

#[tokio::test]
async fn a_log_that_is_full_notes_how_far_its_output_went_without_reading_it() {
    let given = given().await;
    let task = given.task().await;
    let resume = given.logs.resume(&task).await.unwrap();
    let mut writer = given.logs.writer(task, 1, &Masks::default(), 20, &resume);
    writer.out(0, b"ten bytes\n").await.unwrap();
    writer.skip_to(1_000, 1_000);
    assert!(!writer.is_full());
    writer.out(10, b"ten bytes\nmore\n").await.unwrap();
    assert!(writer.is_full());

    writer.skip_to(5_000_000, 7);
    writer.finish().await.unwrap();

    let summary = given.logs.seal(&task).await.unwrap();
    assert!(summary.truncated);
    assert_eq!((summary.out.bytes, summary.out.read, summary.err.read), (20, 5_000_000, 7));
    let resume = given.logs.resume(&task).await.unwrap();
    assert!(given.logs.writer(task, 1, &Masks::default(), 20, &resume).is_full());
}

#[tokio::test]
async fn lines_that_wait_to_be_stored_use_up_what_the_workspace_has() {
    let given = given().await;
    let (logs, reached) = node(&given, 1, 50).await;
    let task = given.task().await;
    let resume = logs.resume(&task).await.unwrap();
    let mut writer = logs.writer(task, 1, &Masks::default(), BYTES_MAX, &resume);

    for number in 0..6 {
        writer.out(number * 10, b"ten bytes\n").await.unwrap();
    }

    assert!(writer.is_full());
    writer.finish().await.unwrap();
    assert_eq!(of(&all(&logs, &task).await, Stream::Out), b"ten bytes\n".repeat(5));
    assert_eq!(reached.get(), 1);
}

#[tokio::test]
async fn what_could_not_be_added_to_the_row_is_added_with_the_next_line() {
    let given = given().await;
    let (logs, _) = node(&given, 1, 1_000).await;
    let (workspace, day) = (given.task().await.workspace, logs.today());
    logs.0.usage.add(workspace, day, 400);
    let closed = connect(&given.databases.log_url, &ConnectOptions::app()).await.unwrap();
    closed.close();
    let failed = logs.0.usage.left(&closed, workspace, day).await;
    assert!(matches!(failed, Err(RunLogError::Database(_))), "{failed:?}");

    assert_eq!(logs.0.usage.left(&given.pool, workspace, day).await.unwrap(), 600);

    let (other, _) = node(&given, 2, 1_000).await;
    assert_eq!(other.0.usage.left(&given.pool, workspace, day).await.unwrap(), 600);
}
