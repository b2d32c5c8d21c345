//! Removes what a server keeps of an attempt that has ended.

use std::time::Duration;

use infra::remote::Connection;
use infra::remote::task::{self, TaskError, TaskId};
use infra::run_queue::Leftover;

use super::way::Reached;
use super::{Attempt, AttemptError};

/// How often the removal of a run's files on a server is tried.
const REMOVALS_MAX: u32 = 3;
const REMOVAL_PAUSE: Duration = Duration::from_secs(2);

impl Attempt {
    /// Files that cannot be removed now are noted, and removed later.
    pub(super) async fn clean_up(&self, connection: Option<&Connection>) {
        if let Some(connection) = connection
            && is_removed(connection, &self.id).await
        {
            return;
        }
        for _ in 0..REMOVALS_MAX {
            match self.connect().await {
                Ok(Reached { connection, .. }) if is_removed(&connection, &self.id).await => return,
                Err(AttemptError::ServerDeleted) => return,
                Ok(_) | Err(_) => tokio::time::sleep(REMOVAL_PAUSE).await,
            }
        }
        self.note_leftover(self.id.attempt, self.task.place.as_deref()).await;
    }

    /// Removes what there is of an earlier attempt, of which nothing runs. `connection`: to where it ran.
    pub(super) async fn clean_up_earlier(
        &self,
        connection: Option<&Connection>,
        attempt: u32,
        place: Option<&[u8]>,
    ) {
        if let Some(connection) = connection
            && is_removed(connection, &TaskId { attempt, ..self.id }).await
        {
            return;
        }
        self.note_leftover(attempt, place).await;
    }

    async fn note_leftover(&self, attempt: u32, place: Option<&[u8]>) {
        let TaskId { run, server, .. } = self.id;
        let leftover = Leftover { run, server, attempt, workspace: self.task.workspace };
        if let Err(error) = self.app.run_queue.note_leftover(leftover, place).await {
            name_left(&TaskId { attempt, ..self.id }, &error.to_string());
        }
    }
}

/// Whether nothing of the attempt stays on the server but a note. What runs is not removed, and ends by itself.
pub(in super::super) async fn is_removed(connection: &Connection, id: &TaskId) -> bool {
    match task::remove(connection, id).await {
        Ok(()) | Err(TaskError::Missing | TaskError::Running) => true,
        Err(
            TaskError::Remote(_)
            | TaskError::Launch(_)
            | TaskError::Unsupported(_)
            | TaskError::NotProven
            | TaskError::Answer,
        ) => false,
    }
}

/// Nothing looks for them again.
pub(in super::super) fn name_left(task: &TaskId, why: &str) {
    let (run, server) = (task.run, task.server);
    let folder = format!("~/.lethe/runs/{task}");
    tracing::warn!(%run, %server, folder, why, "the files of a run stay on its server, with what it printed: remove the folder there");
}
