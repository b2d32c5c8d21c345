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
        Ok(Self::read_versioned(app, kind, subject).await?.0)
    }

    /// As [`Self::read`], with the version of the subject's stream that says so.
    pub(crate) async fn read_versioned(
        app: &App,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<(Self, i64), LoadError> {
        let (of, id) = (TenantId(subject.0), subject.0);
        let (due, version) = match kind {
            SubjectKind::Account => {
                let loaded = app.executor.load::<Account>(of, id).await?;
                let Account::Live(live) = &*loaded.state else {
                    return Ok((Self::Ended, loaded.version));
                };
                (live.erasure.map(|erasure| erasure.due), loaded.version)
            }
            SubjectKind::Workspace => {
                let loaded = app.executor.load::<Workspace>(of, id).await?;
                let Workspace::Live(live) = &*loaded.state else {
                    return Ok((Self::Ended, loaded.version));
                };
                (live.deletion.map(|deletion| deletion.due), loaded.version)
            }
        };
        Ok((due.map_or(Self::NotRequested, |due| Self::Requested { due }), version))
    }
}
