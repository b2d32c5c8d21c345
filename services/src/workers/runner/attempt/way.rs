//! The way to the server of a task. A command is looked for, and killed, nowhere but at the place that it was sent to:
//! that another machine knows nothing of it proves nothing.

use domain::run::StartCause;
use domain::server::{ConnectFailure, Server};
use domain::{ServerId, WorkspaceId};
use infra::remote::Connection;
use infra::run_queue::Task;

use super::super::place::Place;
use super::{Attempt, AttemptError};
use crate::operations::connect::connect_to;
use crate::unseal::Unsealer;
use crate::wiring::App;

/// Another machine has the server's address, or the server another address.
pub(super) const ELSEWHERE: AttemptError =
    AttemptError::Server(StartCause::Connect(ConnectFailure::Address));

/// A connection, and the place that it leads to.
pub(in super::super) struct Reached {
    pub connection: Connection,
    pub place: Place,
}

pub(in super::super) struct Way {
    app: App,
    workspace: WorkspaceId,
    server: ServerId,
    /// Where the start was sent to; `None`: it was not, or nobody knows where to.
    launched_at: Option<Vec<u8>>,
}

impl Attempt {
    pub(super) fn way(&self) -> Way {
        let Task { workspace, lease, place, .. } = &self.task;
        Way::new(self.app.clone(), *workspace, lease.server, place.clone())
    }

    /// # Errors
    /// `Server`: it is not reached, or it is not where the command was sent to.
    pub(super) async fn connect(&self) -> Result<Reached, AttemptError> {
        self.way().connect().await
    }
}

impl Way {
    pub(in super::super) const fn new(
        app: App,
        workspace: WorkspaceId,
        server: ServerId,
        launched_at: Option<Vec<u8>>,
    ) -> Self {
        Self { app, workspace, server, launched_at }
    }

    /// # Errors
    /// `ServerDeleted`, for good. `Server`: it is not reached, or it is not where the command was sent to.
    pub(in super::super) async fn connect(&self) -> Result<Reached, AttemptError> {
        let Self { app, workspace, server, .. } = self;
        let loaded = app.executor.load::<Server>((*workspace).into(), server.0).await?;
        if *loaded.state == Server::Ended {
            return Err(AttemptError::ServerDeleted);
        }
        let place = loaded.state.live().and_then(Place::of);
        if let Some(place) = &place
            && !self.leads_to(place).await?
        {
            return Err(ELSEWHERE);
        }
        let connection = connect_to(app, *workspace, *server, &loaded).await?;
        let place = place.ok_or(AttemptError::Server(StartCause::NotReady))?;
        Ok(Reached { connection, place })
    }

    async fn leads_to(&self, place: &Place) -> Result<bool, AttemptError> {
        is_at(&self.app, self.workspace, self.launched_at.as_deref(), place).await
    }
}

/// Whether what was launched at `launched_at` may be looked for at `place`.
pub(super) async fn is_at(
    app: &App,
    workspace: WorkspaceId,
    launched_at: Option<&[u8]>,
    place: &Place,
) -> Result<bool, AttemptError> {
    let Some(launched_at) = launched_at else { return Ok(true) };
    let then = Place::from_bytes(launched_at).map_err(|error| AttemptError::internal(&error))?;
    let unsealer = Unsealer::of_workspace(&app.keyring.sealer, workspace);
    Ok(place.is_same(&then, &unsealer).await?)
}
