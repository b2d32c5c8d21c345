//! A Lethe with a workspace, a seat and a server that takes its key.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Events, Installation, Rig, TestServer};

use super::delay;

pub struct Harness {
    pub rig: Rig,
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
        let (rig, node) = Rig::on(Installation::private(&settings)).await;
        Self { rig, node }
    }

    pub async fn close(self) {
        self.node.stop().await;
    }

    async fn watch(&self, command: &str) -> Events {
        let run = self.rig.start(command).await;
        let path = self.rig.path(&self.rig.log_of(&run));
        Events::open(self.rig.ada.call("GET".parse().unwrap(), &path)).await
    }

    /// Answers the seal of its log. Nobody watches: what is measured is the way into the log. A
    /// secret that does not occur is looked for all the same.
    pub async fn run(&self, command: &str) -> Value {
        let secrets = json!({ "TOKEN": "correct horse battery staple" });
        let servers = [&self.rig.server];
        let asks = json!({ "command": command, "servers": servers, "secrets": secrets });
        let run = self.rig.ask(asks).await;
        let shown = self.rig.ended(&run, Duration::from_mins(10)).await;
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
