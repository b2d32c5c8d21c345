//! Whether the server takes appends: asked after a refusal, and after a pause.

use std::time::{Duration, Instant};

use super::{Batcher, BatcherOptions, NO_PARTITION};
use crate::event_store::append::connection::Connection;
use crate::event_store::append::outcome::AppendError;
use crate::log::watermark::CompareError;
use crate::trouble::probe_pause;

/// How often a server that has refused to write is probed, in the first minute.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Batcher {
    pub(super) fn probe_in(&self) -> Duration {
        // A server that is not reached is asked for a connection only: that leaves nothing on its disk.
        let is_reached = self.connection.as_ref().is_some_and(|open| !open.is_closed());
        let every = match self.options.writes.refused_for() {
            None => self.options.ask_every,
            Some(age) if is_reached => PROBE_EVERY.max(probe_pause(age)),
            Some(_) => PROBE_EVERY,
        };
        every.saturating_sub(self.tried_at.elapsed())
    }

    /// A server that refused is written to again; one that had nothing to write for long is only asked.
    pub(super) async fn probe(&mut self) -> Result<(), AppendError> {
        let mut probed = Ok(());
        if !self.went_back() {
            probed = self.ask().await;
            self.note_probe(&probed);
        }
        self.tried_at = Instant::now();
        probed
    }

    fn note_probe(&self, probed: &Result<(), AppendError>) {
        let writes = &self.options.writes;
        match probed {
            Ok(()) => writes.accept(),
            Err(AppendError::NoPartition) => writes.refuse(NO_PARTITION),
            // The log's lock was held for long, which says nothing; or `connect` has noted why.
            Err(AppendError::Unavailable(_)) => {}
            Err(
                AppendError::AnswerLost(why) | AppendError::Refused(why) | AppendError::Failed(why),
            ) => writes.refuse(why),
        }
    }

    async fn ask(&mut self) -> Result<(), AppendError> {
        let refused = self.options.writes.check().is_err();
        let was_open = self.connection.is_some();
        let mut connection = self.connect().await?;
        let mut probed = connection.probe(refused).await;
        // It may have ended while nothing was sent on it. A server that gives no answer is not asked twice.
        if was_open && connection.is_closed() {
            connection = self.connect().await?;
            probed = connection.probe(refused).await;
        }
        if !matches!(probed, Err(AppendError::AnswerLost(_))) {
            self.connection = Some(connection);
        }
        probed
    }

    /// What a batch has met: only a probe says that a refusal is over, since a page may have room for some events.
    pub(super) fn note_write<T>(&mut self, written: &Result<T, AppendError>) {
        let writes = &self.options.writes;
        match written {
            Err(AppendError::Refused(why)) => writes.refuse(why),
            Err(AppendError::NoPartition) => writes.refuse(NO_PARTITION),
            Ok(_) if writes.check().is_ok() => self.tried_at = Instant::now(),
            Ok(_)
            | Err(
                AppendError::AnswerLost(_) | AppendError::Unavailable(_) | AppendError::Failed(_),
            ) => {}
        }
    }

    /// The open connection, or a new one.
    pub(super) async fn connect(&mut self) -> Result<Connection, AppendError> {
        if let Some(open) = self.connection.take().filter(|open| !open.is_closed()) {
            return Ok(open);
        }
        self.open().await.map_err(|error| {
            let why = error.to_string();
            if !matches!(error, CompareError::WentBack(_)) {
                self.options.writes.refuse(&why);
            }
            AppendError::Unavailable(why)
        })
    }

    pub(super) async fn open(&self) -> Result<Connection, CompareError> {
        let BatcherOptions { url, connect, answer_within, .. } = &self.options;
        Connection::open(url, connect, *answer_within, self.observers.clone()).await
    }

    /// Whether the log is not the one that is known: what is sent again is refused again.
    pub(super) fn went_back(&self) -> bool {
        self.observers.watermark.check().is_err()
    }

    /// There is no partition: the task that creates them is woken.
    pub(super) fn alarm(&self) {
        tracing::error!("{NO_PARTITION}");
        self.partition_missing.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use test_support::{Databases, databases};
    use tokio::sync::{Notify, mpsc, oneshot, watch};
    use tokio_postgres::Client;

    use super::*;
    use crate::event_store::ExecuteError;
    use crate::event_store::append::writes::Writes;
    use crate::event_store::config::ExecutorConfig;
    use crate::event_store::tests::{event, one, owner};
    use crate::log::watermark::Watermark;
    use crate::metrics::Metrics;

    const LOCK: &str = "select pg_advisory_lock('event_log.events'::regclass::bigint)";
    const WAITING: &str = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'lethe append'
        and wait_event_type = 'Lock'";

    /// On a server that takes connections and gives no answer to an append.
    struct Silent {
        batcher: Batcher,
        admin: Client,
        _databases: Databases,
    }

    impl Silent {
        async fn new() -> Self {
            let databases = databases().await.unwrap();
            let ExecutorConfig { connect, appends_max, waiting_max, ask_every, .. } =
                ExecutorConfig::default();
            let metrics = Arc::new(Metrics::new().unwrap());
            let options = BatcherOptions {
                url: databases.log_url.parse().unwrap(),
                connect,
                appends_max,
                waiting_max,
                // By then a question has reached a busy server, too.
                answer_within: Duration::from_secs(2),
                resend_for: Duration::ZERO,
                watermark: Watermark::default(),
                writes: Writes::new(metrics.log_writable.clone()),
                ask_every,
            };
            let (_, receiver) = mpsc::channel(1);
            let (head, missing) = (watch::Sender::new(0), Arc::new(Notify::new()));
            let mut batcher = Batcher::new(options, receiver, metrics, head, missing);
            batcher.connection = Some(batcher.open().await.unwrap());
            let admin = owner(&databases.log_url).await;
            admin.query_one(LOCK, &[]).await.unwrap();
            Self { batcher, admin, _databases: databases }
        }

        /// How often the server was asked: each of these waits for an answer still.
        async fn count_questions(&self) -> i64 {
            self.admin.query_one(WAITING, &[]).await.unwrap().get(0)
        }

        fn let_pass(&mut self, time: Duration) {
            self.batcher.tried_at -= time;
        }
    }

    #[tokio::test]
    async fn a_server_that_gives_no_answer_is_not_asked_twice() {
        let mut silent = Silent::new().await;

        assert!(matches!(silent.batcher.probe().await, Err(AppendError::AnswerLost(_))));

        assert_eq!(silent.count_questions().await, 1);
        assert!(silent.batcher.options.writes.check().unwrap_err().contains("no answer"));
    }

    #[tokio::test]
    async fn an_append_waits_for_one_answer_of_a_server_that_gives_none() {
        for refused in [true, false] {
            let mut silent = Silent::new().await;
            if refused {
                silent.batcher.options.writes.refuse("the disk was full");
            }
            silent.let_pass(Duration::from_mins(1));
            let (reply, answer) = oneshot::channel();

            silent.batcher.serve(vec![(one(event(1, 7, 1)), reply)]).await;

            assert!(matches!(answer.await.unwrap(), Err(ExecuteError::Unavailable(_))));
            // One whose answer was lost is sent again: it may have been written.
            let sent = if refused { 1 } else { 2 };
            assert_eq!(silent.count_questions().await, sent, "refused: {refused}");
        }
    }

    #[tokio::test]
    async fn a_server_that_refuses_for_long_is_probed_each_half_a_minute() {
        let mut silent = Silent::new().await;
        silent.batcher.tried_at = Instant::now();
        silent.batcher.options.writes.refuse("the disk is full");
        let pause = silent.batcher.probe_in();
        assert!(pause > Duration::ZERO && pause <= PROBE_EVERY, "{pause:?}");

        silent.batcher.options.writes.let_pass(Duration::from_hours(1));
        silent.batcher.options.writes.refuse("the disk is full still");

        let pause = silent.batcher.probe_in();
        assert!(pause > Duration::from_secs(20) && pause <= Duration::from_secs(30), "{pause:?}");
        silent.batcher.connection = None;
        assert!(silent.batcher.probe_in() <= PROBE_EVERY, "it is not reached");
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_while_nothing_was_sent_is_replaced() {
        let mut silent = Silent::new().await;
        silent.admin.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
        let end = "select pg_terminate_backend(pid, 60000) from pg_stat_activity
            where datname = current_database() and application_name = 'lethe append'";
        silent.admin.execute(end, &[]).await.unwrap();

        silent.batcher.probe().await.unwrap();

        silent.batcher.options.writes.check().unwrap();
    }
}
