//! A log that one writer had from its beginning is sealed without being opened; damage shows to whoever reads it.

use super::super::chunk::Kept;
use super::super::lines::Place;
use super::super::seal::StreamCounts;
use super::*;
use crate::keyring::OpenError;

/// Chunks of one line of two bytes, which nobody opens: more than are counted by one statement.
const CHUNKS: i32 = 5_000;
const FILL: &str = "insert into working.run_log_chunks
    (run_id, server_id, attempt, workspace_id, fence, seq, day, at, first_line, last_line,
      out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
      out_offset, err_offset, out_skip, err_skip, truncated, sealed)
    select $1::uuid, $2::uuid, 1, $3::uuid, 1, n - 1, ($4::timestamptz at time zone 'utc')::date, $4, n, n,
      2, 0, 2, 2 * n, 0, 2 * n, 2 * n, 0, 0, 0, false, 'x'::bytea
    from generate_series(1, $5::int) n";

/// Thirty lines in ten chunks; each fifth one is on standard error.
async fn written(given: &Harness, task: &LogKey) -> Writer {
    let mut writer = given.writer(task).await;
    let (mut out, mut err) = (0, 0);
    for number in 1..=30_u64 {
        let text = format!("line {number} of the log\n");
        if number % 5 == 0 {
            writer.err(err, text.as_bytes()).await.unwrap();
            err += text.len() as u64;
        } else {
            writer.out(out, text.as_bytes()).await.unwrap();
            out += text.len() as u64;
        }
        if number % 3 == 0 {
            writer.flush().await.unwrap();
        }
    }
    writer.finish().await.unwrap();
    writer
}

#[tokio::test]
async fn a_log_of_one_writer_is_sealed_without_being_opened() {
    let given = given().await;
    let task = given.task().await;
    let writer = written(&given, &task).await;
    let read_back = given.logs.seal(&task).await.unwrap();
    assert_eq!((read_back.out.lines, read_back.err.lines, read_back.lines), (24, 6, 30));
    given.as_owner("update working.run_log_chunks set sealed = 'x'").await;

    assert_eq!(writer.seal().await.unwrap(), read_back);

    let read_back = given.logs.seal(&task).await;
    assert!(matches!(read_back, Err(RunLogError::Open(_))), "{read_back:?}");
}

#[tokio::test]
async fn a_chunk_that_was_damaged_after_it_was_stored_is_found_by_whoever_reads_it() {
    let given = given().await;
    let (task, other) = (given.task().await, given.task().await);
    let one_byte = "update working.run_log_chunks set sealed =
        set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)
        where seq = 4";
    let of_another_log = "update working.run_log_chunks c set sealed = o.sealed
        from working.run_log_chunks o where o.seq = 4 and c.seq = 4 and o.run_id <> c.run_id";
    for change in [one_byte, of_another_log] {
        let writers = (written(&given, &task).await, written(&given, &other).await);
        let summary = given.logs.seal(&task).await.unwrap();
        given.as_owner(change).await;

        // The hash is that of the bytes that were stored: whoever has the bytes can tell.
        assert_eq!(writers.0.seal().await.unwrap(), summary, "{change}");
        let lines = given.logs.read(&task, LogPart::All, 12, 1).await;
        let bytes = given.logs.read_range(&task, LogPart::Out, 0, summary.out.bytes).await;
        let read_back = given.logs.seal(&task).await.map(|_| Vec::new());
        for read in [lines.map(|_| Vec::new()), bytes, read_back] {
            let is_found = matches!(read, Err(RunLogError::Open(OpenError::Damaged)));
            assert!(is_found, "{change}: {read:?}");
        }
        let before = given.logs.read(&task, LogPart::All, 0, 11).await.unwrap();
        assert_eq!(before.lines.len(), 11, "{change}");
        for task in [&task, &other] {
            given.logs.delete(task).await.unwrap();
        }
    }
}

