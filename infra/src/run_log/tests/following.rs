//! Readers that follow a log.

use std::time::Duration;

use test_support::{LIMIT, until};
use tokio::time::{Instant, timeout};

use super::super::wake::FOLLOWED_MAX;
use super::super::writer::{FLUSH_AFTER, FLUSH_FOLLOWED_AFTER};
use super::*;

#[tokio::test]
async fn whoever_waits_for_lines_is_woken_and_forgotten_afterwards() {
    let given = given().await;
    let task = given.task().await;
    let other = given.task().await;
    let (mut one, mut two) = (given.logs.watch(&task), given.logs.clone().watch(&task));
    let mut elsewhere = given.logs.watch(&other);
    assert_eq!(given.logs.0.wakes.count(), 2);

    given.log(&task, 1).await;

    one.changed().await;
    two.changed().await;
    let none = Duration::from_millis(1);
    assert!(timeout(none, one.changed()).await.is_err());
    assert!(timeout(none, elsewhere.changed()).await.is_err());
    drop((one, elsewhere));
    assert_eq!(given.logs.0.wakes.count(), 1);
    drop(two);
    assert_eq!(given.logs.0.wakes.count(), 0);
}

/// Waits for news as long as any test may take.
async fn news(watch: &mut Watch) -> News {
    timeout(LIMIT, watch.changed()).await.unwrap();
    watch.news().unwrap()
}

#[tokio::test]
async fn lines_that_another_node_stores_are_found() {
    let given = given().await;
    let (task, quiet) = (given.task().await, given.task().await);
    let other = given.node().await;
    let mut watch = other.watch(&task);
    let mut nothing = other.watch(&quiet);

    given.log(&task, 7).await;

    while news(&mut watch).await.lines < 7 {}
    let page = watch.read(LogPart::All, 0, 100).await.unwrap();
    assert_eq!((page.lines.len(), page.through, page.next), (7, 7, None));
    assert_eq!(nothing.news(), Some(News::default()));
}

#[tokio::test]
async fn events_of_a_run_wake_those_who_follow_its_logs() {
    let given = given().await;
    let (task, other) = (given.task().await, given.task().await);
    let (mut watch, mut elsewhere) = (given.logs.watch(&task), given.logs.watch(&other));

    given.logs.run_appended(task.run);

    assert_eq!(news(&mut watch).await, News { appends: 1, ..News::default() });
    assert_eq!(elsewhere.news(), Some(News::default()));
}

#[tokio::test]
async fn what_was_just_stored_is_not_read_back() {
    let given = given().await;
    let task = given.task().await;
    let watch = given.logs.watch(&task);
    let mut writer = given.writer(&task).await;
    writer.out(0, b"one\ntwo\n").await.unwrap();
    writer.flush().await.unwrap();
    writer.err(0, b"three\n").await.unwrap();
    writer.flush().await.unwrap();
    given.pool.close();

    let page = watch.read(LogPart::All, 1, 100).await.unwrap();
    let err = watch.read(LogPart::Err, 0, 100).await.unwrap();
    let end = watch.read(LogPart::All, 3, 100).await;

    assert_eq!(of(&page.lines, Stream::Out), b"two\n");
    assert_eq!((page.lines.len(), page.through, page.next), (2, 3, None));
    assert_eq!((err.lines.len(), err.lines[0].number), (1, 3));
    assert!(matches!(end, Err(RunLogError::Database(_))), "{end:?}");
    until("it is kept in clear no longer", async || {
        matches!(watch.read(LogPart::All, 1, 100).await, Err(RunLogError::Database(_)))
    })
    .await;
}

#[tokio::test]
async fn a_reader_of_one_stream_passes_over_the_lines_of_the_other() {
    let given = given().await;
    let task = given.task().await;
    let node = given.node().await;
    let mut watch = node.watch(&task);
    given.log(&task, 30).await;
    while news(&mut watch).await.lines < 30 {}

    let page = watch.read(LogPart::Err, 0, 100).await.unwrap();

    assert_eq!((page.lines.len(), page.through, page.next), (0, 30, None));
}

#[tokio::test]
async fn the_lines_of_a_log_that_is_followed_wait_for_less() {
    let given = given().await;
    let task = given.task().await;
    let mut writer = given.writer(&task).await;
    let mut offset = 0;
    for is_followed in [false, true, false] {
        let _watch = is_followed.then(|| given.logs.watch(&task));
        writer.out(offset, b"x\n").await.unwrap();
        let before = Instant::now();
        writer.flush().await.unwrap();
        let stored = Instant::now();

        writer.out(offset + 2, b"x\n").await.unwrap();

        let due = writer.due().unwrap();
        if is_followed {
            assert!(due <= Instant::now().max(stored + FLUSH_FOLLOWED_AFTER));
        } else {
            assert!(due >= before + FLUSH_AFTER);
        }
        writer.flush().await.unwrap();
        offset += 4;
    }
}

#[tokio::test]
async fn who_follows_one_log_too_many_looks_alone_and_ends_the_watch_of_nobody_else() {
    let given = given().await;
    let task = given.task().await;
    let other = |number: usize| LogKey { attempt: u32::try_from(number).unwrap(), ..task };
    let mut others: Vec<Watch> =
        (2..FOLLOWED_MAX + 2).map(|number| given.logs.watch(&other(number))).collect();
    let mut alone = given.logs.watch(&task);
    assert_eq!(alone.news(), None, "whoever follows has to look");
    others.pop();
    let mut followed = given.logs.watch(&task);
    assert_eq!(followed.news(), Some(News::default()));

    drop(alone);

    given.log(&task, 1).await;
    assert_eq!(news(&mut followed).await.lines, 1);
}
