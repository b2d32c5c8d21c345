//! Look-up by idempotency key: the events that an earlier call of a command appended.

use domain::EventId;
use tokio_postgres::Row;

use crate::event_store::error::ExecuteError;
use crate::event_store::receipt::AppendedEvent;
use crate::event_store::request::Request;
use crate::keyring::RequestMacs;
use crate::postgres::{PgError, Pool};

/// `None` when the command id is new, or older than 30 days.
///
/// # Errors
/// `Reused` when it was used with another request; `Unavailable` when the events cannot be read:
/// the command may have been executed.
pub async fn look_up(
    pool: &Pool,
    request: &Request,
    macs: Option<RequestMacs>,
) -> Result<Option<Vec<AppendedEvent>>, ExecuteError> {
    let rows = find(pool, request).await.map_err(unknown)?;
    let Some(first) = rows.first() else { return Ok(None) };
    if !same(first.try_get(4).map_err(unknown)?, macs) {
        return Err(ExecuteError::Reused);
    }
    let events = rows.iter().map(appended).collect::<Result<_, _>>();
    Ok(Some(events.map_err(unknown)?))
}

fn unknown(error: impl Into<PgError>) -> ExecuteError {
    let error = error.into();
    ExecuteError::Unavailable(format!(
        "an earlier call of the command cannot be looked up: {error}"
    ))
}

async fn find(pool: &Pool, request: &Request) -> Result<Vec<Row>, PgError> {
    let client = pool.get().await?;
    let look_up = client.prepare_cached(include_str!("look_up.sql")).await?;
    Ok(client.query(&look_up, &[&request.tenant.0, &request.command.0]).await?)
}

fn appended(row: &Row) -> Result<AppendedEvent, tokio_postgres::Error> {
    Ok(AppendedEvent {
        id: EventId(row.try_get(0)?),
        position: row.try_get(1)?,
        stream: row.try_get(2)?,
        version: row.try_get(3)?,
    })
}

/// Compares them in the same way as `event_log.append_guarded`.
fn same(stored: Option<&[u8]>, macs: Option<RequestMacs>) -> bool {
    match (stored, macs) {
        (None, None) => true,
        (Some(stored), Some(macs)) => {
            stored == macs.today || macs.before.is_some_and(|before| stored == before)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_recognised_under_the_key_of_either_day_and_only_with_a_body_where_it_had_one() {
        let macs = RequestMacs { today: [1; 32], before: Some([2; 32]) };
        let without_before = RequestMacs { before: None, ..macs };
        assert!(same(Some(&[1; 32]), Some(macs)));
        assert!(same(Some(&[2; 32]), Some(macs)));
        assert!(!same(Some(&[2; 32]), Some(without_before)));
        assert!(!same(Some(&[3; 32]), Some(macs)));
        assert!(same(None, None));
        assert!(!same(Some(&[1; 32]), None));
        assert!(!same(None, Some(macs)));
    }
}
