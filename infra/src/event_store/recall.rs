//! What a command was answered when it came before.

use deadpool_postgres::GenericClient;

use super::append::{Answer, Reached};
use super::{LoadError, Request};
use crate::keyring::RequestMacs;
use crate::postgres::Pool;

/// `None` when the command id is new.
pub(super) async fn recall(
    pool: &Pool,
    request: &Request,
    macs: Option<RequestMacs>,
) -> Result<Option<Answer>, LoadError> {
    let client = pool.get().await?;
    let recall = client.prepare_cached(include_str!("recall.sql")).await?;
    let found = client.query_opt(&recall, &[&request.tenant.0, &request.command.0]).await?;
    let Some(row) = found else { return Ok(None) };
    if !same(row.try_get(2)?, macs) {
        return Ok(Some(Answer::Reused));
    }
    let streams: Vec<Reached> = row.try_get(3)?;
    Ok(Some(Answer::Replayed { first: row.try_get(0)?, last: row.try_get(1)?, streams }))
}

/// As `event_log.append` compares them.
fn same(stored: Option<&[u8]>, macs: Option<RequestMacs>) -> bool {
    match (stored, macs) {
        (None, None) => true,
        (Some(stored), Some(macs)) => {
            stored == macs.today || macs.before.is_some_and(|before| stored == before)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}
