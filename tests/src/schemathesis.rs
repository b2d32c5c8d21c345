//! Schemathesis, which draws requests from the document: `.ci/tools schemathesis` gets it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::TestServer;
use crate::programme::tools;

/// What `schema_hooks.py` adds, and what Schemathesis itself compares with the document. Its own view of a 5xx is not
/// among them: a 503 with a time to come again is an answer.
const CHECKS: &str = "lethe_answers,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// How often each operation was answered with which status, by their names (`GET /v1/me`).
pub type Counts = BTreeMap<String, BTreeMap<String, u32>>;

/// Draws `cases` requests for each operation of the document, and follows its links: with `positive` those that fit,
/// with `negative` those that do not. `settings` are those of `schema_hooks.py`.
///
/// # Panics
/// An answer is not as the document says, with what Schemathesis prints of it.
pub async fn schemathesis(
    node: &TestServer,
    mode: &str,
    cases: u32,
    mut settings: Value,
) -> Counts {
    let folder = tempfile::tempdir().unwrap();
    let [file, counts] = ["settings.json", "counts.json"].map(|name| folder.path().join(name));
    settings["counts"] = json!(counts);
    std::fs::write(&file, settings.to_string()).unwrap();
    let own = tools().join("schemathesis");
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let document = format!("{}/v1/openapi.json", node.api());
    let cases = cases.to_string();
    let mut command = Command::new("python3");
    command
        .current_dir(folder.path())
        .env("PYTHONPATH", format!("{}:{hooks}", own.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "schema_hooks")
        .env("LETHE_SCHEMA_FILE", &file)
        .arg(own.join("bin/schemathesis"))
        .args(["run", &document, "--max-examples", &cases, "--checks", CHECKS])
        .args(["--mode", mode, "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--continue-on-failure", "--seed", "1", "--generation-database", "none"])
        .args(["--suppress-health-check", "all", "--request-timeout", "60"])
        .args(["--warnings", "off", "--no-color"])
        .kill_on_drop(true);
    let ended = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let complains = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}{complains}");
    println!("{said}");
    serde_json::from_slice(&std::fs::read(&counts).unwrap()).unwrap()
}
