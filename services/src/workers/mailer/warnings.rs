//! Mails about a changed host key, to each owner and admin of the workspace.

use domain::account::Account;
use domain::workspace::{Role, Workspace};
use domain::{AccountId, ServerId};
use infra::event_store::Executor;
use infra::log::{Recorded, WorkerError};
use infra::outbox::{MailKind, MailReference, MailRequest};

/// One mail for each person. It names the server by its id only: a mail relay must not learn its name
/// or address.
pub(super) async fn mismatch(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let (tenant, server) = (event.tenant(), ServerId(event.stream_id()));
    let loaded = executor.load::<Workspace>(tenant, tenant.0).await?;
    let mut requests = Vec::new();
    let members = loaded.state.live().map(|live| &live.members);
    for (account, role) in members.into_iter().flatten() {
        if !matches!(role, Role::Owner | Role::Admin) {
            continue;
        }
        let AccountId(id) = *account;
        let person = executor.load::<Account>((*account).into(), id).await?;
        let Account::Live(live) = &*person.state else { continue };
        // An address that is not verified may belong to a stranger.
        if !live.email_verified {
            continue;
        }
        let Some(address) = live.email.sealed().cloned() else { continue };
        requests.push(MailRequest {
            cause: event.event_id(),
            kind: MailKind::HostKeyMismatched,
            tenant: (*account).into(),
            subject: (*account).into(),
            address,
            reference: Some(MailReference::Server(server)),
            until: None,
        });
    }
    Ok(requests)
}
