//! A database written out by `pg_dump`, and brought back by `psql`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use infra::postgres::binaries;

/// The whole database as SQL; `options` are further options of `pg_dump`.
pub async fn dump(url: &str, options: &[&str]) -> Vec<u8> {
    let mut command = program("pg_dump", url);
    command.args(options);
    output(command).await
}

/// The roles of the server, as SQL.
pub async fn dump_roles(url: &str) -> Vec<u8> {
    let mut command = program("pg_dumpall", url);
    command.arg("--roles-only");
    output(command).await
}

async fn output(mut command: Command) -> Vec<u8> {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Puts a dump into a database of its own, and answers where that is.
pub async fn restore(dump: &[u8]) -> String {
    let url = test_support::empty_database().await.unwrap();
    let strict = ["--set=ON_ERROR_STOP=1", "--single-transaction"];
    assert!(feed(&url, dump, &strict).await, "the dump is not restored");
    url
}

/// Runs SQL through `psql` with further options; answers whether `psql` is content.
pub async fn feed(url: &str, sql: &[u8], options: &[&str]) -> bool {
    let (mut command, sql) = (program("psql", url), sql.to_vec());
    command.args(["--quiet", "--no-psqlrc"]).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let fed = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&sql).unwrap();
        child.wait().unwrap().success()
    });
    fed.await.unwrap()
}

fn program(name: &str, url: &str) -> Command {
    let folder: PathBuf = binaries::find(None).unwrap();
    let mut command = Command::new(folder.join(name));
    command.arg(format!("--dbname={url}")).env("PGCLIENTENCODING", "UTF8");
    command
}
