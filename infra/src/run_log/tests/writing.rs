//! Lines are stored once, in order, and only while the node has the lease of the task.

use std::time::Duration;

use tokio::time::Instant;

use super::super::rows::{self, ReadFrom, Written};
use super::super::writer::FLUSH_AFTER;
use super::*;

#[tokio::test]
async fn two_streams_are_apart_and_numbered_in_one_sequence() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;

    writer.out(0, b"one\ntwo").await.unwrap();
    writer.err(0, b"oh\n\n").await.unwrap();
    writer.out(7, b" and more\nlast").await.unwrap();
    assert_eq!(all(&given.logs, &task).await, []);
    writer.flush().await.unwrap();
    assert_eq!(all(&given.logs, &task).await.len(), 4);
    writer.finish().await.unwrap();
    writer.finish().await.unwrap();

    let lines = all(&given.node().await, &task).await;
    let read: Vec<_> = lines
        .iter()
        .map(|line| (line.number, line.stream.as_str(), line.bytes.as_slice()))
        .collect();
    assert_eq!(
        read,
        [
            (1, "out", &b"one\n"[..]),
            (2, "err", b"oh\n"),
            (3, "err", b"\n"),
            (4, "out", b"two and more\n"),
            (5, "out", b"last"),
        ]
    );
    assert!(lines.iter().all(|line| line.at == given.clock.now() && !line.continues));
}

#[tokio::test]
async fn a_line_is_due_at_once_and_the_next_one_a_moment_later() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"half").await.unwrap();
    assert_eq!(writer.due(), None);
    writer.out(4, b" and half\n").await.unwrap();
    assert!(writer.due().unwrap() <= Instant::now());
    let before = Instant::now();
    writer.flush().await.unwrap();
    assert_eq!(writer.due(), None);
    writer.out(14, b"more\n").await.unwrap();
    let due = writer.due().unwrap();
    assert!(due >= before + FLUSH_AFTER);
    writer.out(19, b"and more\n").await.unwrap();
    assert_eq!(writer.due(), Some(due));
    writer.flush().await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(given.count("select count(*) from working.run_log_chunks").await, 2);
}

#[tokio::test]
async fn full_chunks_are_written_at_once() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let text = "0123456789abcdef\n".repeat(70_000);

    writer.out(0, text.as_bytes()).await.unwrap();

    let chunks = given.count("select count(*) from working.run_log_chunks").await;
    assert_eq!(chunks, 5);
    let largest = "select max(octet_length(sealed))::bigint from working.run_log_chunks";
    assert!(given.count(largest).await <= 256 * 1024 + 100);
    writer.finish().await.unwrap();
    assert_eq!(of(&all(&given.logs, &task).await, Stream::Out), text.as_bytes());
}

#[tokio::test]
async fn what_comes_again_is_left_out_and_what_is_skipped_is_refused() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"one\ntwo\n").await.unwrap();
    writer.out(4, b"two\nthree\n").await.unwrap();
    writer.out(2, b"e\n").await.unwrap();
    let skipped = writer.out(15, b"five\n").await;
    assert!(matches!(skipped, Err(RunLogError::Skipped { from: 15, until: 14 })));
    writer.finish().await.unwrap();
    assert_eq!(of(&all(&given.logs, &task).await, Stream::Out), b"one\ntwo\nthree\n");
}

#[tokio::test]
async fn a_chunk_whose_answer_was_lost_is_not_doubled() {
    let given = given().await;
    let task = given.task().await;
    given.log(&task, 4).await;
    let chunks = rows::read(&given.pool, &task, ReadFrom::Chunk(None)).await.unwrap().rows;

    for chunk in &chunks {
        let again = rows::write(&given.pool, &task, 1, chunk).await.unwrap();
        assert_eq!(again, Written::Done);
    }

    assert_eq!(given.count("select count(*) from working.run_log_chunks").await, 2);
    let mut changed =
        rows::read(&given.pool, &task, ReadFrom::Chunk(None)).await.unwrap().rows.remove(0);
    changed.envelope[99] ^= 1;
    assert_eq!(rows::write(&given.pool, &task, 1, &changed).await.unwrap(), Written::Fenced);
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_loses_and_doubles_nothing() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let mut offset = 0;
    for number in 0..200_u64 {
        let text = format!("line {number}\n");
        writer.out(offset, text.as_bytes()).await.unwrap();
        offset += text.len() as u64;
        let short = Duration::from_micros(number * 20);
        let _ = tokio::time::timeout(short, writer.flush()).await;
    }
    writer.finish().await.unwrap();
    let lines = all(&given.logs, &task).await;
    let texts: Vec<u8> =
        (0..200).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    assert_eq!(of(&lines, Stream::Out), texts);
    given.logs.seal(&task).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_was_replaced_writes_nothing_more() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"mine\n").await.unwrap();
    writer.flush().await.unwrap();

    given.fence(&task, 2).await;

    writer.out(5, b"late\n").await.unwrap();
    for _ in 0..2 {
        assert!(matches!(writer.flush().await, Err(RunLogError::Fenced)));
    }
    assert_eq!(of(&all(&given.logs, &task).await, Stream::Out), b"mine\n");
    let nobodys = LogKey { attempt: 2, ..task };
    let mut writer = given.writer(&nobodys).await;
    writer.out(0, b"x\n").await.unwrap();
    assert!(matches!(writer.flush().await, Err(RunLogError::Fenced)));
}

