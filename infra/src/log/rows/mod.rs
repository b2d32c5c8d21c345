//! The rows of a projection in memory: loaded, folded, written back. One fold serves the live
//! table and a replay.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Recorded;
use super::projection::{Poison, Projection, Row};
use super::value::{Cell, Value};
use crate::postgres::{PoolClient, Transaction};

const LOAD: &str = "select {columns} from {table} where {key} = any($1)";
const COPY: &str = "copy {table} ({columns}) from stdin (format binary)";
const UPDATE: &str = include_str!("update.sql");
const DELETE: &str = "delete from {table} where {key} = any($1)";

/// The rows of one projection's table, whichever that is.
#[async_trait]
pub(super) trait Rows: Send + Sync {
    /// Brings in the rows of the events' keys that are not here yet.
    async fn load(&mut self, from: Source<'_>, events: &[&Recorded]) -> Result<(), Error>;
    fn fold(&mut self, event: &Recorded, order: Order) -> Result<(), Poison>;
    /// Writes what has changed. After an error, or a rollback, the rows in memory are worthless.
    async fn write(&mut self, tx: &Transaction<'_>) -> Result<(), Error>;
    /// Treats what has changed as written.
    fn mark_written(&mut self);
    /// How many rows wait to be written.
    fn changed(&self) -> usize;
    /// How many rows are in memory.
    fn len(&self) -> usize;
    fn clear(&mut self);
}

/// Where rows come from.
pub(super) enum Source<'a> {
    /// The live table, where any key may have a row.
    Live(&'a Transaction<'a>),
    /// A table that is being built: what begins has no row.
    Built(&'a PoolClient),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As the log has them: what the row holds already is passed over.
    Log,
    /// A released stream, after later events of other streams.
    Released,
}

struct Slot<R> {
    row: Option<R>,
    stored: bool,
    changed: bool,
}

/// The rows of projection `P`, in a table that need not be the live one.
pub(super) struct TypedRows<P: Projection> {
    sql: Sql,
    types: Vec<Type>,
    slots: HashMap<P::Key, Slot<P::Row>>,
    changed: Vec<P::Key>,
    /// Rows that are new and never change.
    appended: Vec<P::Row>,
}

struct Sql {
    load: String,
    copy: String,
    update: String,
    delete: String,
}

impl<P: Projection> TypedRows<P> {
    pub(super) fn new(table: &str) -> Self {
        let columns = P::Row::columns();
        let types = columns.iter().map(|(_, of)| of.clone()).collect();
        let sql = Sql::new(table, &columns);
        Self { sql, types, slots: HashMap::new(), changed: Vec::new(), appended: Vec::new() }
    }

    fn missing(&self, events: &[&Recorded], built: bool) -> Vec<P::Key> {
        let sought = events.iter().filter(|event| !(built && P::begins(event)));
        let mut keys: Vec<_> = sought.map(|event| P::key(event)).collect();
        let mut seen = std::collections::HashSet::new();
        keys.retain(|key| !self.slots.contains_key(key) && seen.insert(*key));
        keys
    }

    async fn copy(&self, tx: &Transaction<'_>, rows: &[&P::Row]) -> Result<(), Error> {
        let copy = tx.prepare_cached(&self.sql.copy).await?;
        tx.copy_rows(&copy, &self.types, rows.iter().map(|row| row.values())).await
    }

    async fn update(&self, tx: &Transaction<'_>, rows: &[&P::Row]) -> Result<(), Error> {
        let update = tx.prepare_cached(&self.sql.update).await?;
        let mut columns: Vec<Vec<Cell<'_>>> = self.types.iter().map(|_| Vec::new()).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row.values()) {
                column.push(Cell(value));
            }
        }
        let arrays: Vec<_> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        tx.execute(&update, &arrays).await?;
        Ok(())
    }

