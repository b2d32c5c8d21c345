//! A workspace with a seat, and a real sshd that it has approved: where runs run.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Harness, move_server, register_server};
use crate::{Answer, Client, Installation, LIMIT, Sshd, TestServer, until};

pub struct RunHarness {
    pub installation: Installation,
    pub ada: Client,
    /// `/v1/workspaces/...`
    pub workspace: String,
    pub sshd: Sshd,
    /// The server's id.
    pub server: String,
}

const ENDED: [&str; 6] = ["succeeded", "failed", "cancelled", "timed_out", "unproven", "lost"];

impl RunHarness {
    pub async fn new() -> (Self, TestServer) {
        Self::with(&[]).await
    }

    /// With settings of its own; nodes reach this machine's servers. Nothing but the test changes a
    /// server or ends a seat, however slow the machine is.
    pub async fn with(settings: &[(&str, &str)]) -> (Self, TestServer) {
        let own = [
            ("egress_allow", "127.0.0.1/32:*"),
            ("monitor_seconds", "0"),
            ("seat_lease_seconds", "3600"),
            ("ssh_connect_seconds", "20"),
        ];
        Self::on(Installation::with(&[&own[..], settings].concat()).await).await
    }

    /// On an installation whose nodes reach this machine's servers.
    pub async fn on(installation: Installation) -> (Self, TestServer) {
        let harness = Harness::on(installation).await;
        harness.set_seat_limit(&harness.operator().await, 5).await;
        let Harness { installation, node, ada, path: workspace } = harness;
        let sshd = Sshd::start().unwrap();
        let server = register_server(&ada, &workspace, &sshd, sshd.port()).await;
        let harness = Self { installation, ada, workspace, sshd, server };
        harness.take_seat().await;
        (harness, node)
    }

    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.workspace)
    }

    /// A POST that may act outside.
    pub async fn post(&self, rest: &str, body: Value) -> Answer {
        self.ada.post_once(&self.path(rest), body).await
    }

    pub async fn get(&self, rest: &str) -> Answer {
        self.ada.get(&self.path(rest)).await
    }

    pub async fn take_seat(&self) {
        self.post("seat-leases", json!({})).await.expect(201);
    }

    /// Answers the id of the server, which takes Lethe's key.
    pub async fn register(&self, sshd: &Sshd, port: u16) -> String {
        register_server(&self.ada, &self.workspace, sshd, port).await
    }

    /// The server is at another sshd from now on, which takes Lethe's key.
    pub async fn move_to(&self, sshd: &Sshd) {
        move_server(&self.ada, &self.path(&format!("servers/{}", self.server)), sshd).await;
    }

    /// Requests a run on the server; answers its path after the workspace's.
    pub async fn start(&self, command: &str) -> String {
        self.request(json!({ "command": command, "server_ids": [self.server] })).await
    }

    pub async fn request(&self, body: Value) -> String {
        let requested = self.post("runs", body).await.expect(201);
        format!("runs/{}", requested.field("/run_id"))
    }

    pub fn log_of(&self, run: &str) -> String {
        format!("{run}/servers/{}/log", self.server)
    }

    /// The run, once it is listed.
    pub async fn run(&self, run: &str) -> Option<Value> {
        let shown = self.get(run).await;
        (shown.status == 200).then(|| shown.json())
    }

    /// The run, once this is its state.
    pub async fn in_state(&self, run: &str, state: &str) -> Value {
        let shown = self.reaches(run, LIMIT, |now| now == state || ENDED.contains(&now)).await;
        assert_eq!(shown["state"], state, "{shown}");
        shown
    }

    /// Its server is stopped, so that it is lost; another attempt is cancelled before it begins. The lost one is to be ended
    /// with it.
    pub async fn lose_and_cancel_the_next(&self, run: &str) {
        self.sshd.stop().unwrap();
        assert_eq!(self.ended(run, LIMIT).await["state"], "lost");
        self.post(&format!("{run}/retry"), json!({})).await.expect(202);
        self.post(&format!("{run}/cancel"), json!({})).await.expect(202);
        assert_eq!(self.ended(run, LIMIT).await["state"], "unproven");
    }

    /// It is lost; another attempt does not start, since the server lets nobody in for a while. That says nothing of the
    /// lost one, which nobody wants to end.
    pub async fn lose_and_refuse_the_next(&self, run: &str) {
        self.sshd.stop().unwrap();
        assert_eq!(self.ended(run, LIMIT).await["state"], "lost");
        self.sshd.deauthorize().unwrap();
        self.sshd.restart().unwrap();
        self.post(&format!("{run}/retry"), json!({})).await.expect(202);
        until("the second attempt is refused", async || {
            let shown = self.run(run).await?;
            (shown["state"] == "failed" && shown["servers"][0]["attempt"] == 2).then_some(())
        })
        .await;
        let credential = self.path(&format!("servers/{}/credential", self.server));
        let attached = self.ada.put(&credential, "*", json!({ "generate": true })).await;
        self.sshd.authorize(&attached.expect(200).field("/public_line")).unwrap();
    }

    /// Once its command was started: the run itself is running from its dispatch on.
    pub async fn is_at_work(&self, run: &str) {
        until("the command was started", async || {
            let shown = self.run(run).await?;
            (shown["servers"][0]["state"] == "running").then_some(())
        })
        .await;
    }

    /// The run, once it has ended, and that is within `limit`.
    pub async fn ended(&self, run: &str, limit: Duration) -> Value {
        self.reaches(run, limit, |now| ENDED.contains(&now)).await
    }

    async fn reaches(&self, run: &str, limit: Duration, so_far: impl Fn(&str) -> bool) -> Value {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let mut last = String::new();
        let reached = async {
            loop {
                ticks.tick().await;
                let shown = self.get(run).await;
                last = shown.text();
                if shown.status == 200 && so_far(&shown.field("/state")) {
                    return shown.json();
                }
            }
        };
        let reached = tokio::time::timeout(limit, reached).await;
        reached.unwrap_or_else(|_| panic!("after {limit:?}: {last}\n{}", self.logged()))
    }

    /// What the nodes have logged.
    fn logged(&self) -> String {
        let files = std::fs::read_dir(self.installation.folder()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let logs = paths.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        let text: String =
            logs.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
        let lines = text.lines().filter(|line| !line.contains(": answered "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The bytes of one stream of a log, as they are kept.
    pub async fn bytes(&self, run: &str, stream: &str) -> Vec<u8> {
        let path = self.path(&format!("{}?stream={stream}", self.log_of(run)));
        let call = self.ada.call("GET".parse().unwrap(), &path).header("Accept", "text/plain");
        call.send().await.expect(200).body
    }

    /// Every line of a log, page by page.
    pub async fn lines(&self, run: &str) -> Vec<Value> {
        let mut lines: Vec<Value> = Vec::new();
        loop {
            let after = lines.last().map_or(0, |line| line["n"].as_u64().unwrap());
            let page = self.get(&format!("{}?after={after}&limit=2000", self.log_of(run))).await;
            let page = page.expect(200).text();
            let before = lines.len();
            lines.extend(page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            if lines.len() == before {
                return lines;
            }
        }
    }
}