#[tokio::test]
async fn a_takeover_that_is_under_way_is_waited_for_and_then_obeyed() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"late\n").await.unwrap();
    let mut other = given.pool.get().await.unwrap();
    let takeover = other.transaction().await.unwrap();
    let update = "update working.run_tasks set fence = 2 where run_id = $1";
    takeover.execute(update, &[&task.run.0]).await.unwrap();

    let writing = tokio::spawn(async move { writer.flush().await });
    let owner = connect_one(&given.databases.log_url, &ConnectOptions::default()).await.unwrap();
    until_waits_for_lock(&owner, "run_log").await;
    assert!(!writing.is_finished());
    takeover.commit().await.unwrap();

    assert!(matches!(writing.await.unwrap(), Err(RunLogError::Fenced)));
    assert_eq!(all(&given.logs, &task).await, []);
}

#[tokio::test]
async fn the_last_line_says_once_what_the_server_has_cut() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    writer.out(0, b"one\nhalf").await.unwrap();
    let [out, err] = [(8, 20), (0, 3)].map(|(kept, written)| Some(Cut { kept, written }));
    writer.note_cuts(out, err);
    writer.finish().await.unwrap();
    writer.finish().await.unwrap();

    // A node that takes over finds the same.
    let mut next = given.writer(&task).await;
    assert!(next.is_full());
    next.note_cuts(out, err);
    next.finish().await.unwrap();

    let lines = all(&given.logs, &task).await;
    assert_eq!(of(&lines, Stream::Out), b"one\nhalf");
    assert_eq!(lines.last().unwrap().stream, Stream::Lethe);
    assert_eq!(
        String::from_utf8(of(&lines, Stream::Lethe)).unwrap(),
        "The output was cut on the server, which kept 8 of the 20 bytes of standard output, and \
         0 of the 3 bytes of standard error.\n"
    );
    let summary = writer.seal().await.unwrap();
    assert_eq!(given.logs.seal(&task).await.unwrap(), summary);
    assert!(summary.truncated);
    assert_eq!((summary.lines, summary.out.bytes, summary.out.read), (3, 8, 8));
}

#[tokio::test]
async fn beyond_the_limit_a_last_line_says_how_much_was_kept() {
    let given = given().await;
    let task = given.task().await;
    let resume = given.logs.resume(&task).await.unwrap();
    let mut writer = given.logs.writer(task, 1, &Masks::default(), 20, &resume);
    writer.out(0, b"ten bytes\nten bytes\n").await.unwrap();
    writer.err(0, b"x\nhalf").await.unwrap();
    writer.out(20, b"y\n").await.unwrap();
    writer.finish().await.unwrap();

    let lines = all(&given.logs, &task).await;
    assert_eq!(of(&lines, Stream::Out), b"ten bytes\nten bytes\n");
    assert_eq!(of(&lines, Stream::Err), b"");
    let remark = of(&lines, Stream::Lethe);
    assert_eq!(
        String::from_utf8(remark).unwrap(),
        "Lethe kept the first 2 lines of this log, 20 bytes. It may have 20 bytes: the rest was \
         dropped.\n"
    );
    let summary = given.logs.seal(&task).await.unwrap();
    assert!(summary.truncated);
    assert_eq!((summary.lines, summary.out.lines, summary.out.bytes), (3, 2, 20));
    assert_eq!((summary.out.read, summary.err.read), (22, 6));
}
