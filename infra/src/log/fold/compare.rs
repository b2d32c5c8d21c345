//! In what the rows of a table differ from what the events make.

use std::collections::HashMap;

use uuid::Uuid;

use super::rows::StreamRows;
use super::{FoldError, json};
use crate::log::projection::{Projection, Row};
use crate::log::value::{Cell, Value};
use crate::log::{Differs, Type};
use crate::postgres::Transaction;

const FIND: &str = "select {columns} from {table} where {key} = any($1)";

/// A row of a table that is not what its events make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// Whose events make the row.
    pub stream: Uuid,
    /// The row's.
    pub key: String,
    /// `Missing`: the table lacks it; `More`: the events make none.
    pub is: Differs,
}

pub(super) async fn compare<P: Projection>(
    rows: &StreamRows<P>,
    tx: &Transaction<'_>,
    table: &str,
) -> Result<Vec<RowDifference>, FoldError> {
    let columns = P::Row::columns();
    let stored = find::<P>(tx, table, &columns, &rows.keys).await?;
    let mut differences = Vec::new();
    for key in &rows.keys {
        let Some(slot) = rows.slots.get(key) else { continue };
        if let Some(is) = differs(&columns, slot.row.as_ref(), stored.get(key))? {
            differences.push(RowDifference { stream: slot.stream, key: json::text(key)?, is });
        }
    }
    Ok(differences)
}

/// A row that a table has.
enum Stored<R> {
    Row(R),
    /// It has a value that no fold makes.
    Unreadable,
}

async fn find<P: Projection>(
    tx: &Transaction<'_>,
    table: &str,
    columns: &[(&'static str, Type)],
    keys: &[P::Key],
) -> Result<HashMap<P::Key, Stored<P::Row>>, FoldError> {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let sql = FIND
        .replace("{columns}", &names.join(", "))
        .replace("{table}", table)
        .replace("{key}", names.first().copied().unwrap_or_default());
    let find = tx.prepare_cached(&sql).await?;
    let keys: Vec<_> = keys.iter().map(|key| Cell(key.sql())).collect();
    let found = tx.query(&find, &[&keys]).await?;
    let rows = found.iter().map(|row| {
        let stored = P::Row::read(row).map_or(Stored::Unreadable, Stored::Row);
        Ok((P::Key::read(row, 0)?, stored))
    });
    rows.collect()
}

fn differs<R: Row>(
    columns: &[(&'static str, Type)],
    made: Option<&R>,
    stored: Option<&Stored<R>>,
) -> Result<Option<Differs>, FoldError> {
    let (made, stored) = match (made, stored) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Ok(Some(Differs::Missing)),
        (None, Some(_)) => return Ok(Some(Differs::More)),
        (Some(made), Some(stored)) => (made, stored),
    };
    let mut changed = Vec::new();
    match stored {
        Stored::Row(stored) => {
            let values = made.values().into_iter().zip(stored.values());
            for ((name, of), (made, stored)) in columns.iter().zip(values) {
                if json::encoded(made, of)? != json::encoded(stored, of)? {
                    changed.push((*name).to_owned());
                }
            }
        }
        Stored::Unreadable => {
            changed.extend(columns.iter().map(|(name, _)| (*name).to_owned()));
        }
    }
    Ok((!changed.is_empty()).then_some(Differs::Changed { columns: changed }))
}
