//! Tokens that the same request has again.

use infra::bearer::BearerToken;
use infra::event_store::Request;
use infra::random::NoRandomness;

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::http::problem::Problem;

/// What kind of tokens they are.
#[derive(Clone, Copy)]
pub struct TokenKind {
    /// No two kinds have the same one.
    pub label: &'static str,
    pub draw: fn() -> Result<BearerToken, NoRandomness>,
    pub of_secret: fn(&[u8; 32]) -> BearerToken,
}

impl TokenKind {
    /// The token for what the request makes, and the one that the same request had yesterday. Of a request that
    /// cannot come again it is random.
    ///
    /// # Errors
    /// The keyring does not answer, or the system returned no random bytes.
    pub async fn tokens(
        self,
        api: &Api,
        caller: &Caller,
        request: &Request,
    ) -> Result<Vec<BearerToken>, Problem> {
        let Some(body) = request.body.as_ref().filter(|_| caller.may_repeat()) else {
            let drawn = (self.draw)().map_err(|error| Problem::unavailable(&error))?;
            return Ok(vec![drawn]);
        };
        let of = (request.tenant, request.command);
        let secrets = api.app.keyring.request_macs.secrets(self.label, of, body).await?;
        Ok(secrets.iter().map(|secret| (self.of_secret)(secret)).collect())
    }
}
