//! A workspace: who belongs to it, and as what. It has an owner, or is restricted, or is being deleted.

mod act;
mod action;
mod command;
mod deletion;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod invitations;
mod limits;
mod members;
mod role;
mod service_accounts;
mod succession;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use act::{Acting, Actor};
pub use action::{ActingAccount, WorkspaceAction};
pub use command::{Hastening, WorkspaceCommand};
pub use deletion::Deletion;
pub use error::WorkspaceError;
pub use event::WorkspaceEvent;
pub use invitations::Invitation;
pub use limits::{
    INVITATION_DAYS_MAX, INVITATIONS_MAX, MEMBERS_MAX, OVERLAP_MINUTES_MAX, SERVICE_ACCOUNTS_MAX,
    TOKEN_DAYS_MAX, TOKENS_MAX,
};
pub use role::{Right, Role};
pub use service_accounts::ServiceAccount;
use tokens::Rotation;
pub use tokens::{ApiToken, FormerSecret};

use crate::privacy::{Personal, WorkspaceName};
use crate::{AccountId, AggregateRoot, ApiTokenId, InvitationId};

/// The state of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workspace {
    /// Not created.
    #[default]
    Absent,
    /// Created, and not deleted. Its deletion may have been requested.
    Live(Box<LiveWorkspace>),
    /// Deleted.
    Ended,
}

/// What decisions about a workspace rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveWorkspace {
    /// What people call it.
    pub name: Personal<WorkspaceName>,
    /// The people who belong to it. One at least is an owner, unless it is restricted, or being deleted.
    pub members: BTreeMap<AccountId, Role>,
    /// Members without a person.
    pub service_accounts: BTreeMap<AccountId, ServiceAccount>,
    /// The admins who have agreed to inherit it, the first to agree first.
    pub heirs: Vec<AccountId>,
    /// Two at least have been in it at once, maybe long ago.
    pub was_shared: bool,
    /// Those that are open.
    pub invitations: BTreeMap<InvitationId, Invitation>,
    /// Those that are not revoked; some may have expired, which are revoked as others are issued.
    pub tokens: BTreeMap<ApiTokenId, ApiToken>,
    /// A deletion that was requested and not cancelled.
    pub deletion: Option<Deletion>,
    /// When those were requested that were cancelled last: ten at most, the earliest first.
    pub cancelled: Vec<DateTime<Utc>>,
}

impl Workspace {
    /// The workspace, unless it is not created yet or deleted.
    pub fn live(&self) -> Option<&LiveWorkspace> {
        match self {
            Self::Live(live) => Some(live),
            Self::Absent | Self::Ended => None,
        }
    }

    /// What the person is in it, while it lives.
    pub fn role_of(&self, account: AccountId) -> Option<Role> {
        self.live()?.members.get(&account).copied()
    }
}

impl AggregateRoot for Workspace {
    const SNAPSHOT_VERSION: i16 = 7;

    fn decide(&self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        match (self, command) {
            (Self::Absent, WorkspaceCommand::Create { name, owner }) => Ok(vec![
                WorkspaceEvent::Created { name },
                WorkspaceEvent::MemberJoined { account: owner, role: Role::Owner },
            ]),
            (Self::Live(_) | Self::Ended, WorkspaceCommand::Create { .. }) => {
                Err(WorkspaceError::AlreadyExists)
            }
            (Self::Live(live), command) => live.decide(command),
            (
                Self::Ended,
                WorkspaceCommand::CompleteDeletion { .. }
                | WorkspaceCommand::RepeatDeletion { .. }
                | WorkspaceCommand::NobodyDepends { .. },
            ) => Ok(vec![]),
            (Self::Absent | Self::Ended, _) => Err(WorkspaceError::Unknown),
        }
    }
}

impl Aggregate for Workspace {
    const TYPE: &'static str = "workspace";
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Error = WorkspaceError;
    type Services = ();

