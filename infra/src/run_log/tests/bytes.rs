//! A log is read back by line and by byte; damage is an error.

use super::*;
use crate::keyring::OpenError;

#[tokio::test]
async fn lines_are_read_from_anywhere_in_pages() {
    let given = given().await;
    let task = given.task().await;
    let texts = given.log(&task, 100).await;
    for (after, limit) in [(0, 1), (0, 7), (2, 3), (3, 3), (50, 200), (99, 9), (100, 9), (500, 9)] {
        let page = given.logs.read(&task, LogPart::All, after, limit).await.unwrap();
        let lines = page.lines;
        let from = usize::try_from(after).unwrap().min(100);
        let expected = &texts[from..(from + limit).min(100)];
        let read: Vec<_> = lines.iter().map(|line| line.bytes.clone()).collect();
        let expected: Vec<_> = expected.iter().map(|text| text.clone().into_bytes()).collect();
        assert_eq!(read, expected, "{limit} after {after}");
        assert!(lines.iter().zip(after + 1..).all(|(line, number)| line.number == number));
        let until = after + lines.len() as u64;
        assert_eq!(page.next, (until < 100).then_some(until), "{limit} after {after}");
    }
    assert_eq!(all(&given.logs, &task).await.len(), 100);
}

#[tokio::test]
async fn a_page_is_full_however_many_chunks_it_takes() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    for number in 0..200 {
        writer.out(number * 2, b"x\n").await.unwrap();
        writer.flush().await.unwrap();
    }
    assert_eq!(given.count("select count(*) from working.run_log_chunks").await, 200);

    for (limit, expected, next) in [(199, 199, Some(199)), (200, 200, None), (201, 200, None)] {
        let page = given.logs.read(&task, LogPart::All, 0, limit).await.unwrap();
        assert_eq!((page.lines.len(), page.next), (expected, next), "{limit}");
    }
}

#[tokio::test]
async fn a_page_of_long_lines_ends_before_it_takes_all_memory() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let line = [vec![b'a'; 60_000], b"\n".to_vec()].concat();
    writer.out(0, &line.repeat(120)).await.unwrap();
    writer.finish().await.unwrap();

    let page = given.logs.read(&task, LogPart::All, 0, 2_000).await.unwrap();

    let bytes: usize = page.lines.iter().map(|line| line.bytes.len()).sum();
    assert!((4 << 20..5 << 20).contains(&bytes), "{bytes}");
    assert_eq!(page.next, Some(page.lines.len() as u64));
    assert_eq!(of(&all(&given.logs, &task).await, Stream::Out), line.repeat(120));
}

#[tokio::test]
async fn one_stream_is_read_by_line_and_the_chunks_of_the_other_stay_closed() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let (mut out, mut err) = (0, 0);
    for number in 0..90_u64 {
        if number % 30 == 29 {
            writer.err(err, b"e\n").await.unwrap();
            err += 2;
        } else {
            writer.out(out, b"o\n").await.unwrap();
            out += 2;
        }
        writer.flush().await.unwrap();
    }
    let spoil = "update working.run_log_chunks set sealed = 'x' where err_bytes = 0";
    given.as_owner(spoil).await;

    let lines = all_of(&given.logs, &task, LogPart::Err).await;

    let numbers: Vec<_> = lines.iter().map(|line| (line.number, line.stream)).collect();
    assert_eq!(numbers, [30, 60, 90].map(|number| (number, Stream::Err)));
    let page = given.logs.read(&task, LogPart::Err, 30, 1).await.unwrap();
    assert_eq!((page.lines[0].number, page.next), (60, Some(60)));
    let other = given.logs.read(&task, LogPart::Out, 0, 10).await;
    assert!(matches!(other, Err(RunLogError::Open(_))), "{other:?}");
}

