//! Tokens that act for a member: with some of the member's rights, for some time.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::limits::{TOKEN_DAYS_MAX, TOKENS_MAX};
use super::{LiveWorkspace, Right, WorkspaceError, WorkspaceEvent};
use crate::{AccountId, ApiTokenId};

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
}

impl LiveWorkspace {
    pub(super) fn issue_token(
        &self,
        account: AccountId,
        token: ApiTokenId,
        mut rights: Vec<Right>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(account, Right::ManageTokens)?;
        rights.sort_unstable();
        rights.dedup();
        if rights.is_empty() {
            return Err(WorkspaceError::NoRights);
        }
        for right in &rights {
            if !right.is_for_tokens() {
                return Err(WorkspaceError::NotForTokens(*right));
            }
            self.needs(account, *right)?;
        }
        if expires_at <= now || expires_at > now + TimeDelta::days(TOKEN_DAYS_MAX) {
            return Err(WorkspaceError::TokenDays);
        }
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

    pub(super) fn revoke_token(
        &self,
        by: AccountId,
        id: ApiTokenId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageTokens)?;
        if !self.tokens.contains_key(&id) {
            return Err(WorkspaceError::NoSuchToken);
        }
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
