//! The connection of the batcher: its session is set up once, its statements are prepared once.

use std::sync::Arc;
use std::time::Duration;

use domain::EventId;
use tokio::sync::watch;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::outcome::{AppendError, AppendOutcome};
use super::probe;
use super::rows::{Append, NewEvent, NewGuard, NewReservation};
use crate::failpoint;
use crate::log::watermark::{CompareError, LOOK, NewestEvent, Watermark, WentBack};
use crate::metrics::Metrics;
use crate::postgres::{
    ConnectOptions, DatabaseUrl, PgError, connect_one, describe, is_refusal_of_any_write,
};

const APPEND: &str = include_str!("append.sql");
const APPEND_ONE: &str = "select at, waited_seconds from event_log.append_one_guarded($1, $2)";
const SESSION_SETTINGS: &str = include_str!("session_settings.sql");

/// What a connection reports besides its outcomes. It outlives the connection.
#[derive(Clone)]
pub struct Observers {
    pub metrics: Arc<Metrics>,
    /// The last position of the log in any answer so far.
    pub head: watch::Sender<i64>,
    /// The newest event that this node knows: the log is compared with it.
    pub watermark: Watermark,
}

pub struct Connection {
    client: Client,
    append: Statement,
    append_one: Statement,
    /// After it the server counts as lost.
    answer_within: Duration,
    observers: Observers,
}

