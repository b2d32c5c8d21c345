//! A Lethe with a workspace, a seat and a server that takes its key.

use std::time::Duration;

use infra::remote::testing::Sshd;
use serde_json::{Value, json};
use tests::{Events, Installation, Lethe, Team};

use super::delay;

pub struct House {
    pub sshd: Sshd,
    /// Its server's fsync is on.
    _installation: Installation,
    node: Lethe,
    team: Team,
    server: String,
}

impl House {
    pub async fn open() -> Self {
        let sshd = Sshd::start().unwrap();
        let allow = format!("127.0.0.1/32:{}", sshd.port());
        let bytes = (1 << 30).to_string();
        let settings =
            [("log", "warn"), ("egress_allow", &*allow), ("run_log_bytes_max", &*bytes)];
        let installation = Installation::private(&settings);
        let node = installation.node().await;
        let team = Team::of("ada", &installation, &node.client()).await;
        team.take_seat().await;
        let server = team.server(&sshd).await;
        Self { sshd, _installation: installation, node, team, server }
    }

    pub async fn close(self) {
        self.node.stop().await;
    }

    async fn watch(&self, command: &str) -> Events {
        let run = self.team.run(&self.server, command).await;
        let path = format!("{}/runs/{run}/servers/{}/log", self.team.path, self.server);
        Events::open(&self.team.owner, &path).await
    }

    /// Answers the seal of its log.
    pub async fn run(&self, command: &str) -> Value {
        let mut events = self.watch(command).await;
        loop {
            let event = events.next().await.expect("an end");
            if event.name == "end" {
                let end: Value = serde_json::from_str(&event.data).unwrap();
                assert_eq!(end["state"], json!("succeeded"), "{end}");
                return end["log"].clone();
            }
        }
    }

    pub async fn delays(&self, command: &str) -> Vec<Duration> {
        let mut events = self.watch(command).await;
        let mut delays = vec![];
        while let Some(event) = events.next().await {
            if event.name == "line" {
                let line: Value = serde_json::from_str(&event.data).unwrap();
                delays.extend(line["text"].as_str().and_then(delay));
            }
        }
        delays
    }
}
