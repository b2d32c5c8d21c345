//! A Lethe with a workspace, a seat and a server that takes its key.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Events, Installation, RunHarness, TestServer};

use super::delay;

pub struct Harness {
    pub runs: RunHarness,
    node: TestServer,
}

impl Harness {
    /// On a private server, whose fsync is on.
    pub async fn open() -> Self {
        let bytes = (1 << 30).to_string();
        let settings = [
            ("log", "warn"),
            ("egress_allow", "127.0.0.1/32:*"),
            ("run_log_bytes_max", &*bytes),
            ("seat_lease_seconds", "3600"),
        ];
        let (runs, node) = RunHarness::on(Installation::private(&settings)).await;
        Self { runs, node }
    }

    pub async fn close(self) {
        self.node.stop().await;
    }

    async fn watch(&self, command: &str) -> Events {
        let run = self.runs.start(command).await;
        let path = self.runs.path(&self.runs.log_of(&run));
        Events::open(self.runs.ada.call("GET".parse().unwrap(), &path)).await
    }

    /// Answers the seal of its log. Nobody watches: what is measured is the way into the log. A
    /// secret that does not occur is looked for all the same.
    pub async fn run(&self, command: &str) -> Value {
        let secrets = json!({ "TOKEN": "correct horse battery staple" });
        let servers = [&self.runs.server];
        let asks = json!({ "command": command, "server_ids": servers, "secrets": secrets });
        let run = self.runs.request(asks).await;
        let shown = self.runs.ended(&run, Duration::from_mins(10)).await;
        assert_eq!(shown["state"], json!("succeeded"), "{shown}");
        shown["servers"][0]["log"].clone()
    }

    pub async fn delays(&self, command: &str) -> Vec<Duration> {
        let mut events = self.watch(command).await;
        let mut delays = vec![];
        while let Some(event) = events.next().await {
            if event.name == "line" {
                delays.extend(event.data["text"].as_str().and_then(delay));
            }
        }
        delays
    }
}
