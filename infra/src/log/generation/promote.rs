//! Which generation a projection's view shows.

use tokio_postgres::Error;

use super::error::{Refused, retried};
use super::{
    Generation, GenerationError, GenerationState, Keep, LIMIT_TABLE_WAIT, drop_now_or_later, find,
    free_checkpoint, have_same_columns, id_of, lock, of_version, table_of,
};
use crate::failpoint;
use crate::log::any_projection::view_name;
use crate::log::watermark::Watermark;
use crate::log::{FeedError, Reader};
use crate::postgres::{Pool, Transaction};

const DEMOTE: &str = include_str!("demote.sql");
const PROMOTE: &str = include_str!("promote.sql");

#[derive(Clone, Copy)]
enum Wanted {
    Joined,
    /// The one that was live last.
    Kept,
    This(i32),
}

/// Lets the view show a generation that is joined or kept; `None`: the newest that is joined. The one of before is kept
/// for as long as `keep` says, and the reader writes it on. `known` is compared with the log first: what was built may be
/// of events that the log has lost. Whoever reads the view waits for a tenth of a second at most.
///
/// # Errors
/// [`GenerationError`]; the view shows what it did.
pub async fn promote(
    pool: &Pool,
    reader: &Reader,
    generation: Option<i32>,
    keep: Keep,
    known: &Watermark,
) -> Result<Generation, GenerationError> {
    show(pool, reader, generation.map_or(Wanted::Joined, Wanted::This), keep, known).await
}

/// Lets the view show again what it has shown before: the kept generation that was live last. It has everything that came
/// since.
///
/// # Errors
/// As of [`promote`]; [`GenerationError::NothingKept`].
pub async fn roll_back(
    pool: &Pool,
    reader: &Reader,
    keep: Keep,
    known: &Watermark,
) -> Result<Generation, GenerationError> {
    show(pool, reader, Wanted::Kept, keep, known).await
}

async fn show(
    pool: &Pool,
    reader: &Reader,
    wanted: Wanted,
    keep: Keep,
    known: &Watermark,
) -> Result<Generation, GenerationError> {
    let id = id_of(reader)?;
    retried(move || try_show(pool, id, wanted, keep, known)).await
}

async fn try_show(
    pool: &Pool,
    id: (&'static str, i16),
    wanted: Wanted,
    keep: Keep,
    known: &Watermark,
) -> Result<Generation, Refused> {
    let (name, version) = id;
    let mut client = pool.get().await.map_err(GenerationError::from)?;
    let tx = client.transaction().await?;
    lock(&tx, id).await?;
    known.compare_in(&tx).await.map_err(|error| GenerationError::from(FeedError::from(error)))?;
    let generation = choose(&tx, id, wanted).await?;
    let view = format!("read_models.{}", view_name(name, version));
    let table = table_of(name, version, generation);
    // One with more columns could be shown, and the one of before never again.
    if !have_same_columns(&tx, &view, &table).await? {
        return Err(GenerationError::OtherColumns { generation }.into());
    }
    tx.batch_execute(LIMIT_TABLE_WAIT).await?;
    show_table(&tx, &view, &table).await?;
    let demote = tx.prepare_cached(DEMOTE).await?;
    let seconds = keep.0.map(|keep| keep.as_secs_f64());
    let former = tx.query_opt(&demote, &[&name, &version, &seconds]).await?;
    let promote = tx.prepare_cached(PROMOTE).await?;
    tx.execute(&promote, &[&name, &version, &generation]).await?;
    free_checkpoint(&tx, id).await?;
    let former: Option<i32> = former.map(|row| row.try_get(0)).transpose()?;
    tx.commit().await?;
    failpoint!(ReplayPromoted);
    // Not before: it looks at the sizes of tables, and whoever reads the view would wait.
    let shown = find(&client, id, generation).await?;
    if let (Some(former), None) = (former, keep.0) {
        drop_now_or_later(&mut client, (name, version, former)).await;
    }
    Ok(shown)
}

/// Lets a view show a table, which has its columns. The view is made, if there is none.
pub(in crate::log) async fn show_table(
    tx: &Transaction<'_>,
    view: &str,
    table: &str,
) -> Result<(), Error> {
    let show = format!("create or replace view {view} as select * from {table}");
    tx.batch_execute(&show).await
}

async fn choose(
    tx: &Transaction<'_>,
    id: (&str, i16),
    wanted: Wanted,
) -> Result<i32, GenerationError> {
    let mut found = of_version(tx, id).await?.into_iter();
    let chosen = match wanted {
        Wanted::Joined => found.find(|it| it.state == GenerationState::Joined),
        Wanted::This(generation) => found.find(|it| it.generation == generation),
        Wanted::Kept => {
            let kept = found.filter(|it| it.state == GenerationState::Kept);
            let last = kept.max_by_key(|it| it.live_at);
            return last.map(|it| it.generation).ok_or(GenerationError::NothingKept);
        }
    };
    let Generation { generation, state, .. } = chosen.ok_or(GenerationError::NotFound)?;
    if matches!(state, GenerationState::Joined | GenerationState::Kept) {
        return Ok(generation);
    }
    let needed = "promote one that is joined or kept";
    Err(GenerationError::State { generation, state, needed })
}
