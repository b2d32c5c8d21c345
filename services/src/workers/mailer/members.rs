//! Mails to members of a workspace: to whom something happens there, to all of them, or to those who look after it.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other events are nobody's mail")]

use chrono::{DateTime, Utc};
use domain::account::Account;
use domain::workspace::{Role, Workspace, WorkspaceEvent};
use domain::{AccountId, ServerId, WorkspaceId};
use infra::event_store::{Executor, Loaded};
use infra::log::{Recorded, WorkerError};
use infra::outbox::{MailKind, MailReference, MailRequest};

/// What the mails of an event have in common. They name a server or a workspace by its id only: a mail relay
/// must not learn its name or address.
struct Notice {
    kind: MailKind,
    reference: Option<MailReference>,
    until: Option<DateTime<Utc>>,
}

/// A changed host key, to each owner and admin.
pub(super) async fn mismatch(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let reference = Some(MailReference::Server(ServerId(event.stream_id())));
    let notice = Notice { kind: MailKind::HostKeyMismatched, reference, until: None };
    let workspace = event.tenant();
    let loaded = executor.load::<Workspace>(workspace, workspace.0).await?;
    let looks_after = |role| matches!(role, Role::Owner | Role::Admin);
    let to = members(&loaded, looks_after);
    requests(executor, event, &notice, to).await
}

/// What happens to a member, to that one; to the workspace, to all who belong to it.
pub(super) async fn of_workspace(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let (kind, until, member) = match event.decode()? {
        WorkspaceEvent::RoleChanged { account, .. } => (MailKind::RoleChanged, None, Some(account)),
        WorkspaceEvent::MemberRemoved { account } => (MailKind::MemberRemoved, None, Some(account)),
        WorkspaceEvent::ApiTokenIssued { account, expires_at, .. } => {
            (MailKind::ApiTokenIssued, Some(expires_at), Some(account))
        }
        WorkspaceEvent::Restricted {} => (MailKind::WorkspaceRestricted, None, None),
        WorkspaceEvent::DeletionRequested { due, .. } => {
            (MailKind::WorkspaceDeletionRequested, Some(due), None)
        }
        WorkspaceEvent::DeletionHastened { due } => {
            (MailKind::WorkspaceDeletionHastened, Some(due), None)
        }
        WorkspaceEvent::DeletionCancelled {} => (MailKind::WorkspaceDeletionCancelled, None, None),
        _ => return Ok(vec![]),
    };
    let to = match member {
        Some(account) => vec![account],
        None => members(&as_it_was(executor, event).await?, |_| true),
    };
    let reference = Some(MailReference::Workspace(WorkspaceId(event.stream_id())));
    requests(executor, event, &Notice { kind, reference, until }, to).await
}

/// Whoever was removed since is mailed as well.
async fn as_it_was(
    executor: &Executor,
    event: &Recorded,
) -> Result<Loaded<Workspace>, WorkerError> {
    let (tenant, at) = (event.tenant(), event.recorded_at());
    Ok(executor.load_as_of::<Workspace>(tenant, event.stream_id(), at).await?)
}

fn members(of: &Loaded<Workspace>, is_mailed: impl Fn(Role) -> bool) -> Vec<AccountId> {
    let members = of.state.live().into_iter().flat_map(|live| &live.members);
    members.filter(|(_, role)| is_mailed(**role)).map(|(account, _)| *account).collect()
}

/// One mail for each person.
async fn requests(
    executor: &Executor,
    event: &Recorded,
    notice: &Notice,
    to: Vec<AccountId>,
) -> Result<Vec<MailRequest>, WorkerError> {
    let mut requests = Vec::new();
    for account in to {
        requests.extend(request(executor, event, notice, account).await?);
    }
    Ok(requests)
}

async fn request(
    executor: &Executor,
    event: &Recorded,
    notice: &Notice,
    account: AccountId,
) -> Result<Option<MailRequest>, WorkerError> {
    let loaded = executor.load::<Account>(account.into(), account.0).await?;
    let Account::Live(live) = &*loaded.state else { return Ok(None) };
    // An address that is not verified may belong to a stranger.
    let address = live.email.sealed().filter(|_| live.email_verified);
    Ok(address.map(|address| MailRequest {
        cause: event.event_id(),
        kind: notice.kind,
        tenant: account.into(),
        subject: account.into(),
        address: address.clone(),
        reference: notice.reference,
        until: notice.until,
    }))
}

/// A mail about the account itself, to its own verified address.
pub(super) async fn of_account(
    executor: &Executor,
    event: &Recorded,
    kind: MailKind,
) -> Result<Option<MailRequest>, WorkerError> {
    let notice = Notice { kind, reference: None, until: Some(event.recorded_at()) };
    request(executor, event, &notice, AccountId(event.stream_id())).await
}
