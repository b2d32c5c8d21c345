//! The body of a request that follows a mailed link.

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, AccountError};
use domain::{AccountId, AggregateRoot, LinkId, ProofId, SubjectId};
use infra::keyring::{LinkPurpose, ReadLink};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::problem::{Problem, ProblemKind};

/// What the links of one purpose do.
pub struct ByLink {
    pub purpose: LinkPurpose,
    pub command: fn(ProofId, DateTime<Utc>) -> AccountCommand,
}

/// The secret of a link that was mailed.
#[derive(ToSchema)]
#[schema(as = Link, example = json!({ "token": "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_" }))]
pub struct LinkRequest {
    #[schema(min_length = 1)]
    token: String,
}

impl FromFields for LinkRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Self::token(fields).map(Self::new)
    }
}

impl LinkRequest {
    pub const fn new(token: String) -> Self {
        Self { token }
    }

    pub fn token(fields: &mut Fields) -> Option<String> {
        fields.required("token", text(|token| Ok::<_, String>(token.to_owned())))
    }

    /// The account that the link was sent to, if following it would do what it is for. Nothing changes.
    ///
    /// # Errors
    /// It was not made for this purpose, or is used, replaced or over.
    pub async fn look(&self, api: &Api, by: &ByLink) -> Result<AccountId, Problem> {
        let (account, command) = self.follow(api, by).await?;
        let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
        let decided = loaded.state.decide(command).map(|_| account);
        decided.map_err(|refused| over_with_account(refused.into()))
    }

    /// The account that the link was sent to, and the command that it stands for.
    ///
    /// # Errors
    /// It was not made for this purpose, or is over.
    pub async fn follow(
        &self,
        api: &Api,
        by: &ByLink,
    ) -> Result<(AccountId, AccountCommand), Problem> {
        let (of, id) = self.subject(api, by.purpose).await?;
        let command = (by.command)(ProofId(id.0), api.app.clock.now());
        Ok((AccountId(of.0), command))
    }

    /// The account or the workspace that the link is about, and what it names.
    ///
    /// # Errors
    /// It was not made for this purpose, or is over.
    pub async fn subject(
        &self,
        api: &Api,
        purpose: LinkPurpose,
    ) -> Result<(SubjectId, LinkId), Problem> {
        match api.app.keyring.link_tokens.read(purpose, &self.token).await? {
            ReadLink::Made { of, id } => Ok((of, id)),
            ReadLink::Over => Err(AccountError::LinkExpired.into()),
            ReadLink::NotOurs => Err(Problem::of(ProblemKind::LinkInvalid)),
        }
    }
}

/// The link of an account that is erased is over as well.
pub fn over_with_account(problem: Problem) -> Problem {
    let is_gone = problem.kind() == ProblemKind::NotFound;
    if is_gone { AccountError::LinkExpired.into() } else { problem }
}
