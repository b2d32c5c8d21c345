//! Prometheus' own opinion of what we give it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::programme;

/// Runs promtool at the top of the tree; answers all that it said. A refusal fails the test.
#[track_caller]
pub fn promtool(words: &[&str], input: &str) -> String {
    let own = programme::tools().join("usr/bin/promtool");
    let path = if own.exists() { own } else { PathBuf::from("promtool") };
    let mut child = Command::new(path)
        .args(words)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: `.ci/tools promtool` gets it");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}
