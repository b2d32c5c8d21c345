//! The rows of a projection that events make in memory, each with its stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use serde_json::Value as Json;
use uuid::Uuid;

use super::compare::{RowDifference, compare};
use super::{FoldError, json};
use crate::log::Recorded;
use crate::log::projection::{Poison, Projection, Row};
use crate::postgres::Transaction;

/// The rows of one projection, whichever that is.
#[async_trait]
pub(in crate::log) trait FoldedRows: Send + Sync {
    /// Events of a stream come in their order. Why an event does not fit: then the rows are as before.
    fn fold(&mut self, event: &Recorded) -> Result<Option<Poison>, FoldError>;
    /// Each row by the names of its columns, in the order in which events have come to them.
    fn to_json(&self) -> Result<Vec<Json>, FoldError>;
    /// In what the rows of a table, or of a view, differ: of those keys that events have come to.
    async fn compare(
        &self,
        tx: &Transaction<'_>,
        table: &str,
    ) -> Result<Vec<RowDifference>, FoldError>;
}

/// A key that an event has come to.
pub(super) struct Slot<R> {
    pub stream: Uuid,
    pub row: Option<R>,
}

/// The rows of projection `P`.
pub(in crate::log) struct StreamRows<P: Projection> {
    pub(super) keys: Vec<P::Key>,
    pub(super) slots: HashMap<P::Key, Slot<P::Row>>,
}

impl<P: Projection> StreamRows<P> {
    pub(in crate::log) fn new() -> Self {
        Self { keys: Vec::new(), slots: HashMap::new() }
    }
}

#[async_trait]
impl<P: Projection> FoldedRows for StreamRows<P> {
    fn fold(&mut self, event: &Recorded) -> Result<Option<Poison>, FoldError> {
        let (key, stream) = (P::key(event), event.stream_id());
        let slot = match self.slots.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => {
                self.keys.push(key);
                slot.insert(Slot { stream, row: None })
            }
        };
        if slot.stream != stream {
            return Err(FoldError::TwoStreams { key: json::text(&key)? });
        }
        if let Err(poison) = P::fold(&mut slot.row, event) {
            return Ok(Some(poison));
        }
        if let Some(row) = &mut slot.row {
            row.set_position(event.position());
        }
        Ok(None)
    }

    fn to_json(&self) -> Result<Vec<Json>, FoldError> {
        let rows = self.keys.iter().filter_map(|key| self.slots.get(key)?.row.as_ref());
        rows.map(json::row).collect()
    }

    async fn compare(
        &self,
        tx: &Transaction<'_>,
        table: &str,
    ) -> Result<Vec<RowDifference>, FoldError> {
        compare(self, tx, table).await
    }
}
