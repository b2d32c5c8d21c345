//! In what the rows of two generations differ.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

use super::{
    Comparison, Difference, Differs, Generation, GenerationError, GenerationState, find,
    have_same_columns, id_of, of_version, table_of,
};
use crate::log::Reader;
use crate::postgres::{Pool, PooledClient};

const KEY_COLUMN: &str = include_str!("key_column.sql");
const COMPARE: &str = include_str!("compare.sql");
const LIMIT_STATEMENT: &str = "set local statement_timeout = '60s'";
/// A statement, of each generation.
const KEYS_AT_ONCE: i64 = 10_000;

/// Compares a generation that is joined or kept with the live one, row by row, while the reader writes both. Stops once
/// `at_most` rows differ. Says which columns differ, and never what is in them.
///
/// # Errors
/// [`GenerationError`].
pub async fn compare(
    pool: &Pool,
    reader: &Reader,
    generation: i32,
    at_most: usize,
) -> Result<Comparison, GenerationError> {
    let id = id_of(reader)?;
    let mut client = pool.get().await?;
    let other = find(&client, id, generation).await?;
    if !matches!(other.state, GenerationState::Joined | GenerationState::Kept) {
        return Err(refusal(other));
    }
    let all = of_version(&client, id).await?;
    let live = all.iter().find(|it| it.state == GenerationState::Live);
    let live = live.ok_or(GenerationError::NotFound)?.generation;
    let tables = [table_of(id.0, id.1, live), table_of(id.0, id.1, generation)];
    let [one, two] = &tables;
    if !have_same_columns(&client, one, two).await? {
        return Err(GenerationError::OtherColumns { generation });
    }
    let Some(compare) = statement(&client, &tables).await? else {
        return Err(GenerationError::NotFound);
    };
    let empty = Comparison {
        generation,
        live,
        position: 0,
        rows: [0; 2],
        differing: vec![],
        is_complete: true,
    };
    match pages(&mut client, id, &compare, at_most, empty).await {
        Ok(Some(compared)) => return Ok(compared),
        Ok(None) => {}
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {}
        Err(error) => return Err(error.into()),
    }
    // One of them has ended meanwhile.
    let live = find(&client, id, live).await?;
    let is_written = |it: &Generation| GenerationState::WRITTEN.contains(&it.state);
    Err(refusal(if is_written(&live) { find(&client, id, generation).await? } else { live }))
}

fn refusal(Generation { generation, state, .. }: Generation) -> GenerationError {
    let needed = "compare one that is joined or kept";
    GenerationError::State { generation, state, needed }
}

/// `None`: the live generation has no table.
async fn statement(
    client: &PooledClient,
    [live, other]: &[String; 2],
) -> Result<Option<String>, Error> {
    let Some(key) = client.query_opt(KEY_COLUMN, &[live]).await? else { return Ok(None) };
    let statement = COMPARE.replace("{key}", key.try_get(0)?);
    let statement = statement.replace("{key_type}", key.try_get(1)?);
    Ok(Some(statement.replace("{live}", live).replace("{other}", other)))
}

/// `None`: one of the two is written no more, so that they need not have the same events.
async fn pages(
    client: &mut PooledClient,
    (name, version): (&str, i16),
    compare: &str,
    at_most: usize,
    mut compared: Comparison,
) -> Result<Option<Comparison>, Error> {
    let both = vec![compared.live, compared.generation];
    let mut after: Option<String> = None;
    loop {
        let left = at_most - compared.differing.len();
        // One more says that there are more.
        let limit = i64::try_from(left).unwrap_or(i64::MAX).saturating_add(1);
        let tx = client.transaction().await?;
        tx.batch_execute(LIMIT_STATEMENT).await?;
        // Planned for its values each time: without a key to begin after, there is no such condition.
        let rows =
            tx.query(compare, &[&after, &KEYS_AT_ONCE, &limit, &name, &version, &both]).await?;
        tx.commit().await?;
        let Some(first) = rows.first() else { return Ok(Some(compared)) };
        let Some(position) = first.try_get::<_, Option<i64>>(0)? else { return Ok(None) };
        if after.is_none() {
            compared.position = position;
        }
        let [live, other] = &mut compared.rows;
        *live += first.try_get::<_, i64>(1)?;
        *other += first.try_get::<_, i64>(2)?;
        after = first.try_get(3)?;
        for row in &rows {
            if let Some(key) = row.try_get(4)? {
                compared.differing.push(Difference { key, is: differs(row)? });
            }
        }
        if compared.differing.len() > at_most {
            compared.differing.truncate(at_most);
            compared.is_complete = false;
            return Ok(Some(compared));
        }
        if after.is_none() {
            return Ok(Some(compared));
        }
    }
}

fn differs(row: &Row) -> Result<Differs, Error> {
    Ok(match (row.try_get(5)?, row.try_get(6)?) {
        (true, _) => Differs::More,
        (_, true) => Differs::Missing,
        (false, false) => Differs::Changed { columns: row.try_get(7)? },
    })
}
