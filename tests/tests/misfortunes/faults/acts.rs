//! Does what a fault says, while runs are requested.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::TestServer;

use super::lane::{Lane, becomes, pause};
use super::questions::Stop;
use super::record::{Hundredths, Step, command, now};
use super::schedule::{Fault, FaultKind};

/// Bytes pass as soon as the first run begins.
const HARMED_WITHIN: Duration = Duration::from_secs(20);
/// What is to be cancelled may never begin.
const BEGUN_WITHIN: Duration = Duration::from_secs(5);
/// Longer than anybody waits for it.
const BEATS_WITHOUT_END: u32 = 900;

/// The nodes at a fault.
pub struct Nodes {
    /// Which serves.
    pub node: TestServer,
    /// Which is stopped for a while, or goes on beside that one.
    pub other: Option<TestServer>,
}

/// A run that is requested at a fault.
pub struct RequestedRun {
    pub run: String,
    pub requested: Hundredths,
    pub is_deployment: bool,
    pub stop: Option<Stop>,
    pub is_retried: bool,
}

impl Lane {
    /// Before anything is requested.
    pub async fn prepare(&self, node: TestServer, fault: &Fault) -> Nodes {
        if let Some(plan) = fault.kind.harm() {
            self.proxy.arm(plan);
        }
        match fault.kind {
            FaultKind::Kill(failpoint) => {
                assert!(node.stop().await.success());
                let armed = self.installation.node_with(&[("failpoint", failpoint)]).await;
                self.speak_to(&armed);
                Nodes { node: armed, other: None }
            }
            FaultKind::Stop => Nodes { node, other: Some(self.installation.node().await) },
            FaultKind::Cut(..)
            | FaultKind::Swallow(_)
            | FaultKind::Reboot
            | FaultKind::Address
            | FaultKind::HostKey
            | FaultKind::Credential => Nodes { node, other: None },
        }
    }

    /// Until it is over. Answers whether it happened at all.
    pub async fn befall(&self, mut nodes: Nodes, fault: &Fault) -> (Nodes, bool) {
        match fault.kind {
            FaultKind::Kill(failpoint) => return (self.die(nodes, failpoint).await, true),
            FaultKind::Cut(..) | FaultKind::Swallow(_) => {
                let has_happened = becomes(HARMED_WITHIN, async || self.proxy.has_happened()).await;
                self.proxy.disarm();
                if matches!(fault.kind, FaultKind::Swallow(_)) {
                    pause(fault.lasts).await;
                    self.proxy.cut();
                }
                return (nodes, has_happened);
            }
            FaultKind::Stop => {
                pause(fault.after).await;
                nodes = self.stop_for_a_while(nodes, fault.lasts).await;
            }
            FaultKind::Reboot => {
                pause(fault.after).await;
                self.reboots.lock().unwrap().push(now());
                self.home.reboot().unwrap();
            }
            FaultKind::Address => {
                pause(fault.after).await;
                self.move_to(&self.away, self.away.port()).await;
                self.home.kill_sessions().unwrap();
                pause(fault.lasts).await;
                self.move_to(&self.home, self.proxy.port()).await;
            }
            FaultKind::HostKey => {
                pause(fault.after).await;
                self.home.change_host_key().unwrap();
                pause(fault.lasts).await;
                self.approve(&self.home).await;
            }
            FaultKind::Credential => {
                pause(fault.after).await;
                self.home.deauthorize().unwrap();
                self.home.kill_sessions().unwrap();
                pause(fault.lasts).await;
                self.attach(&self.home).await;
            }
        }
        (nodes, true)
    }

    async fn die(&self, nodes: Nodes, failpoint: &str) -> Nodes {
        let mut armed = nodes.node;
        armed.ended().await;
        let name = failpoint.split(':').next().unwrap();
        let log = armed.log_text();
        assert!(log.contains(&format!("failpoint {name} reached, ")), "{failpoint}:\n{log}");
        let node = self.installation.node().await;
        self.speak_to(&node);
        Nodes { node, other: None }
    }

    /// The other one serves from then on.
    async fn stop_for_a_while(&self, nodes: Nodes, length: Duration) -> Nodes {
        let Nodes { node: stopped, other } = nodes;
        let serving = other.expect("a second node");
        stopped.signal("STOP");
        self.speak_to(&serving);
        pause(length).await;
        stopped.signal("CONT");
        Nodes { node: serving, other: Some(stopped) }
    }

    /// Requests one command that ends by itself, two runs of the deployment, and one command that is cancelled or whose
    /// time is over.
    pub async fn request_runs(&self, fault: &Fault) -> Vec<RequestedRun> {
        let servers = json!([self.server]);
        let ends = self.group(&format!("{}-ends", fault.number));
        let stops = self.group(&format!("{}-stops", fault.number));
        let line = command(&ends, 10 + u32::from(fault.code % 8), fault.code);
        let ends = json!({ "command": line, "server_ids": servers });
        let deploys = json!({ "deployment_id": self.deployment, "server_ids": servers });
        let line = command(&stops, BEATS_WITHOUT_END, 0);
        let mut endless = json!({ "command": line, "server_ids": servers });
        if !fault.cancels {
            endless["timeout_seconds"] = json!(2);
        }
        let mut runs = Vec::new();
        for body in [&ends, &deploys, &deploys, &endless] {
            runs.push(self.request_run(body).await);
        }
        if fault.cancels {
            becomes(BEGUN_WITHIN, async || {
                self.record().iter().any(|it| it.group == stops && it.step == Step::Begin)
            })
            .await;
            let last = runs.last_mut().unwrap();
            last.stop = Some(Stop::Cancel);
            let cancel = format!("runs/{}/cancel", last.run);
            // It may have ended otherwise by then.
            self.ask(Method::POST, &cancel, &json!({}), &[202, 409]).await;
        }
        runs
    }

    async fn request_run(&self, body: &Value) -> RequestedRun {
        let requested = now();
        let made = self.post("runs", body, 201).await;
        RequestedRun {
            run: made.field("/run_id"),
            requested,
            is_deployment: body.get("deployment_id").is_some(),
            stop: body.get("timeout_seconds").map(|_| Stop::Deadline),
            is_retried: false,
        }
    }
}
