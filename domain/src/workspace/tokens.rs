//! Tokens that act for a member: with some of the member's rights, for some time.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::limits::{OVERLAP_MINUTES_MAX, TOKEN_DAYS_MAX, TOKENS_MAX};
use super::{LiveWorkspace, Right, WorkspaceError, WorkspaceEvent};
use crate::{AccountId, ApiTokenId, ApiTokenSecretId};

/// Expired tokens that are revoked as another one is issued: more than come, so that they do not add up.
const REVOKED_AT_ONCE: usize = 10;

/// A token that has not been revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Whom it acts for: it may never do what this member may not.
    pub account: AccountId,
    /// What it may do, if its member may: those of [`Right::is_for_tokens`] only.
    pub rights: BTreeSet<Right>,
    /// From here on it does nothing.
    pub expires_at: DateTime<Utc>,
    /// What it is shown by.
    pub secret: ApiTokenSecretId,
    /// What it was shown by before, which may work still.
    pub former: Option<FormerSecret>,
}

/// A secret of a token that has another one since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSecret {
    /// Which one.
    pub secret: ApiTokenSecretId,
    /// From here on it does nothing.
    pub until: DateTime<Utc>,
}

/// What becomes of a token that is rotated.
pub(super) struct Rotation {
    pub secret: ApiTokenSecretId,
    pub overlap: TimeDelta,
    pub expires_at: Option<DateTime<Utc>>,
}

impl ApiToken {
    /// As it is issued: its first secret has its own id.
    pub fn issued(
        token: ApiTokenId,
        account: AccountId,
        rights: BTreeSet<Right>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        Self { account, rights, expires_at, secret: token.into(), former: None }
    }

    /// The former secret, while it works.
    pub fn working_former(&self, now: DateTime<Utc>) -> Option<FormerSecret> {
        self.former.filter(|former| now < former.until)
    }

    /// Whether it acts for whoever shows this secret.
    pub fn works_with(&self, secret: ApiTokenSecretId, now: DateTime<Utc>) -> bool {
        let is_former = self.working_former(now).is_some_and(|former| former.secret == secret);
        now < self.expires_at && (self.secret == secret || is_former)
    }

    pub(super) fn rotate(
        &mut self,
        secret: ApiTokenSecretId,
        former_until: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) {
        self.former = Some(FormerSecret { secret: self.secret, until: former_until });
        (self.secret, self.expires_at) = (secret, expires_at);
    }
}

impl LiveWorkspace {
    pub(super) fn issue_token(
        &self,
        (by, account): (AccountId, AccountId),
        token: ApiTokenId,
        mut rights: Vec<Right>,
        (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageTokens)?;
        rights.sort_unstable();
        rights.dedup();
        if rights.is_empty() {
            return Err(WorkspaceError::NoRights);
        }
        for right in &rights {
            if !right.is_for_tokens() {
                return Err(WorkspaceError::NotForTokens(*right));
            }
            self.needs(by, *right)?;
        }
        if account != by {
            let of = self.service_accounts.get(&account);
            let role = of.ok_or(WorkspaceError::NoSuchServiceAccount)?.role;
            if let Some(lacking) = rights.iter().find(|right| !role.may(**right)) {
                return Err(WorkspaceError::ServiceAccountLacks(*lacking));
            }
        }
        ends_in_time(expires_at, now)?;
        let is_expired = |token: &ApiToken| token.expires_at <= now;
        let working = self.tokens.values().filter(|token| !is_expired(token)).count();
        if working >= TOKENS_MAX {
            return Err(WorkspaceError::TokensMax(TOKENS_MAX));
        }
        let expired = self.tokens.iter().filter(|(_, token)| is_expired(token));
        let mut events =
            vec![WorkspaceEvent::ApiTokenIssued { token, account, rights, expires_at }];
        events.extend(
            expired
                .take(REVOKED_AT_ONCE)
                .map(|(id, _)| WorkspaceEvent::ApiTokenRevoked { token: *id }),
        );
        Ok(events)
    }

    pub(super) fn rename_token(
        &self,
        by: AccountId,
        id: ApiTokenId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.managed_token(by, id)?;
        Ok(vec![WorkspaceEvent::ApiTokenRenamed { token: id }])
    }

    pub(super) fn rotate_token(
        &self,
        by: AccountId,
        id: ApiTokenId,
        rotation: Rotation,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let token = self.managed_token(by, id)?;
        if self.service_accounts.contains_key(&token.account) {
            // Whoever has a secret does what the token may do.
            for right in &token.rights {
                self.needs(by, *right)?;
            }
        } else if token.account != by {
            return Err(WorkspaceError::TokenOfAnother);
        }
        if now >= token.expires_at {
            return Err(WorkspaceError::TokenExpired);
        }
        let Rotation { secret, overlap, expires_at } = rotation;
        if overlap < TimeDelta::zero() || overlap > TimeDelta::minutes(OVERLAP_MINUTES_MAX) {
            return Err(WorkspaceError::OverlapOutOfRange);
        }
        if !overlap.is_zero()
            && let Some(former) = token.working_former(now)
        {
            return Err(WorkspaceError::FormerSecretWorks(former.until));
        }
        let former_until = token.expires_at.min(now + overlap);
        let expires_at = expires_at.unwrap_or(token.expires_at);
        ends_in_time(expires_at, now)?;
        Ok(vec![WorkspaceEvent::ApiTokenRotated { token: id, secret, former_until, expires_at }])
    }

    /// A token, for a member who may manage it.
    fn managed_token(&self, by: AccountId, id: ApiTokenId) -> Result<&ApiToken, WorkspaceError> {
        self.needs(by, Right::ManageTokens)?;
        self.tokens.get(&id).ok_or(WorkspaceError::NoSuchToken)
    }

    pub(super) fn revoke_token(
        &self,
        by: AccountId,
        id: ApiTokenId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.managed_token(by, id)?;
        Ok(vec![WorkspaceEvent::ApiTokenRevoked { token: id }])
    }

    /// Of these tokens, those that act for the member and are not revoked yet.
    pub(super) fn revoke_tokens_of(
        &self,
        member: AccountId,
        ended: &[ApiTokenId],
    ) -> Vec<WorkspaceEvent> {
        let of =
            self.tokens.iter().filter(|(id, token)| token.account == member && ended.contains(id));
        of.map(|(token, _)| WorkspaceEvent::ApiTokenRevoked { token: *token }).collect()
    }
}

fn ends_in_time(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), WorkspaceError> {
    if expires_at <= now || expires_at > now + TimeDelta::days(TOKEN_DAYS_MAX) {
        return Err(WorkspaceError::TokenDays);
    }
    Ok(())
}
