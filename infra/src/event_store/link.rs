//! The appending connection: settled once, prepared once.

use std::time::Duration;

use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{Client, Error, Row, Statement};

use super::append::{Answer, Append, NewEvent, NewReservation, Refusal};
use crate::postgres::{ConnectOptions, PgError, connect_one, describe};

/// Longer than any statement may take: then the server is not there any more.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

pub(super) struct Link {
    client: Client,
    append: Statement,
    append_one: Statement,
}

/// What a batch was answered, one answer a member.
pub(super) struct Told {
    pub answers: Vec<Answer>,
    /// The log's last position, as far as the answer tells.
    pub head: i64,
    pub waited_seconds: f64,
}

/// Why a batch has no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// It may have been done.
    Lost(String),
    /// It was not done, and would not be done one by one.
    NotNow(String),
    /// It was not done; perhaps a member is at fault.
    Failed(String),
    /// No partition takes the next position.
    NoRoom,
}

impl Link {
    pub async fn open(url: &str, options: &ConnectOptions) -> Result<Self, PgError> {
        let client = connect_one(url, options).await?;
        client.batch_execute(include_str!("settle.sql")).await?;
        let append = client.prepare(include_str!("append.sql")).await?;
        let append_one = client.prepare(include_str!("append_one.sql")).await?;
        Ok(Self { client, append, append_one })
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub async fn write(&self, batch: &mut [&mut Append]) -> Result<Told, Silence> {
        let written = tokio::time::timeout(ANSWER_WITHIN, self.write_all(batch)).await;
        match written {
            Ok(written) => written.map_err(|error| self.silence(&error)),
            Err(_) => Err(Silence::Lost("no answer in time".to_owned())),
        }
    }

    async fn write_all(&self, batch: &mut [&mut Append]) -> Result<Told, Error> {
        if let [append] = batch
            && let Some(event) = append.single()
            && let Some(describe) = self.write_one(event).await?
        {
            return Ok(describe);
        }
        for (append, number) in batch.iter_mut().zip(0..) {
            append.number(number);
        }
        let news: Vec<&NewEvent> = batch.iter().flat_map(|append| &append.events).collect();
        let moves: Vec<&NewReservation> = batch.iter().flat_map(|append| &append.moves).collect();
        let row = self.client.query_one(&self.append, &[&news, &moves]).await?;
        answers(&row, batch)
    }

    async fn write_one(&self, event: &NewEvent) -> Result<Option<Told>, Error> {
        let row = self.client.query_one(&self.append_one, &[event]).await?;
        let Some(at) = row.try_get::<_, Option<i64>>(0)? else { return Ok(None) };
        let answers = vec![Answer::Appended { first: at, last: at }];
        Ok(Some(Told { answers, head: at, waited_seconds: row.try_get(1)? }))
    }

    fn silence(&self, error: &Error) -> Silence {
        let Some(db) = error.as_db_error() else { return Silence::Lost(describe(error)) };
        let fatal = matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        if fatal || self.is_closed() {
            return Silence::Lost(describe(error));
        }
        let code = db.code();
        if *code == SqlState::CHECK_VIOLATION {
            return Silence::NoRoom;
        }
        if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE {
            return Silence::NotNow(describe(error));
        }
        Silence::Failed(describe(error))
    }
}

fn answers(row: &Row, batch: &[&mut Append]) -> Result<Told, Error> {
    let mut head: i64 = row.try_get(0)?;
    let refused: Vec<Refusal> = row.try_get(1)?;
    let mut answers: Vec<Option<Answer>> = batch.iter().map(|_| None).collect();
    for refusal in refused {
        let at = usize::try_from(refusal.append).unwrap_or(usize::MAX);
        if let Some(answer) = answers.get_mut(at) {
            *answer = Some(refusal.into());
        }
    }
    let answers = answers.into_iter().zip(batch).map(|(refused, append)| {
        refused.unwrap_or_else(|| {
            let first = head + 1;
            head += i64::try_from(append.events.len()).unwrap_or_default();
            Answer::Appended { first, last: head }
        })
    });
    let answers = answers.collect();
    Ok(Told { answers, head, waited_seconds: row.try_get(2)? })
}