    async fn delete(&self, tx: &Transaction<'_>, keys: &[P::Key]) -> Result<(), Error> {
        let delete = tx.prepare_cached(&self.sql.delete).await?;
        let keys: Vec<_> = keys.iter().map(|key| Cell(key.sql())).collect();
        tx.execute(&delete, &[&keys]).await?;
        Ok(())
    }
}

#[async_trait]
impl<P: Projection> Rows for TypedRows<P> {
    async fn load(&mut self, from: Source<'_>, events: &[&Recorded]) -> Result<(), Error> {
        let missing = self.missing(events, matches!(from, Source::Built(_)));
        if missing.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = missing.iter().map(|key| Cell(key.sql())).collect();
        let rows = match from {
            Source::Live(tx) => {
                let load = tx.prepare_cached(&self.sql.load).await?;
                tx.query(&load, &[&keys]).await?
            }
            Source::Built(client) => {
                let load = client.prepare_cached(&self.sql.load).await?;
                client.query(&load, &[&keys]).await?
            }
        };
        for row in rows {
            let key = P::Key::read(&row, 0)?;
            let row = Some(P::Row::read(&row)?);
            self.slots.insert(key, Slot { row, stored: true, changed: false });
        }
        Ok(())
    }

    fn fold(&mut self, event: &Recorded, order: Order) -> Result<(), Poison> {
        let (key, position) = (P::key(event), event.position());
        if P::APPEND_ONLY && !self.slots.contains_key(&key) {
            let mut row = None;
            P::fold(&mut row, event)?;
            self.appended.extend(row.map(|mut row: P::Row| {
                row.set_position(position);
                row
            }));
            return Ok(());
        }
        let slot = match self.slots.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => slot.insert(Slot { row: None, stored: false, changed: false }),
        };
        let held = slot.row.as_ref().map_or(0, Row::position);
        if order == Order::Log && held >= position {
            return Ok(());
        }
        P::fold(&mut slot.row, event)?;
        if let Some(row) = &mut slot.row {
            row.set_position(held.max(position));
        }
        if !slot.changed {
            slot.changed = true;
            self.changed.push(key);
        }
        Ok(())
    }

    async fn write(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        let mut new: Vec<_> = self.appended.iter().collect();
        let (mut old, mut gone) = (Vec::new(), Vec::new());
        for key in &self.changed {
            let Some(slot) = self.slots.get(key) else { continue };
            match (&slot.row, slot.stored) {
                (Some(row), false) => new.push(row),
                (Some(row), true) => old.push(row),
                (None, true) => gone.push(*key),
                (None, false) => {}
            }
        }
        if !new.is_empty() {
            self.copy(tx, &new).await?;
        }
        if !old.is_empty() {
            self.update(tx, &old).await?;
        }
        if !gone.is_empty() {
            self.delete(tx, &gone).await?;
        }
        self.mark_written();
        Ok(())
    }

    fn mark_written(&mut self) {
        if P::APPEND_ONLY {
            return self.clear();
        }
        for key in self.changed.drain(..) {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.stored = slot.row.is_some();
                slot.changed = false;
            }
        }
    }

    fn changed(&self) -> usize {
        self.changed.len() + self.appended.len()
    }

    fn len(&self) -> usize {
        self.slots.len()
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.changed.clear();
        self.appended.clear();
    }
}

impl Sql {
    fn new(table: &str, columns: &[(&'static str, Type)]) -> Self {
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let key = names.first().copied().unwrap_or_default();
        let new: Vec<_> = names.iter().map(|name| format!("u.{name}")).collect();
        let arrays = (1..).zip(columns).map(|(at, (_, of))| format!("${at}::{}[]", of.name()));
        let arrays: Vec<_> = arrays.collect();
        let filled = |template: &str| {
            template
                .replace("{table}", table)
                .replace("{columns}", &names.join(", "))
                .replace("{key}", key)
                .replace("{new}", &new.join(", "))
                .replace("{arrays}", &arrays.join(", "))
        };
        Self {
            load: filled(LOAD),
            copy: filled(COPY),
            update: filled(UPDATE),
            delete: filled(DELETE),
        }
    }
}
