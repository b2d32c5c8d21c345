//! Who acts in a workspace, and whether they may: one rule for the admission of a request and for its append.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{LiveWorkspace, Right, Role, Workspace, WorkspaceAction, WorkspaceError};
use crate::{AccountId, ApiTokenId, ApiTokenSecretId};

/// Who acts: a person, or a token that acts for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// In person, with a session.
    Member(AccountId),
    /// A token of the workspace, by one of its secrets.
    Token(ApiTokenId, ApiTokenSecretId),
}

/// Somebody who belongs to the workspace, and what they may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// The member; that of the token, if it is one.
    pub account: AccountId,
    /// What the member is.
    pub role: Role,
    /// The member is a service account, and no person.
    pub is_service_account: bool,
    /// What the token may do, if the member may; `None` for a person.
    pub scopes: Option<BTreeSet<Right>>,
}

impl Acting {
    /// # Errors
    /// `NeedsRight`: the role does not have it, or the token's scopes.
    pub fn needs(&self, right: Right) -> Result<(), WorkspaceError> {
        let in_scope = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&right));
        if self.role.may(right) && in_scope {
            return Ok(());
        }
        Err(WorkspaceError::NeedsRight(right))
    }
}

impl Workspace {
    /// Who that is now.
    ///
    /// # Errors
    /// `Unknown`: it does not exist, or is deleted. `NotAMember`. `TokenGone`: revoked, expired, by a secret that
    /// works no more, or its member belongs no more.
    pub fn acting(&self, by: Actor, now: DateTime<Utc>) -> Result<Acting, WorkspaceError> {
        self.live().ok_or(WorkspaceError::Unknown)?.acting(by, now)
    }
}

impl LiveWorkspace {
    fn acting(&self, by: Actor, now: DateTime<Utc>) -> Result<Acting, WorkspaceError> {
        match by {
            Actor::Member(account) => {
                let role = self.role(account)?;
                Ok(Acting { account, role, is_service_account: false, scopes: None })
            }
            Actor::Token(token, secret) => {
                let found = self.tokens.get(&token).filter(|token| token.works_with(secret, now));
                let token = found.ok_or(WorkspaceError::TokenGone)?;
                let account = token.account;
                let role = self.role(account).map_err(|_| WorkspaceError::TokenGone)?;
                let is_service_account = self.service_accounts.contains_key(&account);
                Ok(Acting { account, role, is_service_account, scopes: Some(token.rights.clone()) })
            }
        }
    }

    /// Whether anything begins in it.
    ///
    /// # Errors
    /// `DeletionRequested`, until the request is cancelled. `Restricted`: nobody owns it.
    pub fn may_begin(&self) -> Result<(), WorkspaceError> {
        if self.deletion.is_some() {
            return Err(WorkspaceError::DeletionRequested);
        }
        if self.is_restricted() { Err(WorkspaceError::Restricted) } else { Ok(()) }
    }

    /// # Errors
    /// As of [`Self::may_begin`], for an action that is not possible meanwhile.
    pub fn allows(&self, action: WorkspaceAction) -> Result<(), WorkspaceError> {
        self.unless_begun(action.allowed_in_grace(), action.allowed_while_restricted())
    }

    pub(super) fn unless_begun(
        &self,
        in_grace: bool,
        while_restricted: bool,
    ) -> Result<(), WorkspaceError> {
        match self.may_begin() {
            Err(WorkspaceError::DeletionRequested) if in_grace => Ok(()),
            Err(WorkspaceError::Restricted) if while_restricted => Ok(()),
            answer => answer,
        }
    }

    /// Whatever became of the token by which `requester` has requested it.
    ///
    /// # Errors
    /// `NotAMember`. `NeedsRight`: the role does not start runs.
    pub(super) fn begin_run(&self, requester: Option<AccountId>) -> Result<(), WorkspaceError> {
        requester.map_or(Ok(()), |account| self.needs(account, Right::StartRuns).map(drop))
    }

    /// `also`: a right beside that of the action.
    pub(super) fn act(
        &self,
        by: Actor,
        action: Option<WorkspaceAction>,
        also: Option<Right>,
        now: DateTime<Utc>,
    ) -> Result<(), WorkspaceError> {
        let acting = self.acting(by, now)?;
        if let Some(action) = action {
            self.allows(action)?;
            acting.needs(action.right())?;
        }
        also.map_or(Ok(()), |right| acting.needs(right))
    }
}
