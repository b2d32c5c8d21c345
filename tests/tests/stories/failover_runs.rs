//! Runs on a real sshd while the primary dies, and its standby takes over without what the last of them did.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tests::{Installation, Person, Proxy, RunHarness, ServerPair, TestServer, until};

const EXIT_CODE: i32 = 3;
const LIMIT: Duration = Duration::from_mins(3);

/// Notes each time that it starts, and ends when it may.
fn waiting(name: &str) -> String {
    format!("echo started >> ~/{name}; until [ -e ~/{name}.go ]; do sleep 0.05; done")
}

struct Drill {
    servers: ServerPair,
    harness: RunHarness,
}

impl Drill {
    async fn new() -> (Self, TestServer) {
        let servers = ServerPair::new().await;
        let [log, keyring] = ["lethe", "lethe_keys"].map(|name| servers.url(name));
        let settings = [
            ("database_url", log.as_str()),
            ("keyring_url", &keyring),
            ("egress_allow", "127.0.0.1/32:*"),
            ("monitor_seconds", "0"),
            ("seat_lease_seconds", "3600"),
            ("ssh_connect_seconds", "60"),
            ("run_lost_seconds", "5"),
            ("runs_per_server", "3"),
        ];
        let installation = Installation::with(&settings).await;
        let (harness, node) = RunHarness::on(installation).await;
        (Self { servers, harness }, node)
    }

    fn go(&self, name: &str) {
        std::fs::write(self.harness.sshd.home().join(format!("{name}.go")), "").unwrap();
    }

    /// How often the command of this name was started.
    fn starts(&self, name: &str) -> usize {
        let noted = std::fs::read_to_string(self.harness.sshd.home().join(name));
        noted.unwrap_or_default().lines().count()
    }

    async fn has_started(&self, name: &str) {
        until(&format!("{name} has started"), async || self.starts(name) == 1).await;
    }

    async fn start(&self, name: &str) -> String {
        self.harness.start(&waiting(name)).await
    }

    async fn until_state(&self, run: &str, wanted: &str) {
        until(&format!("it is {wanted}"), async || match self.harness.get(run).await {
            shown if shown.status == 200 && shown.field("/state") == wanted => Ok(()),
            shown => Err(shown.text()),
        })
        .await;
    }

    /// The folders of runs on the server, but for those of which only a note is left.
    fn folders(&self) -> usize {
        notes(&self.harness.sshd.home().join(".lethe"))
    }
}

fn notes(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let notes = entries.map(|entry| {
        let path = entry.path();
        let is_there = path.ends_with("started") && !path.with_file_name("gone").exists();
        if path.is_dir() { notes(&path) } else { usize::from(is_there) }
    });
    notes.sum()
}

async fn ended_as_said(mut node: TestServer) {
    let status = node.ended().await;
    let log = node.log_text();
    assert_eq!(status.code(), Some(EXIT_CODE), "{log}");
    let says = |line: &str| line.starts_with("lethe: ") && line.contains("went back");
    assert!(log.lines().any(says), "{log}");
}

#[tokio::test]
async fn runs_that_a_failover_takes_back_are_started_by_nobody_again_and_none_hangs() {
    let _alone = tests::alone().await;
    let (mut drill, node) = Drill::new().await;
    let nodes = [node, drill.harness.installation.node().await];
    let proxy = Proxy::to(drill.harness.sshd.port()).await;
    let behind = drill.harness.register(&drill.harness.sshd, proxy.port()).await;
    drill.servers.add_standby().await;
    // What the standby knows of: three that run, two behind them in the queue, one whose server does not answer.
    let (runs_on, ends) = (drill.start("runs_on").await, drill.start("ends").await);
    let ends_too = drill.start("ends_too").await;
    for name in ["runs_on", "ends", "ends_too"] {
        drill.has_started(name).await;
    }
    let over = drill.start("over").await;
    let launched = drill.start("launched").await;
    proxy.go_silent();
    let body = json!({ "command": waiting("claimed"), "server_ids": [behind] });
    let claimed = drill.harness.request(body).await;
    for run in [&launched, &over] {
        drill.until_state(run, "queued").await;
    }
    until("it is listed", async || drill.harness.run(&claimed).await).await;
    drill.servers.catch_up().await;
    drill.servers.cut_off().await;

    // What is lost: the end of two, the start and the end of the next, the start of another, and all of one.
    drill.go("ends");
    drill.harness.in_state(&ends, "succeeded").await;
    drill.has_started("over").await;
    drill.go("over");
    drill.harness.in_state(&over, "succeeded").await;
    drill.has_started("launched").await;
    drill.harness.in_state(&launched, "running").await;
    drill.go("ends_too");
    drill.harness.in_state(&ends_too, "succeeded").await;
    let unknown = drill.start("unknown").await;
    drill.has_started("unknown").await;
    until("what is over is deleted there", async || drill.folders() == 3).await;
    drill.servers.kill_primary().await;
    drill.servers.switch();
    drill.servers.promote().await;
    for node in nodes {
        ended_as_said(node).await;
    }
    // The copy of the keyring has what the keyring lost, if a file of it was written meanwhile. The nodes count as
    // running until their heartbeats are old.
    until("the keyring has what its copy has", async || {
        let restored = drill.harness.installation.run(&["restore", "--keyring"]).await;
        let said = String::from_utf8_lossy(&restored.stderr).into_owned();
        let is_whole = restored.status.success() || said.contains("is not behind its copy");
        if is_whole { Ok(()) } else { Err(said) }
    })
    .await;

    let nodes = [drill.harness.installation.node().await, drill.harness.installation.node().await];

    drill.harness.ada = Person::named("ada").sign_in(&nodes[0].client()).await;
    proxy.speak();
    // Whoever looks finds the commands of these two, and goes on with them.
    for (name, run) in [("runs_on", &runs_on), ("launched", &launched)] {
        drill.until_state(run, "running").await;
        drill.go(name);
        drill.until_state(run, "succeeded").await;
    }
    for run in [&ends, &ends_too, &over, &claimed] {
        assert_eq!(drill.harness.ended(run, LIMIT).await["state"], "lost");
    }
    assert_eq!(drill.harness.get(&unknown).await.status, 404);
    // The queue goes on behind them.
    let next = drill.start("next").await;
    drill.go("next");
    assert_eq!(drill.harness.ended(&next, LIMIT).await["state"], "succeeded");
    for name in ["runs_on", "ends", "ends_too", "over", "launched", "unknown", "next"] {
        assert_eq!(drill.starts(name), 1, "{name}");
    }
    assert_eq!(drill.starts("claimed"), 0, "nobody had started it");
    for node in nodes {
        assert!(node.stop().await.success());
    }
}
