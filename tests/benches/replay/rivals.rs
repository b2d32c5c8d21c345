//! What a replay is measured against: the bare select of its rows, and the same fold written by
//! hand with 5,000 events a transaction.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Instant;

use futures_util::TryStreamExt;
use infra::log::{Projection, Recorded, Row, ToSql, Type};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, to_sql_checked};
use tokio_postgres::{Client, RowStream};

const SELECT_ALL: &str = include_str!("select_all.sql");
const SELECT_SOME: &str = include_str!("select_some.sql");
const UPSERT: &str = "insert into {table} ({columns}) select * from unnest({arrays}) \
    on conflict ({key}) do update set ({columns}) = row({excluded})";

const TRANSACTION_EVENTS: usize = 5000;

async fn rows<P: Projection>(client: &Client) -> RowStream {
    if P::EVENT_TYPES.is_empty() {
        let select = client.prepare(SELECT_ALL).await.unwrap();
        let none: [i64; 0] = [];
        return client.query_raw(&select, none).await.unwrap();
    }
    let select = client.prepare(SELECT_SOME).await.unwrap();
    client.query_raw(&select, [P::EVENT_TYPES]).await.unwrap()
}

/// Events a second of the projection's types that come over the wire, with nothing done to them.
pub async fn select<P: Projection>(client: &Client) -> f64 {
    let started = Instant::now();
    let mut rows = pin!(rows::<P>(client).await);
    let mut events = 0;
    while rows.try_next().await.unwrap().is_some() {
        events += 1;
    }
    f64::from(events) / started.elapsed().as_secs_f64()
}

/// All rows in memory, those that have changed written each 5,000 events, indexes at the end.
pub async fn by_hand<P: Projection>(reading: &Client, writing: &mut Client) -> f64 {
    let table = "read_models.by_hand";
    let create = P::TABLE.replace("{table}", table);
    writing.batch_execute(&format!("drop table if exists {table}; {create}")).await.unwrap();
    let started = Instant::now();
    let mut stream = pin!(rows::<P>(reading).await);
    let mut kept: HashMap<P::Key, Option<P::Row>> = HashMap::new();
    let (mut changed, mut events, mut pending) = (HashSet::new(), 0, 0);
    while let Some(row) = stream.try_next().await.unwrap() {
        let event = Recorded::try_from(row).unwrap();
        let row = kept.entry(P::key(&event)).or_default();
        P::fold(row, &event).unwrap();
        row.as_mut().unwrap().set_position(event.position());
        changed.insert(P::key(&event));
        (events, pending) = (events + 1, pending + 1);
        if pending == TRANSACTION_EVENTS {
            write::<P>(writing, table, &mut kept, &mut changed).await;
            pending = 0;
        }
    }
    write::<P>(writing, table, &mut kept, &mut changed).await;
    writing.batch_execute(&P::INDEXES.replace("{table}", table)).await.unwrap();
    f64::from(events) / started.elapsed().as_secs_f64()
}

async fn write<P: Projection>(
    client: &mut Client,
    table: &str,
    kept: &mut HashMap<P::Key, Option<P::Row>>,
    changed: &mut HashSet<P::Key>,
) {
    let rows: Vec<_> = changed.iter().filter_map(|key| kept[key].as_ref()).collect();
    let tx = client.transaction().await.unwrap();
    if P::APPEND_ONLY {
        copy(&tx, table, &rows).await;
    } else {
        upsert(&tx, table, &rows).await;
    }
    tx.commit().await.unwrap();
    if P::APPEND_ONLY {
        kept.clear();
    }
    changed.clear();
}

async fn copy<R: Row>(tx: &tokio_postgres::Transaction<'_>, table: &str, rows: &[&R]) {
    let names: Vec<_> = R::columns().iter().map(|(name, _)| *name).collect();
    let types: Vec<_> = R::columns().into_iter().map(|(_, of)| of).collect();
    let sql = format!("copy {table} ({}) from stdin (format binary)", names.join(", "));
    let mut writer = pin!(BinaryCopyInWriter::new(tx.copy_in(&sql).await.unwrap(), &types));
    for row in rows {
        writer.as_mut().write(&row.values()).await.unwrap();
    }
    writer.finish().await.unwrap();
}

async fn upsert<R: Row>(tx: &tokio_postgres::Transaction<'_>, table: &str, rows: &[&R]) {
    let columns = R::columns();
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let excluded: Vec<_> = names.iter().map(|name| format!("excluded.{name}")).collect();
    let arrays = (1..).zip(&columns).map(|(at, (_, of))| format!("${at}::{}[]", of.name()));
    let sql = UPSERT
        .replace("{table}", table)
        .replace("{columns}", &names.join(", "))
        .replace("{arrays}", &arrays.collect::<Vec<_>>().join(", "))
        .replace("{key}", names[0])
        .replace("{excluded}", &excluded.join(", "));
    let mut cells: Vec<Vec<Cell<'_>>> = columns.iter().map(|_| Vec::new()).collect();
    for row in rows {
        for (column, value) in cells.iter_mut().zip(row.values()) {
            column.push(Cell(value));
        }
    }
    let arrays: Vec<_> = cells.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    tx.execute(&sql, &arrays).await.unwrap();
}

#[derive(Debug)]
struct Cell<'a>(&'a (dyn ToSql + Sync));

impl ToSql for Cell<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql_checked(of, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
