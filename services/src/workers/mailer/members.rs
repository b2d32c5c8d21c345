//! Mails to members of a workspace: to whom something happens there, to all of them, or to those who look after it. Who
//! they are is read as of the event: whoever was removed since is mailed as well.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other events are nobody's mail")]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::Account;
use domain::privacy::Sealed;
use domain::server::ServerEvent;
use domain::workspace::{Role, Workspace, WorkspaceEvent};
use domain::{AccountId, ApiTokenId, ServerId, WorkspaceId};
use infra::event_store::{Executor, LoadError, Until};
use infra::log::{Recorded, WorkerError};
use infra::outbox::{MailKind, MailReference, MailRequest};

/// Whoever belonged to a workspace so long before its deletion was requested hears of it, too.
const BEFORE: TimeDelta = TimeDelta::days(1);

/// What the mails of an event have in common. They name a server or a workspace by its id only: a mail relay
/// must not learn its name or address.
struct Notice {
    kind: MailKind,
    reference: Option<MailReference>,
    until: Option<DateTime<Utc>>,
}

/// What becomes of a server, to each owner and admin.
pub(super) async fn of_server(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let kind = match event.decode()? {
        ServerEvent::HostKeyMismatched { .. } => MailKind::HostKeyMismatched,
        ServerEvent::WatchStopped { .. } => MailKind::ServerWatchStopped,
        _ => return Ok(vec![]),
    };
    let reference = Some(MailReference::Server(ServerId(event.stream_id())));
    let notice = Notice { kind, reference, until: None };
    let workspace = event.tenant();
    let loaded = executor.load::<Workspace>(workspace, workspace.0).await?;
    let looks_after = |role| matches!(role, Role::Owner | Role::Admin);
    requests(executor, event, &notice, members(&loaded.state, looks_after)).await
}

/// What happens to a member, to that one; to the workspace, to all who belong to it.
pub(super) async fn of_workspace(
    executor: &Executor,
    event: &Recorded,
) -> Result<Vec<MailRequest>, WorkerError> {
    let (kind, until, to) = match event.decode()? {
        WorkspaceEvent::RoleChanged { account, to: Role::Owner, .. } => {
            return owned(executor, event, account).await;
        }
        WorkspaceEvent::RoleChanged { account, .. } => (MailKind::RoleChanged, None, one(account)),
        WorkspaceEvent::MemberRemoved { account } => (MailKind::MemberRemoved, None, one(account)),
        WorkspaceEvent::ApiTokenIssued { token, .. } => {
            return of_token(executor, event, token, MailKind::ApiTokenIssued).await;
        }
        WorkspaceEvent::ApiTokenRotated { token, .. } => {
            return of_token(executor, event, token, MailKind::ApiTokenRotated).await;
        }
        WorkspaceEvent::SuccessionAgreed { .. } => {
            let owners = members(&as_it_was(executor, event).await?, |role| role == Role::Owner);
            (MailKind::SuccessionAgreed, None, owners)
        }
        WorkspaceEvent::Restricted {} => {
            (MailKind::WorkspaceRestricted, None, all(executor, event).await?)
        }
        WorkspaceEvent::DeletionRequested { requested_at, due } => {
            let mut to = all(executor, event).await?;
            let before = Until::Time(requested_at - BEFORE);
            to.extend(members(&workspace(executor, event, before).await?, |_| true));
            (MailKind::WorkspaceDeletionRequested, Some(due), to)
        }
        WorkspaceEvent::DeletionHastened { due } => {
            (MailKind::WorkspaceDeletionHastened, Some(due), all(executor, event).await?)
        }
        WorkspaceEvent::DeletionCancelled {} => {
            (MailKind::WorkspaceDeletionCancelled, None, all(executor, event).await?)
        }
        _ => return Ok(vec![]),
    };
    requests(executor, event, &about_it(event, kind, until), to).await
}

/// Who owns it now, to that one; and to all others, where no owner has made them one.
async fn owned(
    executor: &Executor,
    event: &Recorded,
    owner: AccountId,
) -> Result<Vec<MailRequest>, WorkerError> {
    let before = Until::Version(event.version() - 1);
    let before = workspace(executor, event, before).await?;
    let by = event.actor().map(|actor| AccountId(actor.0));
    let is_given = by.and_then(|by| before.role_of(by)) == Some(Role::Owner);
    let received = about_it(event, MailKind::OwnershipReceived, None);
    let mut mails = requests(executor, event, &received, one(owner)).await?;
    if !is_given {
        let mut others = members(&before, |_| true);
        others.remove(&owner);
        let others_own = about_it(event, MailKind::WorkspaceOwned, None);
        mails.extend(requests(executor, event, &others_own, others).await?);
    }
    Ok(mails)
}

