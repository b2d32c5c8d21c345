//! Whether an erasure reaches every table: by the catalogue of PostgreSQL, so that none is forgotten.

use std::collections::BTreeSet;

use infra::postgres::{ConnectOptions, connect_one};

use super::Harness;
use crate::workers::eraser::workspace::ROWS;

/// Of the tables that name a person or a tenant, those that are no workspace's.
const OF_PEOPLE: [(&str, &str); 8] = [
    ("event_log.events", "the log is never rewritten"),
    ("event_log.fences", "an erased subject stays fenced"),
    ("event_log.reservations", "the function that raises the fence deletes them"),
    ("working.closings", "the session closer deletes them when the events are appended"),
    ("working.credentials", "deleted by Credentials::delete_of_account"),
    ("working.departures", "deleted when no membership of an erased account is left"),
    ("working.outbox", "deleted by delete_mails_of"),
    ("working.sessions", "deleted by Sessions::close_all"),
];
const TABLES: &str = "\
    select distinct c.relnamespace::regnamespace::text || '.' || c.relname \
    from pg_class c join pg_attribute a on a.attrelid = c.oid \
    where c.relnamespace::regnamespace::text in ('event_log', 'readers', 'working') \
        and c.relkind in ('r', 'p') and not c.relispartition \
        and not a.attisdropped and a.attname = any($1)";

/// The tables that have one of these columns.
async fn tables(harness: &Harness, columns: &[&str]) -> BTreeSet<String> {
    let url = &harness.databases.log_url;
    let owner = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let rows = owner.query(TABLES, &[&columns]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn named<'a>(tables: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    tables.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_erasure_reaches_every_table_that_names_a_workspace_or_a_person() {
    let harness = Harness::new().await;
    let of_workspaces = tables(&harness, &["workspace_id"]).await;
    // A snapshot names its stream only.
    let erased = named(
        ROWS.map(|rows| rows.table).into_iter().filter(|table| !table.ends_with(".snapshots")),
    );
    assert_eq!(of_workspaces, erased);

    let columns = ["account_id", "subject_id", "subject", "subjects", "owner", "tenant_id"];
    let others = &tables(&harness, &columns).await - &of_workspaces;
    assert_eq!(others, named(OF_PEOPLE.map(|(table, _)| table)));
}