impl Connection {
    pub async fn open(
        url: &DatabaseUrl,
        options: &ConnectOptions,
        answer_within: Duration,
        observers: Observers,
    ) -> Result<Self, CompareError> {
        let client = connect_one(url, options).await?;
        let look = client.prepare(LOOK).await.map_err(PgError::from)?;
        // Once it went back, nothing is written on the connection until a start has dealt with it.
        if observers.watermark.check().is_ok() {
            observers.watermark.compare_on(&client, &look).await?;
        }
        let settings = client.batch_execute(SESSION_SETTINGS).await;
        settings.map_err(PgError::from)?;
        let append = client.prepare(APPEND).await.map_err(PgError::from)?;
        let append_one = client.prepare(APPEND_ONE).await.map_err(PgError::from)?;
        Ok(Self { client, append, append_one, answer_within, observers })
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether the server takes appends. `writes`: finds out by a write, which leaves nothing behind.
    pub async fn probe(&mut self, writes: bool) -> Result<(), AppendError> {
        let probing = async {
            if writes {
                probe::write(&mut self.client).await
            } else {
                probe::ask(&self.client).await
            }
        };
        match tokio::time::timeout(self.answer_within, probing).await {
            Ok(probed) => probed.map_err(|error| self.failure(&error)),
            Err(_) => Err(AppendError::AnswerLost("no answer in time".to_owned())),
        }
    }

    /// Writes a batch in one transaction. Answers one outcome for each member, in their order.
    pub async fn write(
        &self,
        batch: &mut [&mut Append],
    ) -> Result<Vec<AppendOutcome>, AppendError> {
        let watermark = &self.observers.watermark;
        watermark.check().map_err(went_back)?;
        let known = watermark.position();
        match tokio::time::timeout(self.answer_within, self.write_all(batch, known)).await {
            Ok(written) => written,
            Err(_) => Err(AppendError::AnswerLost("no answer in time".to_owned())),
        }
    }

    async fn write_all(
        &self,
        batch: &mut [&mut Append],
        known: i64,
    ) -> Result<Vec<AppendOutcome>, AppendError> {
        if let [append] = batch
            && let Some(event) = append.single()
            && let guards = NewGuard::of([(0, &**append)].into_iter())
            && let Some(at) =
                self.write_one(event, &guards).await.map_err(|error| self.failure(&error))?
        {
            self.observers.watermark.judge_head(known, at - 1).map_err(went_back)?;
            let event = EventId(event.event_id);
            self.observers.watermark.raise(NewestEvent { position: at, event });
            return Ok(vec![AppendOutcome::Appended { first: at, last: at }]);
        }
        for (append, number) in batch.iter_mut().zip(0..) {
            append.number(number);
        }
        let events: Vec<&NewEvent> = batch.iter().flat_map(|append| &append.events).collect();
        let reservations: Vec<&NewReservation> =
            batch.iter().flat_map(|append| &append.reservations).collect();
        let numbered = (0..).zip(batch.iter().map(|append| &**append));
        let guards = NewGuard::of(numbered);
        let values: [&(dyn ToSql + Sync); 3] = [&events, &reservations, &guards];
        let rows = failpoint!(AppendSent during self.client.query(&self.append, &values)).await;
        let rows = rows.map_err(|error| self.failure(&error))?;
        self.outcomes(&rows, batch, known)
    }

    /// `None` when the event is refused: `event_log.append_guarded` then returns the reason.
    async fn write_one(&self, event: &NewEvent, guards: &[NewGuard]) -> Result<Option<i64>, Error> {
        let values: [&(dyn ToSql + Sync); 2] = [event, &guards];
        let row = self.client.query_one(&self.append_one, &values);
        let row = failpoint!(AppendSent during row).await?;
        let at: Option<i64> = row.try_get(0)?;
        if let Some(at) = at {
            self.observe(at, row.try_get(1)?);
        }
        Ok(at)
    }

    /// From the rows of `append.sql`: one for each append that is refused, or one without any.
    fn outcomes(
        &self,
        rows: &[Row],
        batch: &[&mut Append],
        known: i64,
    ) -> Result<Vec<AppendOutcome>, AppendError> {
        let unreadable = |error: Error| AppendError::AnswerLost(describe(&error));
        let first = rows.first().ok_or_else(|| unknown("no row"))?;
        let mut head: i64 = first.try_get(0).map_err(unreadable)?;
        self.observers.watermark.judge_head(known, head).map_err(went_back)?;
        let waited_seconds = first.try_get(1).map_err(unreadable)?;
        let mut newest = None;
        let mut refused: Vec<Option<AppendOutcome>> = batch.iter().map(|_| None).collect();
        for row in rows {
            let append: Option<i32> = row.try_get(2).map_err(unreadable)?;
            let place = append.and_then(|append| usize::try_from(append).ok());
            if let Some(refused) = place.and_then(|place| refused.get_mut(place)) {
                let label = row.try_get(3).map_err(unreadable)?;
                *refused =
                    Some(refusal(label, row).map_err(unreadable)?.ok_or_else(|| unknown(label))?);
            }
        }
        let outcomes = refused.into_iter().zip(batch).map(|(refused, append)| {
            refused.unwrap_or_else(|| {
                let first = head + 1;
                head += i64::try_from(append.events.len()).unwrap_or_default();
                newest = append.last_event();
                AppendOutcome::Appended { first, last: head }
            })
        });
        let outcomes = outcomes.collect();
        if let Some(event) = newest {
            self.observers.watermark.raise(NewestEvent { position: head, event });
        }
        self.observe(head, waited_seconds);
        Ok(outcomes)
    }

    fn observe(&self, head: i64, waited_seconds: f64) {
        self.observers.metrics.lock_wait_seconds.observe(waited_seconds);
        self.observers.head.send_if_modified(|known| {
            let grown = head > *known;
            *known = head.max(*known);
            grown
        });
    }

    fn failure(&self, error: &Error) -> AppendError {
        let Some(db) = error.as_db_error() else { return AppendError::AnswerLost(describe(error)) };
        let fatal = matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        if fatal || self.is_closed() {
            return AppendError::AnswerLost(describe(error));
        }
        let code = db.code();
        if *code == SqlState::CHECK_VIOLATION {
            return AppendError::NoPartition;
        }
        if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE {
            return AppendError::Unavailable(describe(error));
        }
        // A batch that needs too much memory is written one by one.
        if is_refusal_of_any_write(code) {
            return AppendError::Refused(describe(error));
        }
        AppendError::Failed(describe(error))
    }
}

/// By the label of `event_log.outcome`; `None` for a label that this version does not know.
fn refusal(label: &str, row: &Row) -> Result<Option<AppendOutcome>, Error> {
    Ok(Some(match label {
        "replayed" => AppendOutcome::Replayed {
            first: row.try_get(4)?,
            last: row.try_get(5)?,
            streams: row.try_get(6)?,
        },
        "reused" => AppendOutcome::Reused,
        "fenced" => AppendOutcome::Fenced,
        "conflict" => AppendOutcome::Conflict,
        "reserved" => AppendOutcome::Reserved,
        _ => return Ok(None),
    }))
}

fn went_back(why: WentBack) -> AppendError {
    AppendError::Unavailable(why.to_string())
}

fn unknown(answer: &str) -> AppendError {
    AppendError::AnswerLost(format!(
        "event_log.append_guarded answered {answer}: update this programme"
    ))
}
