//! Ends the API tokens of a person after what ends them, if the request that caused it did not get to it.

use async_trait::async_trait;
use domain::AccountId;
use infra::api_tokens::EndedBy;
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::Transaction;

use crate::operations::end_tokens::EndTokens;
use crate::wiring::App;

pub(super) struct TokenCloser(App);

impl TokenCloser {
    pub(super) fn new(app: &App) -> Self {
        Self(app.clone())
    }
}

#[async_trait]
impl Worker for TokenCloser {
    fn name(&self) -> &'static str {
        "token_closer"
    }

    fn event_types(&self) -> &'static [&'static str] {
        EndTokens::CAUSES
    }

    async fn react(&self, event: &Recorded, _: &Transaction<'_>) -> Result<(), WorkerError> {
        let by = EndedBy { event: event.event_id(), version: event.version() };
        let ends = EndTokens { account: AccountId(event.stream_id()), by };
        let ended = ends.execute(&self.0).await;
        ended.map_err(|error| WorkerError::Unavailable(error.to_string()))
    }
}
