//! Looks at the log for all readers of a node: one statement, seldom while they are woken.

use std::time::Duration;

use tokio::sync::watch;

use super::wake::rise;
use super::watermark::{CompareError, Seen, Watermark};
use super::{Heads, ReaderOptions};
use crate::postgres::{PgError, Pool};
use crate::statement::query_opt;

const POLL: &str = include_str!("poll.sql");
/// The head may be known a moment before this reader sees the event: it looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What the readers of a node wait for.
#[derive(Clone)]
pub(super) struct News {
    /// The highest position known.
    head: watch::Receiver<i64>,
    /// The readers with released streams, as name/version. Sent at each look that finds any.
    released: watch::Receiver<Vec<String>>,
}

impl News {
    /// Waits for events after `position`, or for released streams, of any reader.
    pub(super) async fn wait(&mut self, position: i64) {
        if *self.head.borrow() > position {
            return tokio::time::sleep(LOOK_AGAIN).await;
        }
        // A clone: `has_released` is still to see the change.
        let mut released = self.released.clone();
        let closed = tokio::select! {
            head = self.head.wait_for(|head| *head > position) => head.is_err(),
            released = released.changed() => released.is_err(),
        };
        if closed {
            // The node is stopping.
            std::future::pending::<()>().await;
        }
    }

    /// Whether a look since the last call has found released streams of this reader.
    pub(super) fn has_released(&mut self, (name, version): (&str, i16)) -> bool {
        let label = format!("{name}/{version}");
        self.released.has_changed().unwrap_or_default()
            && self.released.borrow_and_update().contains(&label)
    }
}

pub(super) struct Poller {
    pool: Pool,
    wake: Heads,
    poll: Duration,
    poll_listening: Duration,
    head: watch::Sender<i64>,
    released: watch::Sender<Vec<String>>,
    watermark: Watermark,
}

impl Poller {
    pub(super) fn new(
        pool: Pool,
        wake: Heads,
        options: &ReaderOptions,
        watermark: Watermark,
    ) -> (Self, News) {
        let (head, head_seen) = watch::channel(*wake.position.borrow());
        let (released, released_seen) = watch::channel(Vec::new());
        let ReaderOptions { poll, poll_listening, .. } = *options;
        let poller = Self { pool, wake, poll, poll_listening, head, released, watermark };
        (poller, News { head: head_seen, released: released_seen })
    }

    pub(super) async fn run(mut self) {
        loop {
            // Before the look: it may not have seen what is appended until the node listens.
            let listening = *self.wake.listening.borrow_and_update();
            if let Err(error) = self.look().await {
                tracing::debug!(%error, "the end of the log was not read");
            }
            self.follow(listening).await;
        }
    }

    async fn look(&self) -> Result<(), CompareError> {
        let known = self.watermark.newest();
        let position = known.map_or(0, |mark| mark.position);
        let Some(row) = query_opt(&self.pool, POLL, &[&position]).await? else { return Ok(()) };
        let seen = Seen::of(&row, 1).map_err(PgError::from)?;
        self.watermark.judge(known, seen)?;
        rise(&self.head, seen.head.map_or(0, |head| head.position));
        let released: Vec<String> = row.try_get(0).map_err(PgError::from)?;
        if !released.is_empty() {
            self.released.send_replace(released);
        }
        Ok(())
    }

