//! Writes a batch, once or one by one, and answers its members.

use std::time::{Duration, Instant};

use super::{Batcher, NO_PARTITION};
use crate::event_store::append::outcome::{AppendError, AppendOutcome};
use crate::event_store::append::queue::Reply;
use crate::event_store::append::rows::Append;
use crate::event_store::error::ExecuteError;
use crate::failpoint;

const RECONNECT_EVERY: Duration = Duration::from_millis(100);

impl Batcher {
    pub(super) async fn write(&mut self, mut members: Vec<(Append, Reply)>) {
        // The append of a caller that has stopped waiting is not written.
        members.retain(|(_, reply)| !reply.is_closed());
        if members.is_empty() {
            return;
        }
        self.observers.metrics.batch_appends.observe(count(members.len()));
        let mut appends: Vec<&mut Append> = members.iter_mut().map(|(append, _)| append).collect();
        match self.write_once(&mut appends).await {
            Ok(outcomes) => {
                failpoint!(AppendCommitted);
                self.reply(members, outcomes);
            }
            Err(AppendError::AnswerLost(reason)) => {
                tracing::warn!(reason, "the answer to a batch was lost: it is sent again");
                self.one_by_one(members, true).await;
            }
            Err(AppendError::Failed(reason)) => {
                tracing::warn!(reason, "a batch failed: its appends are written one by one");
                self.one_by_one(members, false).await;
            }
            Err(AppendError::Unavailable(reason) | AppendError::Refused(reason)) => {
                refuse(members, &reason);
            }
            Err(AppendError::NoPartition) => {
                self.alarm();
                refuse(members, NO_PARTITION);
            }
        }
    }

    /// Uses the open connection or opens one. A connection whose answer was lost is closed.
    async fn write_once(
        &mut self,
        batch: &mut [&mut Append],
    ) -> Result<Vec<AppendOutcome>, AppendError> {
        let connection = self.connect().await?;
        let written = connection.write(batch).await;
        self.note_write(&written);
        if !matches!(written, Err(AppendError::AnswerLost(_))) {
            self.connection = Some(connection);
        }
        written
    }

    /// `sent`: they may be written already.
    async fn one_by_one(&mut self, members: Vec<(Append, Reply)>, sent: bool) {
        let until = Instant::now() + self.options.resend_for;
        for (mut append, reply) in members {
            match self.write_alone(&mut append, sent, until).await {
                Ok(outcomes) => self.reply(vec![(append, reply)], outcomes),
                Err(reason) => drop(reply.send(Err(ExecuteError::Unavailable(reason)))),
            }
        }
    }

    async fn write_alone(
        &mut self,
        append: &mut Append,
        mut sent: bool,
        until: Instant,
    ) -> Result<Vec<AppendOutcome>, String> {
        loop {
            match self.write_once(&mut [append]).await {
                Ok(mut outcomes) => {
                    if sent {
                        for outcome in &mut outcomes {
                            resolve(append, outcome);
                        }
                    }
                    return Ok(outcomes);
                }
                Err(AppendError::Failed(reason) | AppendError::Refused(reason)) => {
                    return Err(reason);
                }
                Err(AppendError::NoPartition) => {
                    self.alarm();
                    return Err(NO_PARTITION.to_owned());
                }
                Err(AppendError::Unavailable(reason))
                    if !sent || Instant::now() > until || self.went_back() =>
                {
                    return Err(reason);
                }
                Err(AppendError::AnswerLost(reason)) if Instant::now() > until => {
                    return Err(reason);
                }
                Err(AppendError::AnswerLost(_)) => sent = true,
                Err(AppendError::Unavailable(_)) => {}
            }
            tokio::time::sleep(RECONNECT_EVERY).await;
        }
    }

    fn reply(&self, members: Vec<(Append, Reply)>, outcomes: Vec<AppendOutcome>) {
        let metrics = &self.observers.metrics;
        let mut events = 0;
        for ((append, reply), outcome) in members.into_iter().zip(outcomes) {
            if let Some(counter) = self.outcomes.get(outcome.number()) {
                counter.inc();
            }
            match &outcome {
                AppendOutcome::Appended { .. } => events += append.events.len(),
                AppendOutcome::Conflict => metrics.conflicts.inc(),
                AppendOutcome::Replayed { .. }
                | AppendOutcome::Reused
                | AppendOutcome::Fenced
                | AppendOutcome::Reserved => {}
            }
            failpoint!(BatchPartlyAnswered if append.place() > 0);
            let _ = reply.send(Ok(outcome));
        }
        if events > 0 {
            metrics.events.inc_by(u64::try_from(events).unwrap_or_default());
            metrics.transaction_events.observe(count(events));
        }
    }
}

/// The batch was sent twice, since the first answer was lost; `outcome` is the second answer. The log
/// holds this append, and not an earlier one, if its streams are at the versions that it leads to.
fn resolve(append: &Append, outcome: &mut AppendOutcome) {
    if let AppendOutcome::Replayed { first, last, streams } = outcome
        && streams.iter().all(|reached| append.reaches(reached))
    {
        *outcome = AppendOutcome::Appended { first: *first, last: *last };
    }
}

pub(super) fn refuse(members: Vec<(Append, Reply)>, reason: &str) {
    for (_, reply) in members {
        let _ = reply.send(Err(ExecuteError::Unavailable(reason.to_owned())));
    }
}

fn count(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::MAX, f64::from)
}
