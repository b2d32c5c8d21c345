//! Read models as they stand, and again after a replay from zero.

use std::collections::BTreeMap;
use std::time::Duration;

use infra::log::{Feed, Reader, status};
use infra::postgres::{ConnectOptions, PgError, Pool, connect};

use super::home::Home;
use super::told::Told;
use super::tools::url;
use crate::cli::CliError;
use crate::databases::LOG;

const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);

/// Rows and checksum of each table.
type Tables = BTreeMap<&'static str, (i64, String)>;

pub async fn compare(told: &mut Told, home: &Home) -> Result<(), CliError> {
    told.chapter("Every read model is replayed from zero");
    let pool = connect(&url(home, LOG)?, &ConnectOptions::default()).await?;
    let (before, after) = loop {
        let (at, before) = still(&pool).await?;
        for projection in projections::all() {
            home.done(&["replay", projection.name()]).await?;
        }
        // A worker may have told of something meanwhile: then it is not the same log.
        match still(&pool).await? {
            (now, after) if now == at => break (before, after),
            _ => told.see("something happened meanwhile: once more"),
        }
    };
    for (table, (rows, checksum)) in &after {
        told.see(format_args!("{table:<12}{rows:>5} rows  {checksum}"));
    }
    told.holds("the tables are the same, byte for byte", before == after);
    Ok(())
}

/// The tables, and the position that all of them have reached.
async fn still(pool: &Pool) -> Result<(i64, Tables), CliError> {
    let client = pool.get().await.map_err(PgError::from)?;
    loop {
        let head = Feed::head(&client).await.map_err(CliError::failed)?;
        caught_up(pool).await?;
        let tables = checksums(pool).await?;
        if Feed::head(&client).await.map_err(CliError::failed)? == head {
            return Ok((head, tables));
        }
    }
}

async fn caught_up(pool: &Pool) -> Result<(), CliError> {
    let reached = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            let readers = status(pool).await?;
            if readers.iter().all(|reader| reader.lag_events == 0) {
                return Ok(());
            }
        }
    };
    let reached = tokio::time::timeout(CAUGHT_UP_WITHIN, reached).await;
    reached.map_err(|_| CliError::Failed("the readers do not catch up".to_owned()))?
}

async fn checksums(pool: &Pool) -> Result<Tables, CliError> {
    let client = pool.get().await.map_err(PgError::from)?;
    let mut tables = Tables::new();
    for table in projections::all().iter().map(Reader::name) {
        let sql = include_str!("checksum.sql").replace("{table}", table);
        let row = client.query_one(&sql, &[]).await.map_err(PgError::from)?;
        let rows = row.try_get(0).map_err(PgError::from)?;
        tables.insert(table, (rows, row.try_get(1).map_err(PgError::from)?));
    }
    Ok(tables)
}
