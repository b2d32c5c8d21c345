//! A database written out by `pg_dump`, and brought back by `psql`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use infra::postgres::{binaries, testing};

/// The whole database as SQL; `words` are further words for `pg_dump`.
pub async fn dump(url: &str, words: &[&str]) -> Vec<u8> {
    let mut command = programme("pg_dump", url);
    command.args(words);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Puts a dump into a database of its own, and answers where that is.
pub async fn restore(dump: &[u8]) -> String {
    let url = testing::empty_database().await.unwrap();
    let (mut command, dump) = (programme("psql", &url), dump.to_vec());
    command.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let restored = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&dump).unwrap();
        child.wait().unwrap()
    });
    assert!(restored.await.unwrap().success(), "the dump is not restored");
    url
}

fn programme(name: &str, url: &str) -> Command {
    let folder: PathBuf = binaries::find(None).unwrap();
    let mut command = Command::new(folder.join(name));
    command.arg(format!("--dbname={url}")).env("PGCLIENTENCODING", "UTF8");
    command
}
