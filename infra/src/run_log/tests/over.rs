//! A log of several days, of which the first are over.

use chrono::TimeDelta;

use super::*;

const REMARK: &str = "Lines 1 to 4 of this log are over: lines are kept for 30 days.\n";

/// Four lines of one day and three of the next, in chunks of one line.
async fn log_of_two_days(given: &Harness) -> LogKey {
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let lines = [("out", "o1\n"), ("err", "e1\n"), ("out", "o2\n"), ("out", "o3\n")];
    let next_day = [("out", "o4\n"), ("err", "e2\n"), ("out", "o5\n")];
    let (mut out, mut err) = (0, 0);
    for (day, lines) in [&lines[..], &next_day[..]].into_iter().enumerate() {
        given.clock.advance(TimeDelta::days(i64::from(day > 0)));
        for (stream, text) in lines {
            if *stream == "out" {
                writer.out(out, text.as_bytes()).await.unwrap();
                out += 3;
            } else {
                writer.err(err, text.as_bytes()).await.unwrap();
                err += 3;
            }
            writer.flush().await.unwrap();
        }
    }
    task
}

fn texts(page: &LogPage) -> Vec<(u64, &str, &str)> {
    let lines = page.lines.iter();
    lines
        .map(|line| (line.number, line.stream.as_str(), std::str::from_utf8(&line.bytes).unwrap()))
        .collect()
}

async fn over(given: &Harness, task: &LogKey) {
    let page = async |part, after, limit| given.logs.read(task, part, after, limit).await.unwrap();

    let whole = page(LogPart::All, 0, 100).await;
    let remark = (4, "lethe", REMARK);
    assert_eq!(texts(&whole), [remark, (5, "out", "o4\n"), (6, "err", "e2\n"), (7, "out", "o5\n")]);
    assert_eq!((whole.over, whole.next), (4, None));
    let out = page(LogPart::Out, 0, 100).await;
    assert_eq!(texts(&out), [remark, (5, "out", "o4\n"), (7, "out", "o5\n")]);
    let within = page(LogPart::All, 2, 2).await;
    assert_eq!((texts(&within), within.next), (vec![remark, (5, "out", "o4\n")], Some(5)));
    for part in [LogPart::All, LogPart::Err] {
        let behind = page(part, 4, 100).await;
        assert_eq!((behind.lines[0].stream == Stream::Lethe, behind.over), (false, 0), "{part:?}");
    }

    let extent = given.logs.extent(task, LogPart::Out).await.unwrap();
    assert_eq!(extent, Extent { begins: 9, ends: 15, over: 4 });
    let bytes = given.logs.read_range(task, LogPart::Out, 9, 15).await.unwrap();
    assert_eq!(bytes, b"o4\no5\n");
}

#[tokio::test]
async fn a_log_whose_first_day_is_over_begins_with_a_line_that_says_so() {
    let given = given().await;
    let task = log_of_two_days(&given).await;
    assert_eq!(all(&given.logs, &task).await.len(), 7);
    given.clock.advance(TimeDelta::days(30));

    // Its keys are erased first, and its table is dropped afterwards.
    over(&given, &task).await;
    assert_eq!(given.keyring.eraser.erase_expired().await.unwrap().buckets, 1);
    over(&given, &task).await;
    assert_eq!(given.logs.retain().await.unwrap(), 1);
    over(&given, &task).await;
    assert!(given.logs.is_stored(&task).await.unwrap());
}

#[tokio::test]
async fn of_a_log_that_is_over_nothing_is_stored() {
    let given = given().await;
    let task = log_of_two_days(&given).await;
    given.clock.advance(TimeDelta::days(31));

    for dropped in [false, true] {
        if dropped {
            assert_eq!(given.logs.retain().await.unwrap(), 2);
        }
        let page = given.logs.read(&task, LogPart::All, 0, 100).await.unwrap();
        assert_eq!((page.lines.len(), page.next), (0, None));
        assert!(!given.logs.is_stored(&task).await.unwrap());
        let extent = given.logs.extent(&task, LogPart::All).await.unwrap();
        assert_eq!(extent.begins, extent.ends);
    }
}

#[tokio::test]
async fn lines_that_are_missing_behind_others_are_not_over_but_lost() {
    let given = given().await;
    let task = log_of_two_days(&given).await;
    given.as_owner("delete from working.run_log_chunks where seq = 4").await;

    for after in [0, 4] {
        let read = given.logs.read(&task, LogPart::All, after, 100).await;
        assert!(matches!(read, Err(RunLogError::Gap { seq: 5 })), "{after}: {read:?}");
    }
}