/// Of a token, whom it acts for; of one of a service account, who issued or rotated it.
async fn of_token(
    executor: &Executor,
    event: &Recorded,
    token: ApiTokenId,
    kind: MailKind,
) -> Result<Vec<MailRequest>, WorkerError> {
    let then = as_it_was(executor, event).await?;
    let Some(live) = then.live() else { return Ok(vec![]) };
    let Some(token) = live.tokens.get(&token) else { return Ok(vec![]) };
    let (kind, to) = if live.service_accounts.contains_key(&token.account) {
        let by = event.actor().map(|actor| AccountId(actor.0));
        (MailKind::ServiceTokenIssued, by.into_iter().collect())
    } else {
        (kind, one(token.account))
    };
    requests(executor, event, &about_it(event, kind, Some(token.expires_at)), to).await
}

fn about_it(event: &Recorded, kind: MailKind, until: Option<DateTime<Utc>>) -> Notice {
    let reference = Some(MailReference::Workspace(WorkspaceId(event.stream_id())));
    Notice { kind, reference, until }
}

async fn workspace(
    executor: &Executor,
    event: &Recorded,
    until: Until,
) -> Result<Workspace, LoadError> {
    let loaded = executor.load_until::<Workspace>(event.tenant(), event.stream_id(), until).await?;
    Ok(Workspace::clone(&loaded.state))
}

async fn as_it_was(executor: &Executor, event: &Recorded) -> Result<Workspace, LoadError> {
    workspace(executor, event, Until::Version(event.version())).await
}

async fn all(executor: &Executor, event: &Recorded) -> Result<BTreeSet<AccountId>, LoadError> {
    Ok(members(&as_it_was(executor, event).await?, |_| true))
}

fn one(account: AccountId) -> BTreeSet<AccountId> {
    BTreeSet::from([account])
}

fn members(of: &Workspace, is_mailed: impl Fn(Role) -> bool) -> BTreeSet<AccountId> {
    let members = of.live().into_iter().flat_map(|live| &live.members);
    members.filter(|(_, role)| is_mailed(**role)).map(|(account, _)| *account).collect()
}

/// One mail for each person. Whose account cannot be read keeps none from the others.
async fn requests(
    executor: &Executor,
    event: &Recorded,
    notice: &Notice,
    to: BTreeSet<AccountId>,
) -> Result<Vec<MailRequest>, WorkerError> {
    let mut requests = Vec::new();
    for account in to {
        let address = match verified_address(executor, account, None).await {
            Err(error) if error.is_of_stream() => {
                tracing::error!(%account, %error, "a member is not mailed, whose account cannot be read");
                continue;
            }
            address => address?,
        };
        requests.extend(address.map(|address| request(event, notice, account, address)));
    }
    Ok(requests)
}

/// An address that is not verified may belong to a stranger. `until`: of the account as it was then.
async fn verified_address(
    executor: &Executor,
    account: AccountId,
    until: Option<Until>,
) -> Result<Option<Sealed>, LoadError> {
    let loaded = match until {
        Some(until) => executor.load_until::<Account>(account.into(), account.0, until).await?,
        None => executor.load::<Account>(account.into(), account.0).await?,
    };
    let Account::Live(live) = &*loaded.state else { return Ok(None) };
    Ok(live.email.sealed().filter(|_| live.email_verified).cloned())
}

fn request(event: &Recorded, notice: &Notice, account: AccountId, address: Sealed) -> MailRequest {
    MailRequest {
        cause: event.event_id(),
        kind: notice.kind,
        tenant: account.into(),
        subject: account.into(),
        address,
        reference: notice.reference,
        until: notice.until,
    }
}

/// Whether the account of this event has a verified address now: without one, nobody is mailed.
pub(super) async fn is_verified(executor: &Executor, event: &Recorded) -> Result<bool, LoadError> {
    let account = AccountId(event.stream_id());
    Ok(verified_address(executor, account, None).await?.is_some())
}

/// A mail about the account itself, to the verified address that it had then: whoever signs in may change it at once.
pub(super) async fn of_account(
    executor: &Executor,
    event: &Recorded,
    kind: MailKind,
) -> Result<Option<MailRequest>, WorkerError> {
    let account = AccountId(event.stream_id());
    let notice = Notice { kind, reference: None, until: Some(event.recorded_at()) };
    let then = Some(Until::Version(event.version()));
    let address = verified_address(executor, account, then).await?;
    Ok(address.map(|address| request(event, &notice, account, address)))
}