#[tokio::test]
async fn any_range_of_bytes_is_that_of_the_whole() {
    let given = given().await;
    let task = given.task().await;
    let mut random = Random(7);
    let mut writer = given.writer(&task).await;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let length = random.below(3_000);
        let text = [random.bytes(length), b"\n".to_vec()].concat();
        if random.below(3) == 0 {
            writer.err(err.len() as u64, &text).await.unwrap();
            err.extend(text);
        } else {
            writer.out(out.len() as u64, &text).await.unwrap();
            out.extend(text);
        }
        if random.below(30) == 0 {
            writer.flush().await.unwrap();
        }
    }
    writer.finish().await.unwrap();
    let lines = all(&given.logs, &task).await;
    let whole: Vec<u8> = lines.into_iter().flat_map(|line| line.bytes).collect();
    for (part, bytes) in [(LogPart::Out, &out), (LogPart::Err, &err), (LogPart::All, &whole)] {
        let ends = bytes.len() as u64;
        let extent = given.logs.extent(&task, part).await.unwrap();
        assert_eq!(extent, Extent { begins: 0, ends, over: 0 });
        for _ in 0..40 {
            let from = random.below(bytes.len() + 10);
            let longest = *random.one_of(&[5_000, 5_000, 900_000]);
            let until = from + random.below(longest);
            let expected = bytes.get(from..until.min(bytes.len())).unwrap_or_default();
            let mut read = Vec::new();
            loop {
                let at = (from + read.len()) as u64;
                let more = given.logs.read_range(&task, part, at, until as u64).await.unwrap();
                if more.is_empty() {
                    break;
                }
                read.extend(more);
            }
            assert!(read == expected, "{part:?} {from}..{until}");
        }
    }
}

#[tokio::test]
async fn a_range_opens_no_more_than_it_needs() {
    let given = given().await;
    let task = given.task().await;
    let texts = given.log(&task, 30).await.concat();
    given.as_owner("update working.run_log_chunks set sealed = 'x' where seq <> 4").await;
    let from = texts.find("line 13 ").unwrap() as u64;
    let range = given.logs.read_range(&task, LogPart::Out, from, from + 9).await.unwrap();
    assert_eq!(range, b"line 13 o");
    let other = given.logs.read_range(&task, LogPart::Out, 0, 9).await;
    assert!(matches!(other, Err(RunLogError::Open(_))));
}

#[tokio::test]
async fn a_log_with_a_gap_has_no_summary() {
    let given = given().await;
    for (change, seq) in [
        ("delete from working.run_log_chunks where seq = 0", 1),
        ("delete from working.run_log_chunks where seq = 5", 6),
        ("update working.run_log_chunks set seq = seq + 1 where seq = 9", 10),
        ("update working.run_log_chunks set first_line = 2 where seq = 0", 0),
        ("update working.run_log_chunks set out_end = out_end + 1 where seq = 3", 3),
        ("update working.run_log_chunks set out_offset = 0 where seq = 4", 4),
        ("update working.run_log_chunks set truncated = true where seq = 4", 5),
    ] {
        let task = given.task().await;
        given.log(&task, 30).await;
        given.as_owner(change).await;
        let sealed = given.logs.seal(&task).await;
        assert!(
            matches!(sealed, Err(RunLogError::Gap { seq: at }) if at == seq),
            "{change}: {sealed:?}"
        );
        given.logs.delete(&task).await.unwrap();
    }
    let task = given.task().await;
    given.log(&task, 30).await;
    given.as_owner("delete from working.run_log_chunks where seq = 5").await;
    let read = given.logs.read(&task, LogPart::All, 10, 100).await;
    assert!(matches!(read, Err(RunLogError::Gap { seq: 6 })), "{read:?}");
    let range = given.logs.read_range(&task, LogPart::Out, 0, 10_000).await;
    assert!(matches!(range, Err(RunLogError::Gap { seq: 6 })), "{range:?}");
}

#[tokio::test]
async fn a_chunk_that_says_more_than_it_holds_is_damaged() {
    let given = given().await;
    let task = given.task().await;
    given.log(&task, 3).await;
    let changes = [
        "update working.run_log_chunks set out_bytes = out_bytes - 1, out_end = out_end - 1",
        "update working.run_log_chunks set last_line = 4",
    ];
    for change in changes {
        given.as_owner(change).await;
        let sealed = given.logs.seal(&task).await;
        assert!(matches!(sealed, Err(RunLogError::Damaged { seq: 0 })), "{change}: {sealed:?}");
    }
}

#[tokio::test]
async fn a_chunk_opens_in_its_own_place_only() {
    let given = given().await;
    let (task, other) = (given.task().await, given.task().await);
    given.log(&task, 6).await;
    given.log(&other, 6).await;
    let swaps = [
        "update working.run_log_chunks c set sealed = o.sealed from working.run_log_chunks o
         where o.seq <> c.seq and o.run_id = c.run_id",
        "update working.run_log_chunks c set sealed = o.sealed from working.run_log_chunks o
         where o.seq <> c.seq and o.run_id <> c.run_id",
    ];
    for swap in swaps {
        given.as_owner(swap).await;
        for task in [&task, &other] {
            let sealed = given.logs.seal(task).await;
            assert!(
                matches!(sealed, Err(RunLogError::Open(OpenError::Damaged))),
                "{swap}: {sealed:?}"
            );
        }
    }
}
