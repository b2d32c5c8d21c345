//! A statement names the table of today's version of a projection: that of another one is filled, and dropped, by others.

use std::collections::BTreeSet;
use std::path::PathBuf;

use infra::log::Reader;

use super::tidy::{File, files, none};

const SCHEMA: &str = "read_models.";
const FOLDERS: [&str; 3] = ["infra/src", "projections/src", "services/src"];

/// The views of today's versions, with their schema.
fn views() -> BTreeSet<String> {
    projections::all().iter().filter_map(Reader::view).collect()
}

/// The tables that a line names. What is put in when the programme runs is not known here.
fn named(line: &str) -> impl Iterator<Item = String> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let words = line.split(SCHEMA).skip(1).filter_map(move |rest| rest.split(ends).next());
    words.filter(|word| !word.is_empty()).map(|word| format!("{SCHEMA}{word}"))
}

/// Of what is no test, each table that is named, with its place.
fn tables(file: &File) -> Vec<(String, String)> {
    // The tests of a file stand at its end.
    let tests = file.code().find(|(_, line)| *line == "mod tests {").map(|(number, _)| number);
    let lines = file.code().take_while(|(number, _)| tests.is_none_or(|first| *number < first));
    let places = lines.flat_map(|(number, line)| {
        let place = format!("{}:{number}", file.path.display());
        named(line).map(move |table| (table, place.clone()))
    });
    places.collect()
}

fn others(tables: &[(String, String)]) -> Vec<String> {
    let views = views();
    let others = tables.iter().filter(|(table, _)| !views.contains(table));
    others.map(|(table, place)| format!("{place}: {table}")).collect()
}

#[test]
fn no_statement_names_the_table_of_another_version_or_of_a_generation() {
    let all = ["rs", "sql"].into_iter().flat_map(files);
    let own = all.filter(|file| {
        !file.is_test() && FOLDERS.iter().any(|folder| file.path.starts_with(folder))
    });
    let found: Vec<_> = own.flat_map(|file| tables(&file)).collect();

    none("not the view of a projection as it is today", others(&found));
    let named: BTreeSet<_> = found.into_iter().map(|(table, _)| table).collect();
    let forgotten = views().into_iter().filter(|view| !named.contains(view));
    let forgotten: Vec<_> = forgotten.collect();
    assert!(
        named.len() >= 5,
        "{forgotten:?} are named nowhere: this test looks in the wrong place"
    );
}

#[test]
fn the_table_of_a_former_version_or_of_a_generation_is_found() {
    let text = "select 1 from read_models.accounts_v3 a join read_models.memberships m using (account_id)\n\
                join read_models.{table} t using (account_id)\njoin read_models.accounts_v4_g1 g using (account_id)";
    let planted = File { path: PathBuf::from("services/src/planted.sql"), text: text.to_owned() };

    let found = others(&tables(&planted));

    let expected = ["1: read_models.accounts_v3", "3: read_models.accounts_v4_g1"];
    assert_eq!(found, expected.map(|end| format!("services/src/planted.sql:{end}")));
}
