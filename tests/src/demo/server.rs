//! A real server, reached over SSH: registered, approved, and work that runs on it.

use reqwest::Method;
use serde_json::{Value, json};

use super::claims::Claims;
use super::story::Story;
use super::team::Team;
use crate::{Answer, Events, Installation, Sshd, TestServer, until};

const LINES: usize = 60;
/// Writes 60 lines in 6 s at least, and goes on until it is let go.
const COUNTS: &str = "i=0; while [ $i -lt 60 ] || ! [ -e ~/counted ]; do i=$((i+1)); \
    echo line $i; sleep 0.1; done";
const STUBBORN: &str = "trap '' TERM; sleep 1000 & sleep 1000 & wait; wait";

/// A server of the workspace.
pub struct RemoteServer<'a> {
    sshd: &'a Sshd,
    id: String,
}

impl<'a> RemoteServer<'a> {
    pub async fn register(claims: &mut Claims, story: &Story, team: &Team, sshd: &'a Sshd) -> Self {
        claims.chapter("A real sshd is registered, and its host key approved");
        let body = json!({
            "name": "build", "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user(),
        });
        let client = &team.grace.client;
        let made = client.post_once(&format!("{}/servers", team.path), body).await;
        let id = made.expect(201).field("/server_id");
        let path = format!("{}/servers/{id}", team.path);

        let checked = client.post_once(&format!("{path}/check"), json!({})).await.expect(200);
        claims.see(checked.text());
        let own = sshd.host_key_fingerprint().unwrap();
        let seen = checked.text().contains(&own);
        claims.holds("the fingerprint that Lethe saw is the server's own", seen);
        claims.holds("and nothing was offered to it", !checked.json()["ok"].as_bool().unwrap());
        let etag = client.get(&path).await.etag();
        let approve = client.call(Method::POST, &format!("{path}/host-key/approve"));
        let approval = json!({ "fingerprint": own, "password": story.grace.person.password });
        let approve = approve.header("If-Match", &etag).json(approval);
        claims.holds("Grace approves it", approve.send().await.status == 200);

        let etag = client.get(&path).await.etag();
        let body = json!({ "generate": true });
        let key = client.put(&format!("{path}/credential"), &etag, body).await;
        let line = key.expect(200).field("/public_line");
        claims.see(&line);
        sshd.authorize(&line).unwrap();
        let checked = client.post_once(&format!("{path}/check"), json!({})).await.expect(200);
        claims.see(checked.text());
        let open = checked.json()["ok"] == true;
        claims.holds("with its key let in, the whole way is open", open);
        Self { sshd, id }
    }

    /// Starts a run; answers its path.
    async fn run(&self, team: &Team, command: &str) -> String {
        let body = json!({ "command": command, "server_ids": [self.id] });
        let requested = team.ada.client.post_once(&format!("{}/runs", team.path), body).await;
        format!("{}/runs/{}", team.path, requested.expect(201).field("/run_id"))
    }

    fn log(&self, run: &str) -> String {
        format!("{run}/servers/{}/log", self.id)
    }

    async fn events(&self, team: &Team, run: &str) -> Events {
        Events::open(team.ada.client.call(Method::GET, &self.log(run))).await
    }

    /// Waits until the run is in one of these states.
    async fn in_state(&self, team: &Team, run: &str, states: &[&str]) -> Answer {
        until(&format!("the run is {}", states.join(" or ")), async || {
            let shown = team.ada.client.get(run).await;
            let state = shown.json()["state"].clone();
            if states.iter().any(|known| state == *known) { Ok(shown) } else { Err(state) }
        })
        .await
    }

    pub async fn watched(&self, claims: &mut Claims, team: &Team) {
        claims.chapter("Ada runs a command there, and watches it");
        let command = "for i in 1 2 3 4 5; do echo step $i; sleep 0.2; done; echo done >&2";
        let run = self.run(team, command).await;
        let mut events = self.events(team, &run).await;
        let (mut lines, mut end) = (0, false);
        while let (Some(event), false) = (events.next().await, end) {
            claims.see(format_args!("{:<6}{}", event.name, event.data));
            lines += u32::from(event.name == "line");
            end = event.name == "end";
            if end {
                break;
            }
        }
        let claim = "every line came while it ran, and the end with the log's hashes";
        claims.holds(claim, lines == 6 && end);
        let shown = self.in_state(team, &run, &["succeeded", "failed", "lost"]).await;
        claims.holds("the run succeeded", shown.field("/state") == "succeeded");
    }

    pub async fn cancelled(&self, claims: &mut Claims, team: &Team) {
        claims.chapter("A run that ignores TERM is cancelled");
        let run = self.run(team, STUBBORN).await;
        self.in_state(team, &run, &["running"]).await;
        until("both processes of the run sleep", async || self.sleepers() >= 2).await;
        team.ada.client.post_once(&format!("{run}/cancel"), json!({})).await.expect(202);
        let shown = self.in_state(team, &run, &["cancelled"]).await;
        claims.see(shown.text());
        claims.holds("nothing of it is left on the server", self.sleepers() == 0);
    }

    fn sleepers(&self) -> usize {
        let processes = self.sshd.processes().unwrap();
        processes.iter().filter(|process| process.command.contains("sleep 1000")).count()
    }

    /// kill -9 in the middle of a run; answers the node that was started again.
    pub async fn survives(
        &self,
        claims: &mut Claims,
        (installation, node): (&Installation, TestServer),
        story: &mut Story,
        team: &Team,
    ) -> TestServer {
        claims.chapter("Lethe is killed in the middle of a run, and started again");
        let run = self.run(team, COUNTS).await;
        self.wait_for_lines(team, &run).await;
        node.kill();
        claims.see("killed (-9)");
        let node = installation.node().await;
        story.move_to_server(node.api());
        let team = team.at(node.api());
        let reattached = until("the trail tells that it was re-attached", async || {
            let trail = story.operator.get("/v1/audit-events?type=run.reattached").await;
            let trail = trail.expect(200).json();
            (trail["items"][0]["type"] == "run.reattached").then_some(true)
        });
        let reattached = reattached.await;
        std::fs::write(self.sshd.home().join("counted"), "").unwrap();
        let shown = self.in_state(&team, &run, &["succeeded", "failed", "lost"]).await;
        claims.see(shown.text());
        let found = shown.field("/state") == "succeeded";
        claims.holds("the run is found again, and succeeds", found);
        let page = format!("{}?limit=2000", self.log(&run));
        let page = team.ada.client.get(&page).await.expect(200).text();
        let lines = page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<Value> = lines.map(|line| line["text"].clone()).collect();
        let whole = (1..=lines.len()).map(|n| json!(format!("line {n}\n")));
        let whole = lines.len() >= LINES && whole.eq(lines.iter().cloned());
        claims.holds("its log has every line once, in order", whole);
        claims.holds("the trail tells that it was re-attached, not started again", reattached);
        node
    }

    async fn wait_for_lines(&self, team: &Team, run: &str) {
        let mut events = self.events(team, run).await;
        let mut lines = 0;
        while lines < 5 {
            let event = events.next().await.expect("the run has ended already");
            lines += u32::from(event.name == "line");
        }
    }
}