    /// Passes on what wakes the readers, until it is time to look.
    async fn follow(&mut self, listening: bool) {
        let pause = tokio::time::sleep(if listening { self.poll_listening } else { self.poll });
        tokio::pin!(pause);
        loop {
            let (position, listening) = (&mut self.wake.position, &mut self.wake.listening);
            tokio::select! {
                () = &mut pause => return,
                // What was appended before it listened was not heard of.
                Ok(()) = listening.changed() => return,
                Ok(()) = position.changed() => {
                    let position = *self.wake.position.borrow_and_update();
                    rise(&self.head, position);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::watermark::{NewestEvent, WentBack};
    use crate::postgres::{ConnectOptions, connect, connect_one};
    use domain::EventId;
    use test_support::{Databases, LIMIT, databases, until};
    use uuid::Uuid;

    const HOUR: Duration = Duration::from_hours(1);
    const RELEASED: &str = "insert into readers.parked \
        (reader, version, generation, stream_id, from_position, error, released_at) \
        values ('tally', 1, 1, gen_random_uuid(), 1, '', now())";

    /// One that does not look by itself.
    async fn seldom(databases: &Databases, wake: Heads, known: Watermark) -> (Poller, News) {
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        let node = ReaderOptions::of(Uuid::from_u128(1));
        let options = ReaderOptions { poll: HOUR, poll_listening: HOUR, ..node };
        Poller::new(pool, wake, &options, known)
    }

    #[tokio::test]
    async fn a_node_that_begins_to_hear_of_appends_looks_at_once_and_then_seldom() {
        let databases = databases().await.unwrap();
        let (_appended, position) = watch::channel(0);
        let (listens, listening) = watch::channel(false);
        let wake = Heads { position, listening };
        let (poller, mut news) = seldom(&databases, wake, Watermark::default()).await;
        let looking = tokio::spawn(poller.run());
        let owner = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
        owner.execute(RELEASED, &[]).await.unwrap();

        listens.send_replace(true);

        tokio::time::timeout(LIMIT, news.wait(0)).await.unwrap();
        assert!(!news.clone().has_released(("tally", 2)));
        assert!(news.has_released(("tally", 1)));
        assert!(!news.has_released(("tally", 1)), "it is reported once in each poll");
        looking.abort();
    }

    #[tokio::test]
    async fn a_node_that_begins_to_hear_of_appends_during_a_look_looks_again() {
        const LOCK: &str = "begin; lock table readers.parked";
        const WAITING: &str = "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
            where not l.granted and d.datname = current_database()";
        let databases = databases().await.unwrap();
        let patient = ConnectOptions::unlimited();
        let first = connect_one(&databases.log_url, &patient).await.unwrap();
        let next = connect_one(&databases.log_url, &patient).await.unwrap();
        let waiting = async |count: i64| {
            until("so many wait for the table", async || {
                first.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) == count
            })
            .await;
        };
        let (_appended, position) = watch::channel(0);
        let (listens, listening) = watch::channel(false);
        let wake = Heads { position, listening };
        first.batch_execute(LOCK).await.unwrap();
        let (poller, mut news) = seldom(&databases, wake, Watermark::default()).await;
        let looking = tokio::spawn(poller.run());
        waiting(1).await;

        listens.send_replace(true);

        // This is in the table after the first look, and before any other.
        let release = format!("{LOCK}; {RELEASED}; commit");
        let releasing = tokio::spawn(async move { next.batch_execute(&release).await });
        waiting(2).await;
        first.batch_execute("rollback").await.unwrap();
        releasing.await.unwrap().unwrap();
        tokio::time::timeout(LIMIT, news.wait(0)).await.unwrap();
        assert!(news.has_released(("tally", 1)));
        looking.abort();
    }

    #[tokio::test]
    async fn what_any_node_appends_is_passed_on_at_once() {
        let databases = databases().await.unwrap();
        let (appended, position) = watch::channel(0);
        let (poller, mut news) = seldom(&databases, position.into(), Watermark::default()).await;
        let looking = tokio::spawn(poller.run());

        appended.send_replace(7);

        tokio::time::timeout(LIMIT, news.wait(6)).await.unwrap();
        assert_eq!(*news.head.borrow(), 7);
        looking.abort();
    }

    #[tokio::test]
    async fn a_node_whose_log_is_idle_notices_that_it_lost_its_end() {
        let databases = databases().await.unwrap();
        let (_appended, position) = watch::channel(0);
        let known = Watermark::default();
        known.raise(NewestEvent { position: 5, event: EventId(Uuid::nil()) });
        let (poller, _news) = seldom(&databases, position.into(), known.clone()).await;

        let looking = tokio::spawn(poller.run());

        let mut went_back = known.went_back();
        let found = went_back.wait_for(Option::is_some);
        let found = *tokio::time::timeout(LIMIT, found).await.unwrap().unwrap();
        assert_eq!(found, Some(WentBack::Behind { known: 5, head: 0 }));
        looking.abort();
    }
}
