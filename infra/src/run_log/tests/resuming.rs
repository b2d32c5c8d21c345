//! A node that takes over a task continues its log without a lost or a repeated line.

use super::*;

const SECRETS: [&str; 2] = ["hunter22", "a secret of\ntwo longer lines"];

/// The output of a command, in order.
fn story(random: &mut Random) -> Vec<(Stream, Vec<u8>)> {
    let mut story = Vec::new();
    for _ in 0..40 {
        let stream = *random.one_of(&[Stream::Out, Stream::Out, Stream::Err]);
        let mut text = Vec::new();
        for _ in 0..random.below(6) {
            match random.below(12) {
                0 => text.extend(b"hunter22"),
                1 => text.extend(b"a secret of\r\ntwo longer lines"),
                2 => text.extend(b"aHVudGVyMjI= "),
                3 => text.extend("\u{e4}hunter2".repeat(random.below(20_000)).bytes()),
                4 | 5 => text.extend(b"the hunt"),
                6..9 => text.push(b'\n'),
                _ => text.extend(format!("{} words\n", random.next()).into_bytes()),
            }
        }
        for piece in random.split(&text) {
            story.push((stream, piece.to_vec()));
            if story.len() > 3_000 {
                return story;
            }
        }
    }
    story
}

/// Pushes the output after `resume`, and flushes sometimes. With `cut` it stops at that number of
/// chunks, with a pause or without.
async fn push(
    harness: &Harness,
    random: &mut Random,
    writer: &mut Writer,
    story: &[(Stream, Vec<u8>)],
    resume: &Resume,
    cut: Option<(i64, bool)>,
) {
    let (mut out, mut err) = (0, 0);
    for (stream, bytes) in story {
        let (at, read) = match stream {
            Stream::Out => (&mut out, resume.out_offset),
            Stream::Err | Stream::Lethe => (&mut err, resume.err_offset),
        };
        let (from, until) = (*at, *at + bytes.len() as u64);
        *at = until;
        if until > read {
            let known = usize::try_from(read.saturating_sub(from)).unwrap();
            let from = from + known as u64;
            match stream {
                Stream::Out => writer.out(from, &bytes[known..]).await.unwrap(),
                Stream::Err | Stream::Lethe => writer.err(from, &bytes[known..]).await.unwrap(),
            }
        }
        if random.below(20) == 0 {
            writer.flush().await.unwrap();
        }
        if random.below(15) == 0
            && let Some((chunks, pauses)) = cut
            && harness.count("select count(*) from working.run_log_chunks").await >= chunks
        {
            if pauses {
                writer.pause().await.unwrap();
            }
            return;
        }
    }
    writer.finish().await.unwrap();
}

fn plain(lines: Vec<LogLine>) -> Vec<(u64, Stream, bool, Vec<u8>)> {
    lines.into_iter().map(|line| (line.number, line.stream, line.continues, line.bytes)).collect()
}

#[tokio::test]
async fn a_secret_that_a_pause_cuts_in_two_is_masked_all_the_same() {
    let given = given().await;
    let task = given.task().await;
    let masks = Masks::new(&SECRETS).unwrap();
    let resume = given.logs.resume(&task).await.unwrap();
    let mut writer = given.logs.writer(task, 1, &masks, BYTES_MAX, &resume);
    writer.out(0, b"first\npassword: hunt").await.unwrap();
    writer.err(0, b"hunter22 is").await.unwrap();
    writer.pause().await.unwrap();
    writer.pause().await.unwrap();
    let lines = plain(all(&given.logs, &task).await);
    assert_eq!(
        lines[1..],
        [
            (2, Stream::Out, false, b"password: ".to_vec()),
            (3, Stream::Err, false, b"*** is".to_vec()),
        ]
    );

    let resume = given.logs.resume(&task).await.unwrap();
    assert_eq!((resume.next_line, resume.out_offset, resume.err_offset), (4, 6, 0));
    let mut later = given.logs.writer(task, 1, &masks, BYTES_MAX, &resume);
    later.out(6, b"password: hunter22.\nlast").await.unwrap();
    later.err(0, b"hunter22 is mine\n").await.unwrap();
    later.finish().await.unwrap();

    let lines = plain(all(&given.logs, &task).await);
    assert_eq!(
        lines[3..],
        [
            (4, Stream::Out, true, b"***.\n".to_vec()),
            (5, Stream::Err, true, b" mine\n".to_vec()),
            (6, Stream::Out, false, b"last".to_vec()),
        ]
    );
    assert_eq!(given.logs.seal(&task).await.unwrap().out.read, 30);
}

