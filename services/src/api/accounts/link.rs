//! The body of a request that follows a mailed link.

use domain::account::AccountError;
use domain::{AccountId, LinkId, ProofId, SubjectId};
use infra::keyring::{LinkPurpose, ReadLink};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::problem::{Problem, ProblemKind};

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

    /// The account that the link was sent to, and what it proves.
    ///
    /// # Errors
    /// It was not made for this purpose, or is over.
    pub async fn account(
        &self,
        api: &Api,
        purpose: LinkPurpose,
    ) -> Result<(AccountId, ProofId), Problem> {
        let (of, id) = self.subject(api, purpose).await?;
        Ok((AccountId(of.0), ProofId(id.0)))
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
