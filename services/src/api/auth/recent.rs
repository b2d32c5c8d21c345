//! Asks for the password, unless it was verified a moment ago: when the session was opened.

use chrono::{DateTime, TimeDelta, Utc};
use infra::event_store::Request;
use secrecy::SecretString;

use crate::api::Api;
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::step_up;
use crate::api::http::problem::{Problem, ProblemKind};

/// A session counts as recent for so long.
const RECENT: TimeDelta = TimeDelta::minutes(10);

/// Somebody who is to show the password.
pub struct Recent {
    pub signed_in: SignedIn,
    /// Whether a recent session is enough.
    pub may_omit: bool,
    pub now: DateTime<Utc>,
}

impl Recent {
    /// A password that is sent is verified in any case: [`step_up`].
    ///
    /// # Errors
    /// None is sent, and one is needed; or as of [`step_up`].
    pub async fn verify(
        self,
        api: &Api,
        request: &mut Request,
        password: Option<&SecretString>,
    ) -> Result<(), Problem> {
        let Self { signed_in, may_omit, now } = self;
        match password {
            Some(password) => {
                step_up(api, request, signed_in.account, password).await?;
                Ok(())
            }
            None if may_omit && now < signed_in.opened_at + RECENT => Ok(()),
            None => Err(Problem::of(ProblemKind::PasswordNeeded)),
        }
    }
}