/// A log whose node is replaced after every few chunks equals the log of one node.
async fn cut_anywhere(seed: u64, stories: usize, bytes_max: u64, pauses: bool) {
    let given = given().await;
    let masks = Masks::new(&SECRETS).unwrap();
    let mut random = Random(seed);
    for _ in 0..stories {
        let story = story(&mut random);
        let clear = |of| {
            let own = story.iter().filter(move |(stream, _)| *stream == of);
            own.flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<u8>>()
        };
        let uncut = given.task().await;
        let start = given.logs.resume(&uncut).await.unwrap();
        let mut writer = given.logs.writer(uncut, 1, &masks, bytes_max, &start);
        push(&given, &mut random, &mut writer, &story, &start, None).await;
        let whole = plain(all(&given.logs, &uncut).await);
        let summary = given.logs.seal(&uncut).await.unwrap();
        assert_eq!(writer.seal().await.unwrap(), summary);
        assert_eq!(summary.out.read, clear(Stream::Out).len() as u64);

        given.sql("delete from working.run_log_chunks", &[]).await;
        let task = given.task().await;
        let (mut fence, mut cut) = (1, Some((1, pauses)));
        while cut.is_some() {
            given.fence(&task, fence).await;
            let resume = given.logs.resume(&task).await.unwrap();
            cut = (fence < 6).then_some((i64::try_from(resume.seq).unwrap() + 1, pauses));
            let mut writer = given.logs.writer(task, fence, &masks, bytes_max, &resume);
            push(&given, &mut random, &mut writer, &story, &resume, cut).await;
            fence += 1;
        }
        let (lines, cut) = (plain(all(&given.logs, &task).await), given.logs.seal(&task).await);
        // A pause splits a line into pieces, and changes nothing else.
        if !pauses {
            assert_eq!(lines, whole);
            assert_eq!(cut.as_ref().unwrap(), &summary);
        }
        if summary.truncated {
            continue;
        }
        let cut = cut.unwrap();
        for (stream, of) in [(Stream::Out, &cut.out), (Stream::Err, &cut.err)] {
            let mut mask = masks.stream();
            let masked = [mask.push(&clear(stream)), mask.finish()].concat();
            let own = lines.iter().filter(|(_, own, ..)| *own == stream);
            let kept: Vec<u8> = own.flat_map(|(.., bytes)| bytes.clone()).collect();
            assert!(kept == masked);
            let hash = ring::digest::digest(&ring::digest::SHA256, &masked);
            assert_eq!((of.bytes, &of.sha256[..]), (masked.len() as u64, hash.as_ref()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_the_same_wherever_its_worker_was_replaced() {
    cut_anywhere(11, 25, BYTES_MAX, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_the_same_wherever_its_worker_paused() {
    cut_anywhere(13, 15, BYTES_MAX, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_too_long_is_cut_in_the_same_place() {
    cut_anywhere(12, 15, 100_000, false).await;
}

#[tokio::test]
async fn a_log_that_was_never_written_begins_at_the_beginning() {
    let given = given().await;
    let task = given.task().await;
    let resume = given.logs.resume(&task).await.unwrap();
    assert_eq!((resume.next_line, resume.out_offset, resume.err_offset), (1, 0, 0));
    assert_eq!((resume.bytes, resume.seq), (0, 0));
    let summary = given.logs.seal(&task).await.unwrap();
    assert_eq!((summary.lines, summary.bytes, summary.truncated), (0, 0, false));
    assert_eq!(hex::encode(summary.out.sha256)[..8], *"e3b0c442");
}
