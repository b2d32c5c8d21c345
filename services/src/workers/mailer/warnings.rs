//! Who is told that a server shows another host key: the owners and admins, at their own addresses.

use domain::account::{Account, EmailState};
use domain::workspace::{Role, Workspace};
use domain::{AccountId, ProofId};
use infra::event_store::{Executor, LoadError};
use infra::log::{Recorded, WorkerError};
use infra::outbox::{MailKind, MailRequest};

/// One mail a person: by ids, since neither name nor address of a server is for a mail relay.
pub(super) async fn mismatch(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let away = |error: LoadError| WorkerError::Unavailable(error.to_string());
    let (tenant, server) = (event.tenant(), ProofId(event.stream_id()));
    let loaded = executor.load::<Workspace>(tenant, tenant.0).await.map_err(away)?;
    let mut requests = Vec::new();
    let members = loaded.state.live().map(|live| &live.members);
    for (account, role) in members.into_iter().flatten() {
        if !matches!(role, Role::Owner | Role::Admin) {
            continue;
        }
        let AccountId(id) = *account;
        let person = executor.load::<Account>((*account).into(), id).await.map_err(away)?;
        let Account::Live(live) = &*person.state else { continue };
        // An address that nobody proved may be a stranger's.
        if live.email_state != EmailState::Verified {
            continue;
        }
        let Some(address) = live.email.sealed().cloned() else { continue };
        requests.push(MailRequest {
            cause: event.event_id(),
            kind: MailKind::HostKeyMismatched,
            tenant: (*account).into(),
            subject: (*account).into(),
            address,
            proof: Some(server),
            until: None,
        });
    }
    Ok(requests)
}