#[tokio::test]
async fn rows_that_are_not_those_of_the_writer_are_not_sealed() {
    let given = given().await;
    for (change, seq) in [
        ("delete from working.run_log_chunks where seq = 0", 1),
        ("delete from working.run_log_chunks where seq = 5", 6),
        ("delete from working.run_log_chunks where seq = 9", 9),
        ("delete from working.run_log_chunks", 0),
        ("update working.run_log_chunks set seq = seq + 1 where seq = 9", 10),
        ("update working.run_log_chunks set first_line = 2 where seq = 0", 0),
        ("update working.run_log_chunks set out_end = out_end + 1 where seq = 3", 3),
        ("update working.run_log_chunks set out_offset = 0 where seq = 4", 4),
        ("update working.run_log_chunks set truncated = true where seq = 4", 5),
    ] {
        let task = given.task().await;
        let writer = written(&given, &task).await;
        given.as_owner(change).await;
        let sealed = writer.seal().await;
        assert!(
            matches!(sealed, Err(RunLogError::Gap { seq: at }) if at == seq),
            "{change}: {sealed:?}"
        );
        given.logs.delete(&task).await.unwrap();
    }
    for change in [
        "update working.run_log_chunks set last_line = last_line + 1 where seq = 9",
        "update working.run_log_chunks set err_offset = err_offset + 1 where seq = 9",
        "update working.run_log_chunks set truncated = true where seq = 9",
    ] {
        let task = given.task().await;
        let writer = written(&given, &task).await;
        given.as_owner(change).await;
        let sealed = writer.seal().await;
        assert!(matches!(sealed, Err(RunLogError::Damaged { seq: 9 })), "{change}: {sealed:?}");
        given.logs.delete(&task).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_is_sealed_by_its_last_writer_alone_and_once_it_is_stored() {
    let given = given().await;
    let task = given.task().await;
    let mut early = given.writer(&task).await;
    early.out(0, b"not stored\n").await.unwrap();
    let sealed = early.seal().await;
    assert!(matches!(sealed, Err(RunLogError::Gap { seq: 0 })), "{sealed:?}");

    let first = written(&given, &task).await;
    given.fence(&task, 2).await;
    let resume = given.logs.resume(&task).await.unwrap();
    let mut second = given.logs.writer(task, 2, &Masks::default(), BYTES_MAX, &resume);
    second.out(resume.out_offset, b"more\n").await.unwrap();
    second.finish().await.unwrap();

    let sealed = first.seal().await;
    assert!(matches!(sealed, Err(RunLogError::Fenced)), "{sealed:?}");
    assert_eq!(second.seal().await.unwrap(), given.logs.seal(&task).await.unwrap());
}

#[tokio::test]
async fn a_log_that_another_writer_has_begun_is_read_back() {
    let given = given().await;
    let task = given.task().await;
    given.log(&task, 30).await;
    let resume = given.logs.resume(&task).await.unwrap();
    let resumed = || given.logs.writer(task, 1, &Masks::default(), BYTES_MAX, &resume);
    assert_eq!(resumed().seal().await.unwrap(), given.logs.seal(&task).await.unwrap());
    given.as_owner("update working.run_log_chunks set sealed = 'x' where seq = 3").await;

    let sealed = resumed().seal().await;

    assert!(matches!(sealed, Err(RunLogError::Open(_))), "{sealed:?}");
}

#[tokio::test]
async fn a_log_of_more_chunks_than_are_counted_at_once_is_sealed_to_its_end() {
    let given = given().await;
    let task = given.task().await;
    given.logs.retain().await.unwrap();
    let (run, server, workspace) = (task.run.0, task.server.0, task.workspace.0);
    let now = given.clock.now();
    let values: [&(dyn ToSql + Sync); 5] = [&run, &server, &workspace, &now, &CHUNKS];
    assert_eq!(given.sql(FILL, &values).await, 5_000);
    let (lines, bytes) = (5_000, 10_000);
    let out = Place { raw: bytes, skip: 0 };
    let kept = Kept { lines, out_bytes: bytes, bytes, out, ..Kept::default() };
    let seal = async || given.logs.seal_counted(&task, StreamCounts::new(), (lines, kept)).await;

    let sealed = seal().await.unwrap();

    assert_eq!((sealed.lines, sealed.bytes, sealed.out.read), (lines, bytes, bytes));
    given.as_owner("delete from working.run_log_chunks where seq = 4500").await;
    let sealed = seal().await;
    assert!(matches!(sealed, Err(RunLogError::Gap { seq: 4501 })), "{sealed:?}");
}
