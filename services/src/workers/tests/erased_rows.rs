//! Whether an erasure reaches every table: by the catalogue of PostgreSQL, so that none is forgotten.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
/// Statements that insert rows of a workspace and do not look at the fence themselves.
const WITHOUT_FENCE: [(&str, &str); 2] = [
    ("run_log/write.sql", "from the row of the task, which the erasure deletes first"),
    ("event_store/load/write_snapshot.sql", "what it holds is sealed under keys that are erased"),
];
const FENCE: &str = "not exists (select from event_log.fences where subject ";
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

/// Every statement of this folder and those below that is no test's: its path and its text.
fn statements(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            statements(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// A row that is written after the erasure would stay.
#[test]
fn no_row_of_a_workspace_is_written_without_a_look_at_its_fence() {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/src");
    let mut found = Vec::new();
    statements(&infra, &mut found);
    let mut excused = BTreeSet::new();
    for rows in ROWS {
        let inserts = [" ", "(", "\n"].map(|end| format!("insert into {}{end}", rows.table));
        let of_table = |(path, text): &&(PathBuf, String)| {
            !path.ends_with("fill.sql") && inserts.iter().any(|insert| text.contains(insert))
        };
        let of_table: Vec<_> = found.iter().filter(of_table).collect();
        assert!(!of_table.is_empty(), "{}: nothing inserts rows", rows.table);
        for (path, text) in of_table {
            match WITHOUT_FENCE.iter().find(|(excuse, _)| path.ends_with(excuse)) {
                Some((excuse, _)) => assert!(excused.insert(*excuse)),
                None => assert!(text.contains(FENCE), "{}", path.display()),
            }
        }
    }
    assert_eq!(excused, WITHOUT_FENCE.map(|(path, _)| path).into());
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
