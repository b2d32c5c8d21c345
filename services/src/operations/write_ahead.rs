//! A row that is written ahead of the event that names it. The order of its steps is kept by types:
//! [`NewCommand::look_up`], [`NewCommand::write`], [`Written::execute`].

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use uuid::Uuid;

use crate::wiring::App;

/// A row that is written before the event that names it.
pub(super) trait WriteAhead {
    type Error: From<ExecuteError> + std::fmt::Display;

    /// Writes the row. If it is there, and no event is known to name it, it counts as written now: a
    /// worker does not delete it before its time. Returns that time.
    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, Self::Error>;

    /// Writes the row once more, behind the event that names it: the sweep, or another call of the same
    /// command that was refused, may have deleted it before the event. What has ended since stays ended.
    async fn put_back(&mut self, app: &App) -> Result<(), Self::Error> {
        self.write(app).await.map(drop)
    }

    /// Deletes the row as it was written at that time: not if an event is known to name it, nor if
    /// another call has written it since.
    async fn take_back(&self, app: &App, written_at: DateTime<Utc>) -> Result<(), Self::Error>;
}

/// There is nothing to write.
impl<W: WriteAhead> WriteAhead for Option<W> {
    type Error = W::Error;

    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, Self::Error> {
        match self {
            Some(row) => row.write(app).await,
            None => Ok(app.clock.now()),
        }
    }

    async fn put_back(&mut self, app: &App) -> Result<(), Self::Error> {
        match self {
            Some(row) => row.put_back(app).await,
            None => Ok(()),
        }
    }

    async fn take_back(&self, app: &App, written_at: DateTime<Utc>) -> Result<(), Self::Error> {
        match self {
            Some(row) => row.take_back(app, written_at).await,
            None => Ok(()),
        }
    }
}

/// A command of which the log has no earlier call.
#[derive(Clone, Copy)]
pub(crate) struct NewCommand<'a> {
    app: &'a App,
    request: &'a Request,
}

/// Whether a command comes for the first time.
pub(crate) enum LookedUp<'a> {
    New(NewCommand<'a>),
    /// It has been executed: answer this, and do nothing.
    Earlier(Receipt),
}

impl<'a> NewCommand<'a> {
    /// Comes before everything that a repeated command must not do, or not be refused for.
    ///
    /// # Errors
    /// The command id was used with another request, or it is not known.
    pub(crate) async fn look_up(
        app: &'a App,
        request: &'a Request,
    ) -> Result<LookedUp<'a>, ExecuteError> {
        let earlier = app.executor.find_earlier(request).await?;
        Ok(earlier.map_or(LookedUp::New(Self { app, request }), LookedUp::Earlier))
    }

    /// The id for a row: the same one when the same request comes again within the day, and another
    /// one for a request with another body.
    ///
    /// # Errors
    /// The keyring does not answer.
    pub(super) async fn row_id(self, label: &str) -> Result<Uuid, ExecuteError> {
        self.app.executor.id_of(self.request, label).await
    }

    /// Writes the row that the command's event is to name.
    ///
    /// # Errors
    /// Those of the row.
    pub(super) async fn write<W: WriteAhead>(self, mut row: W) -> Result<Written<'a, W>, W::Error> {
        let at = row.write(self.app).await?;
        Ok(Written { command: self, row, at })
    }
}

/// A row that no event names yet.
#[must_use]
pub(super) struct Written<'a, W> {
    command: NewCommand<'a>,
    pub(super) row: W,
    at: DateTime<Utc>,
}

impl<W: WriteAhead> Written<'_, W> {
    /// Executes the command, whose step names the row, and settles the row.
    ///
    /// # Errors
    /// Those of the command.
    pub(super) async fn execute(self, step: Step) -> Result<Receipt, W::Error> {
        let NewCommand { app, request } = self.command;
        let outcome = app.executor.execute(request, &[step]).await;
        self.settle(outcome).await
    }

    /// What becomes of the row after the command. After a refusal it is taken back; when it is not known
    /// whether the event was appended, a sweep compares it with the log.
    ///
    /// # Errors
    /// Those of the command.
    pub(super) async fn settle(
        mut self,
        outcome: Result<Receipt, ExecuteError>,
    ) -> Result<Receipt, W::Error> {
        let NewCommand { app, .. } = self.command;
        match outcome {
            Ok(receipt) => {
                if !receipt.replayed()
                    && let Err(error) = self.row.put_back(app).await
                {
                    tracing::error!(%error, "a row that an event names was not written again: it may be missing");
                }
                Ok(receipt)
            }
            Err(error) => {
                if !error.may_have_appended()
                    && let Err(error) = self.row.take_back(app, self.at).await
                {
                    tracing::warn!(%error, "a row of a refused command was not deleted: the sweep does it");
                }
                Err(error.into())
            }
        }
    }
}
