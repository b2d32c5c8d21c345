//! What the log says of an erasure: it decides, since the ledger may be behind or ahead of it.

use chrono::{DateTime, Utc};
use domain::account::Account;
use domain::workspace::Workspace;
use domain::{SubjectId, TenantId};
use infra::event_store::LoadError;
use infra::keyring::SubjectKind;

use crate::wiring::App;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InLog {
    /// The subject lives, and no erasure of it is open.
    NotRequested,
    /// An erasure is requested and not cancelled.
    Requested { due: DateTime<Utc> },
    /// There is no such subject, or it is erased.
    Ended,
}

impl InLog {
    /// By the newest state of the subject.
    pub(crate) async fn read(
        app: &App,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<Self, LoadError> {
        let (of, id) = (TenantId(subject.0), subject.0);
        let due = match kind {
            SubjectKind::Account => match &*app.executor.load::<Account>(of, id).await?.state {
                Account::Live(live) => live.erasure.map(|erasure| erasure.due),
                Account::Absent | Account::Ended { .. } => return Ok(Self::Ended),
            },
            SubjectKind::Workspace => match &*app.executor.load::<Workspace>(of, id).await?.state {
                Workspace::Live(live) => live.deletion.map(|deletion| deletion.due),
                Workspace::Absent | Workspace::Ended => return Ok(Self::Ended),
            },
        };
        Ok(due.map_or(Self::NotRequested, |due| Self::Requested { due }))
    }
}
