//! Sealing, retention and erasure of logs.

use chrono::TimeDelta;

use super::*;
use crate::keyring::{OpenError, SealError};
use crate::residue::{Canaries, Report};

const TABLES: &str = "select count(*) from pg_inherits
    where inhparent = 'working.run_log_chunks'::regclass";

#[tokio::test]
async fn no_line_stands_in_the_table() {
    let given = given().await;
    let task = given.task().await;
    let values = ["the quick brown fox jumps", "over the lazy dog 0123456789"];
    let mut writer = given.writer(&task).await;
    let text = values.join("\n") + "\n";
    writer.out(0, text.repeat(50).as_bytes()).await.unwrap();
    writer.err(0, text.as_bytes()).await.unwrap();
    writer.finish().await.unwrap();

    let canaries = Canaries::new(&values).unwrap();
    let dump = "select string_agg(row_to_json(c)::text, E'\\n') from working.run_log_chunks c";
    let dump: String = given.pool.get().await.unwrap().query_one(dump, &[]).await.unwrap().get(0);
    let bytes = "select string_agg(sealed, ''::bytea) from working.run_log_chunks";
    let bytes: Vec<u8> =
        given.pool.get().await.unwrap().query_one(bytes, &[]).await.unwrap().get(0);
    let mut report = Report::default();
    canaries.search("dump".as_ref(), dump.as_bytes(), &mut report).unwrap();
    canaries.search("bytes".as_ref(), bytes.as_slice(), &mut report).unwrap();
    assert!(report.finds.is_empty(), "{:?}", report.finds);
    assert!(report.bytes > 5_000);

    // The same search finds what is not sealed.
    let clear = "select row_to_json(c)::text from (select $1::bytea as sealed) c";
    let row = given.pool.get().await.unwrap().query_one(clear, &[&text.as_bytes()]).await.unwrap();
    canaries.search("clear".as_ref(), row.get::<_, &str>(0).as_bytes(), &mut report).unwrap();
    assert_eq!(report.finds.len(), 2);
}

#[tokio::test]
async fn a_day_goes_with_its_key_and_no_earlier() {
    let given = given().await;
    let (old, task) = (given.task().await, given.task().await);
    given.log(&old, 5).await;
    given.clock.advance(TimeDelta::days(1));
    given.log(&task, 5).await;
    let made = given.count(TABLES).await;

    given.clock.advance(TimeDelta::days(29));
    assert_eq!(given.logs.retain().await.unwrap(), 0);
    assert_eq!(given.keyring.eraser.erase_expired().await.unwrap().buckets, 0);
    assert_eq!(all(&given.logs, &old).await.len(), 5);
    given.clock.advance(TimeDelta::days(1));
    assert_eq!(given.keyring.eraser.erase_expired().await.unwrap().buckets, 1);
    assert_eq!(all(&given.logs, &old).await, []);
    assert!(!given.logs.is_stored(&old).await.unwrap());
    let sealed = given.logs.seal(&old).await;
    assert!(matches!(sealed, Err(RunLogError::Open(OpenError::Expired))), "{sealed:?}");
    assert_eq!(given.logs.retain().await.unwrap(), 1);

    assert_eq!(all(&given.logs, &old).await, []);
    assert_eq!(all(&given.logs, &task).await.len(), 5);
    assert_eq!(given.count(TABLES).await, made - 1 + 5);
    assert_eq!(given.logs.retain().await.unwrap(), 0);
}

#[tokio::test]
async fn a_day_that_is_in_use_is_left_for_the_next_time() {
    let given = given().await;
    let task = given.task().await;
    given.log(&task, 5).await;
    given.clock.advance(TimeDelta::days(31));
    let mut reader = given.pool.get().await.unwrap();
    let reading = reader.transaction().await.unwrap();
    reading.query("select from working.run_log_chunks", &[]).await.unwrap();

    assert_eq!(given.logs.retain().await.unwrap(), 0);
    reading.commit().await.unwrap();
    assert_eq!(given.logs.retain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_log_goes_on_over_midnight() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"before\n").await.unwrap();
    writer.flush().await.unwrap();
    given.clock.advance(TimeDelta::days(9));
    writer.out(7, b"after\n").await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(of(&all(&given.logs, &task).await, Stream::Out), b"before\nafter\n");
    assert_eq!(given.logs.seal(&task).await.unwrap().lines, 2);
}

#[tokio::test]
async fn two_nodes_may_make_the_same_days_at_once() {
    let given = given().await;
    let other = given.node().await;
    let (one, two) = tokio::join!(given.logs.retain(), other.retain());
    assert_eq!((one.unwrap(), two.unwrap()), (0, 0));
    assert_eq!(given.count(TABLES).await, 4);
}

#[tokio::test]
async fn the_log_of_an_erased_workspace_is_closed_and_takes_no_more() {
    let given = given().await;
    let task = given.task().await;
    given.log(&task, 5).await;
    given.keyring.eraser.erase_subject(task.workspace.into()).await.unwrap();
    let closed = given.logs.read(&task, LogPart::All, 0, 10).await;
    assert!(matches!(closed, Err(RunLogError::Open(OpenError::Erased))));
    let mut writer = given.writer(&task).await;
    let resume = given.logs.resume(&task).await.unwrap();
    writer.out(resume.out_offset, b"late\n").await.unwrap();
    let late = writer.flush().await;
    assert!(matches!(late, Err(RunLogError::Seal(SealError::Erased(_)))));
}

#[tokio::test]
async fn a_log_is_its_own_workspaces_and_may_be_deleted() {
    let given = given().await;
    let (task, kept) = (given.task().await, given.task().await);
    given.log(&task, 7).await;
    given.log(&kept, 7).await;
    let elsewhere = LogKey { workspace: kept.workspace, ..task };
    assert_eq!(all(&given.logs, &elsewhere).await, []);
    assert_eq!(given.logs.read_range(&elsewhere, LogPart::All, 0, 99).await.unwrap(), b"");
    assert_eq!(given.logs.delete(&elsewhere).await.unwrap(), 0);

    assert_eq!(given.logs.delete(&task).await.unwrap(), 3);

    assert_eq!(all(&given.logs, &task).await, []);
    assert_eq!(all(&given.logs, &kept).await.len(), 7);
}
