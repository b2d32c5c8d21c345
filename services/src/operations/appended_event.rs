//! The event that a command appended, for an answer that it has to hold.

use infra::event_store::Receipt;
use infra::log::{Feed, FeedError, Recorded};
use infra::postgres::PgError;

use crate::wiring::App;

/// The first event of a receipt; `None` when nothing was appended.
///
/// # Errors
/// The log was not read.
pub(super) async fn appended_event(
    app: &App,
    receipt: &Receipt,
) -> Result<Option<Recorded>, FeedError> {
    let Some(first) = receipt.events().first() else { return Ok(None) };
    let client = app.pool.get().await.map_err(PgError::from)?;
    Ok(Feed::page(&client, first.position - 1, 1).await?.pop())
}