    async fn handle(
        &mut self,
        command: WorkspaceCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), WorkspaceError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: WorkspaceEvent) {
        match (&mut *self, event) {
            (_, WorkspaceEvent::Created { name }) => {
                *self = Self::Live(Box::new(LiveWorkspace {
                    name,
                    members: BTreeMap::new(),
                    service_accounts: BTreeMap::new(),
                    heirs: Vec::new(),
                    was_shared: false,
                    invitations: BTreeMap::new(),
                    tokens: BTreeMap::new(),
                    deletion: None,
                    cancelled: Vec::new(),
                }));
            }
            (_, WorkspaceEvent::Deleted { .. }) => *self = Self::Ended,
            (Self::Live(live), event) => live.apply(event),
            (Self::Absent | Self::Ended, _) => {}
        }
    }
}

impl LiveWorkspace {
    #[allow(clippy::too_many_lines, reason = "an arm for each command")]
    fn decide(&self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.unless_begun(command.allowed_in_grace(), command.allowed_while_restricted())?;
        match command {
            WorkspaceCommand::Create { .. } => Err(WorkspaceError::AlreadyExists),
            WorkspaceCommand::Act { by, action, also, now } => {
                self.act(by, action, also, now).map(|()| vec![])
            }
            WorkspaceCommand::RemainOwner { account } => {
                self.remain_owner(account).map(|()| vec![])
            }
            WorkspaceCommand::SharesNoOwnership { account } => {
                self.shares_no_ownership(account).map(|()| vec![])
            }
            WorkspaceCommand::RemainHeir { account } => self.remain_heir(account).map(|()| vec![]),
            WorkspaceCommand::NobodyDepends { on } => self.nobody_depends(on).map(|()| vec![]),
            WorkspaceCommand::BeginRun { requester } => self.begin_run(requester).map(|()| vec![]),
            WorkspaceCommand::Rename { by, name } => {
                self.needs(by, Right::ManageWorkspace)?;
                Ok(vec![WorkspaceEvent::Renamed { name }])
            }
            WorkspaceCommand::ChangeRole { by, member, role } => self.change_role(by, member, role),
            WorkspaceCommand::RemoveMember { by, member, now } => {
                self.remove_member(by, member, now)
            }
            WorkspaceCommand::RemoveErasedMember { member, heir } => {
                self.remove_erased_member(member, heir)
            }
            WorkspaceCommand::AgreeSuccession { by } => self.agree_succession(by),
            WorkspaceCommand::WithdrawSuccession { by } => self.withdraw_succession(by),
            WorkspaceCommand::AppointOwner { member } => self.appoint_owner(member),
            WorkspaceCommand::OpenMemberNames { by, purpose, count } => {
                self.open_names(by, purpose, count)
            }
            WorkspaceCommand::Invite { by, invitation, email, role, now, until, replaces } => {
                self.invite(invitation, Invitation { email, role, by, until }, now, replaces)
            }
            WorkspaceCommand::AcceptInvitation { by, invitation, now } => {
                self.accept(by, invitation, now)
            }
            WorkspaceCommand::DeclineInvitation { invitation } => self.decline(invitation),
            WorkspaceCommand::RevokeInvitation { by, invitation } => {
                self.revoke_invitation(by, invitation)
            }
            WorkspaceCommand::ExpireInvitation { invitation, now } => {
                self.expire_invitation(invitation, now)
            }
            WorkspaceCommand::CreateServiceAccount { by, account, name, role } => {
                self.create_service_account(by, account, ServiceAccount { name, role })
            }
            WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at } => {
                self.issue_token((by, account), token, rights, (now, expires_at))
            }
            WorkspaceCommand::RenameApiToken { by, token } => self.rename_token(by, token),
            WorkspaceCommand::RotateApiToken { by, token, secret, now, overlap, expires_at } => {
                self.rotate_token(by, token, Rotation { secret, overlap, expires_at }, now)
            }
            WorkspaceCommand::RevokeApiToken { by, token } => self.revoke_token(by, token),
            WorkspaceCommand::RevokeTokensOf { member, ended } => {
                Ok(self.revoke_tokens_of(member, &ended))
            }
            WorkspaceCommand::RequestDeletion { by, now, due, requested_before } => {
                self.request_deletion(by, Deletion { requested_at: now, due }, &requested_before)
            }
            WorkspaceCommand::HastenDeletion { by, now, due } => self.hasten_deletion(by, now, due),
            WorkspaceCommand::CancelDeletion { by, now } => self.cancel_deletion(by, now),
            WorkspaceCommand::Keep { owner, role_before, now } => {
                self.keep(owner, role_before, now)
            }
            WorkspaceCommand::Abandon { member, now } => self.abandon(member, now),
            WorkspaceCommand::CompleteDeletion { now } => self.complete_deletion(now),
            WorkspaceCommand::RestoreDeletion { requested_at, due } => {
                Ok(self.restore_deletion(Deletion { requested_at, due }))
            }
            WorkspaceCommand::RepeatDeletion { requested_at } => {
                Ok(vec![WorkspaceEvent::Deleted { requested_at }])
            }
        }
    }

    fn apply(&mut self, event: WorkspaceEvent) {
        match event {
            WorkspaceEvent::Renamed { name } => self.name = name,
            WorkspaceEvent::MemberJoined { account, role }
            | WorkspaceEvent::RoleChanged { account, to: role, .. } => {
                self.members.insert(account, role);
                self.was_shared |= self.members.len() > 1;
                // Whoever is an admin again has not agreed again.
                self.heirs.retain(|heir| *heir != account);
            }
            WorkspaceEvent::MemberRemoved { account } => {
                self.members.remove(&account);
                self.heirs.retain(|heir| *heir != account);
            }
            WorkspaceEvent::SuccessionAgreed { account } => self.heirs.push(account),
            WorkspaceEvent::SuccessionWithdrawn { account } => {
                self.heirs.retain(|heir| *heir != account);
            }
            WorkspaceEvent::MemberInvited { invitation, email, role, by, until } => {
                self.invitations.insert(invitation, Invitation { email, role, by, until });
            }
            WorkspaceEvent::InvitationAccepted { invitation, .. }
            | WorkspaceEvent::InvitationDeclined { invitation }
            | WorkspaceEvent::InvitationRevoked { invitation }
            | WorkspaceEvent::InvitationExpired { invitation } => {
                self.invitations.remove(&invitation);
            }
            WorkspaceEvent::ServiceAccountCreated { account, name, role } => {
                self.service_accounts.insert(account, ServiceAccount { name, role });
            }
            WorkspaceEvent::ServiceAccountRoleChanged { account, to, .. } => {
                if let Some(of) = self.service_accounts.get_mut(&account) {
                    of.role = to;
                }
            }
            WorkspaceEvent::ServiceAccountRemoved { account } => {
                self.service_accounts.remove(&account);
            }
            WorkspaceEvent::ApiTokenIssued { token, account, rights, expires_at } => {
                let rights = rights.into_iter().collect();
                self.tokens.insert(token, ApiToken::issued(token, account, rights, expires_at));
            }
            WorkspaceEvent::ApiTokenRotated { token, secret, former_until, expires_at } => {
                if let Some(token) = self.tokens.get_mut(&token) {
                    token.rotate(secret, former_until, expires_at);
                }
            }
            WorkspaceEvent::ApiTokenRevoked { token } => {
                self.tokens.remove(&token);
            }
            WorkspaceEvent::DeletionRequested { requested_at, due } => {
                self.deletion = Some(Deletion { requested_at, due });
            }
            WorkspaceEvent::DeletionHastened { due } => {
                if let Some(deletion) = &mut self.deletion {
                    deletion.due = due;
                }
            }
            WorkspaceEvent::DeletionCancelled {} => {
                self.cancelled.extend(self.deletion.take().map(|deletion| deletion.requested_at));
                let too_many = self.cancelled.len().saturating_sub(deletion::CANCELLED_MAX);
                self.cancelled.drain(..too_many);
            }
            // That nobody owns it is seen from its members; the name of a token is kept outside the log.
            WorkspaceEvent::Restricted {}
            | WorkspaceEvent::ApiTokenRenamed { .. }
            | WorkspaceEvent::Created { .. }
            | WorkspaceEvent::MemberNamesOpened { .. }
            | WorkspaceEvent::Deleted { .. } => {}
        }
    }
}
