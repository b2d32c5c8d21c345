//! A generation that nobody wants any more.

use tokio_postgres::Error;

use super::error::{Refused, retried};
use super::{
    Generation, GenerationError, GenerationState, drop_now_or_later, find, free_checkpoint, id_of,
    lock,
};
use crate::log::Reader;
use crate::log::any_projection::view_name;
use crate::postgres::{Pool, Transaction};

const END: &str = include_str!("end.sql");
const RELATIONS: &str = include_str!("relations.sql");
/// Whoever builds one ends that first, or has ended.
const IS_DISCARDABLE: &str = "state in ('joined', 'kept') or state in ('requested', 'building') \
    and (lease_until is null or lease_until <= clock_timestamp())";

/// Drops a generation that is joined or kept, or what a replay has left that does not run any more.
///
/// # Errors
/// [`GenerationError`]; the generation is as it was.
pub async fn discard(pool: &Pool, reader: &Reader, generation: i32) -> Result<(), GenerationError> {
    let id = id_of(reader)?;
    retried(move || try_discard(pool, id, generation)).await
}

async fn try_discard(pool: &Pool, id: (&'static str, i16), generation: i32) -> Result<(), Refused> {
    let mut client = pool.get().await.map_err(GenerationError::from)?;
    let tx = client.transaction().await?;
    lock(&tx, id).await?;
    let of = (id.0, id.1, generation);
    if !end(&tx, of, IS_DISCARDABLE, (GenerationState::Cancelled, None)).await? {
        return Err(refusal(find(&tx, id, generation).await?).into());
    }
    free_checkpoint(&tx, id).await?;
    tx.commit().await?;
    drop_now_or_later(&mut client, of).await;
    Ok(())
}

fn refusal(Generation { generation, state, .. }: Generation) -> GenerationError {
    let needed = match state {
        GenerationState::Live => "promote another one first",
        GenerationState::Requested | GenerationState::Building => "end its replay first",
        GenerationState::Joined
        | GenerationState::Kept
        | GenerationState::Dropped
        | GenerationState::Cancelled
        | GenerationState::Failed => "discard one that is joined or kept",
    };
    GenerationError::State { generation, state, needed }
}

/// Ends a generation if `condition` holds for its row: no reader writes it, and no replay builds it on. One that was not
/// whole gets the state and the error. Its table is left. `false`: the condition does not hold.
pub(super) async fn end(
    tx: &Transaction<'_>,
    (name, version, generation): (&str, i16, i32),
    condition: &str,
    (state, error): (GenerationState, Option<&str>),
) -> Result<bool, Error> {
    let end = tx.prepare_cached(&END.replace("{condition}", condition)).await?;
    let state = state.as_str();
    let ended = tx.query_opt(&end, &[&name, &version, &generation, &state, &error]).await?;
    Ok(ended.is_some())
}

/// Drops the view of a version, and every table of its generations. Their rows are left.
pub(in crate::log) async fn drop_all(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
) -> Result<(), Error> {
    let view = view_name(name, version);
    for row in tx.query(RELATIONS, &[&view, &name, &version]).await? {
        tx.batch_execute(row.try_get(0)?).await?;
    }
    Ok(())
}
