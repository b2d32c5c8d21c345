//! The plans of every statement of two databases, as PostgreSQL logs them.

use std::fmt::{Display, Formatter};
use std::path::PathBuf;

use infra::postgres::{ConnectOptions, connect_one};
use serde_json::Value;
use tests::Installation;

const SETTINGS: [(&str, &str); 6] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_format", "json"),
    ("auto_explain.log_nested_statements", "on"),
    // With the schema of each table.
    ("auto_explain.log_verbose", "on"),
];

/// Watches the sessions that begin from now on.
pub struct Plans {
    log: PathBuf,
    /// Where the log ended before.
    from: usize,
    databases: [String; 2],
}

/// What one statement has read of one table, which is no read model: some have the names of other tables.
#[derive(Clone, Debug)]
pub struct Scan {
    pub table: String,
    pub node: String,
    /// Also those that a condition left out.
    pub rows: f64,
    pub statement: String,
}

impl Display for Scan {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { table, node, rows, statement } = self;
        write!(f, "{rows} rows of {table}, {node}: {statement}")
    }
}

impl Plans {
    pub async fn watch(installation: &Installation) -> Self {
        let databases = [installation.log_url(), installation.keyring_url()];
        for url in &databases {
            let client = connect_one(url, &ConnectOptions::unlimited()).await.unwrap();
            let loaded = client.batch_execute("load 'auto_explain'").await;
            loaded.expect("install the contrib modules of PostgreSQL: auto_explain is one of them");
            for (name, value) in SETTINGS {
                alter(&client, &format!("set {name} = '{value}'")).await;
            }
        }
        let log = test_support::server_folder().await.unwrap().join("postgres.log");
        let from = std::fs::read(&log).unwrap().len();
        Self { log, from, databases }
    }

    /// No session is watched that begins later. Answers what those have read that have ended.
    pub async fn stop(self) -> Vec<Scan> {
        for url in &self.databases {
            let client = connect_one(url, &ConnectOptions::unlimited()).await.unwrap();
            alter(&client, "reset all").await;
        }
        let log = std::fs::read(&self.log).unwrap();
        let log = String::from_utf8_lossy(&log[self.from..]).into_owned();
        plans(&log).iter().flat_map(scans).collect()
    }
}

async fn alter(client: &tokio_postgres::Client, what: &str) {
    let row = client.query_one("select current_database()::text", &[]).await.unwrap();
    let database: String = row.get(0);
    client.batch_execute(&format!("alter database {database} {what}")).await.unwrap();
}

/// A plan follows the line that announces it; each of its lines begins with a tab.
fn plans(log: &str) -> Vec<Value> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if line.contains(" LOG:  duration: ") && line.ends_with(" plan:") {
            let mut plan = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
                plan.push_str(line.trim_start());
                plan.push('\n');
            }
            plans.push(serde_json::from_str(&plan).unwrap_or_else(|why| panic!("{why}: {plan}")));
        }
    }
    plans
}

fn scans(plan: &Value) -> Vec<Scan> {
    let statement = plan["Query Text"].as_str().unwrap_or_default();
    let mut scans = Vec::new();
    let mut nodes = vec![&plan["Plan"]];
    while let Some(node) = nodes.pop() {
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
        let (Some(table), Some(kind)) =
            (node["Relation Name"].as_str(), node["Node Type"].as_str())
        else {
            continue;
        };
        if node["Schema"] == "read_models" {
            continue;
        }
        let number = |name: &str| node[name].as_f64().unwrap_or_default();
        let left_out = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        scans.push(Scan {
            table: table.to_owned(),
            node: kind.to_owned(),
            rows: (number("Actual Rows") + left_out) * number("Actual Loops"),
            statement: statement.to_owned(),
        });
    }
    scans
}

#[test]
fn a_plan_says_what_each_node_has_read() {
    let log = "2026-01-01 LOG:  checkpoint starting\n\
        2026-01-01 LOG:  duration: 0.1 ms  plan:\n\
        \t{\"Query Text\": \"select 1\", \"Plan\": {\"Node Type\": \"Aggregate\", \"Plans\": [\n\
        \t{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"keys\", \"Actual Rows\": 2,\n\
        \t\"Actual Loops\": 3, \"Rows Removed by Filter\": 5}]}}\n\
        2026-01-01 LOG:  another\n";

    let found: Vec<Scan> = plans(log).iter().flat_map(scans).collect();

    let [scan] = &found[..] else { panic!("{found:?}") };
    assert_eq!((scan.table.as_str(), scan.node.as_str(), scan.rows), ("keys", "Seq Scan", 21.0));
}
