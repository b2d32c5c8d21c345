//! A real server, reached over SSH: registered, approved, and work that runs on it.

use std::time::Duration;

use infra::remote::sshd::Sshd;
use serde_json::json;

use super::api::Answer;
use super::home::{Home, Node};
use super::story::Story;
use super::team::Team;
use super::told::Told;
use crate::cli::CliError;

const WITHIN: Duration = Duration::from_mins(1);
/// Says something, and waits: so that there is time to look on, or to pull the plug.
const COUNTS: &str = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.1; done";
const STUBBORN: &str = "trap '' TERM; sleep 1000 & sleep 1000 & wait; wait";

/// A server of the workspace.
pub struct Far<'a> {
    sshd: &'a Sshd,
    server: String,
}

impl<'a> Far<'a> {
    pub async fn register(told: &mut Told, team: &Team, sshd: &'a Sshd) -> Result<Self, CliError> {
        told.chapter("A real sshd is registered, and its host key approved");
        let body = json!({
            "name": "build", "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user(),
        });
        let api = &team.grace.api;
        let made = api.post(&format!("{}/servers", team.path), body).await?;
        let server = made.expect(201, "registering a server")?.text("/server_id");
        let far = Self { sshd, server };
        let path = format!("{}/servers/{}", team.path, far.server);

        let checked =
            api.post(&format!("{path}/check"), json!({})).await?.expect(200, "a check")?;
        told.see(&checked.body);
        let own = sshd.host_key_fingerprint()?;
        let seen = checked.body.to_string().contains(&own);
        told.holds("the fingerprint that Lethe saw is the server's own", seen);
        told.holds("and nothing was offered to it", checked.text("/ok") == "false");
        let etag = api.get(&path).await?.etag().to_owned();
        let body = json!({ "fingerprint": own });
        let approved = api.post_on(&format!("{path}/host-key/approve"), body, &etag).await?;
        told.holds("Grace approves it", approved.status < 300);

        let etag = api.get(&path).await?.etag().to_owned();
        let key =
            api.put(&format!("{path}/credential"), json!({ "generate": true }), &etag).await?;
        let line = key.expect(200, "a credential")?.text("/public_line");
        told.see(&line);
        sshd.authorize(&line)?;
        let checked =
            api.post(&format!("{path}/check"), json!({})).await?.expect(200, "a check")?;
        told.see(&checked.body);
        told.holds("with its key let in, the whole way is open", checked.text("/ok") == "true");
        Ok(far)
    }

    async fn run(&self, team: &Team, command: &str) -> Result<String, CliError> {
        let body = json!({ "command": command, "servers": [self.server] });
        let asked = team.ada.api.post(&format!("{}/runs", team.path), body).await?;
        let run = asked.expect(201, "asking for a run")?.text("/run_id");
        Ok(format!("{}/runs/{run}", team.path))
    }

    fn log(&self, run: &str) -> String {
        format!("{run}/servers/{}/log", self.server)
    }

    /// Waits until the run is in one of these states.
    async fn until(&self, team: &Team, run: &str, states: &[&str]) -> Result<Answer, CliError> {
        let reached = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let shown = team.ada.api.get(run).await?;
                if states.contains(&shown.text("/state").as_str()) {
                    return Ok(shown);
                }
            }
        };
        let reached = tokio::time::timeout(WITHIN, reached).await;
        reached.map_err(|_| CliError::Failed(format!("the run is not {}", states.join(", "))))?
    }

    pub async fn watched(&self, told: &mut Told, team: &Team) -> Result<(), CliError> {
        told.chapter("Ada runs a command there, and watches it");
        let command = "for i in 1 2 3 4 5; do echo step $i; sleep 0.2; done; echo done >&2";
        let run = self.run(team, command).await?;
        let mut events = team.ada.api.events(&self.log(&run)).await?;
        let mut lines = 0;
        while let Some((name, data)) = events.next(WITHIN).await? {
            told.see(format_args!("{name:<6}{data}"));
            lines += u32::from(name == "line");
            if name == "end" {
                break;
            }
        }
        told.holds("every line came while it ran, and the end with the log's hashes", lines == 6);
        let shown = self.until(team, &run, &["succeeded"]).await?;
        told.holds("the run succeeded", shown.text("/state") == "succeeded");
        Ok(())
    }

    pub async fn cancelled(&self, told: &mut Told, team: &Team) -> Result<(), CliError> {
        told.chapter("A run that ignores TERM is cancelled");
        let run = self.run(team, STUBBORN).await?;
        self.until(team, &run, &["running"]).await?;
        self.sleeping().await?;
        team.ada.api.post(&format!("{run}/cancel"), json!({})).await?.expect(202, "cancelling")?;
        let shown = self.until(team, &run, &["cancelled"]).await?;
        told.see(&shown.body);
        told.holds("nothing of it is left on the server", self.sleepers()? == 0);
        Ok(())
    }

    fn sleepers(&self) -> Result<usize, CliError> {
        let processes = self.sshd.processes()?;
        Ok(processes.iter().filter(|process| process.command.contains("sleep 1000")).count())
    }

    async fn sleeping(&self) -> Result<(), CliError> {
        let reached = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            while self.sleepers()? < 2 {
                ticks.tick().await;
            }
            Ok(())
        };
        let reached = tokio::time::timeout(WITHIN, reached).await;
        reached.map_err(|_| CliError::Failed("the run does not start on the server".to_owned()))?
    }

    /// kill -9 in the middle; answers the Lethe that was started again.
    pub async fn survives(
        &self,
        told: &mut Told,
        (home, node): (&Home, Node),
        story: &mut Story,
        team: &Team,
    ) -> Result<Node, CliError> {
        told.chapter("Lethe is killed in the middle of a run, and started again");
        let run = self.run(team, COUNTS).await?;
        self.some_lines(team, &run).await?;
        node.kill().await?;
        told.see("killed (-9)");
        let node = home.serve().await?;
        story.at(node.api());
        let team = team.at(node.api());
        let shown = self.until(&team, &run, &["succeeded", "failed", "lost"]).await?;
        told.see(&shown.body);
        told.holds("the run is found again, and succeeds", shown.text("/state") == "succeeded");
        let lines = team.ada.api.lines(&format!("{}?limit=200", self.log(&run))).await?;
        let lines: Vec<&str> = lines.iter().filter_map(|line| line.get("text")?.as_str()).collect();
        let whole: Vec<String> = (1..=60).map(|number| format!("line {number}")).collect();
        let same = lines.iter().map(|line| line.trim_end()).eq(whole.iter().map(String::as_str));
        told.holds("its log has every line once, in order", same);
        let trail = story.operator.get("/v1/audit-events?type=run.reattached").await?;
        let reattached = trail.text("/items/0/type") == "run.reattached";
        told.holds("the trail tells that it was re-attached, not started again", reattached);
        Ok(node)
    }

    async fn some_lines(&self, team: &Team, run: &str) -> Result<(), CliError> {
        let mut events = team.ada.api.events(&self.log(run)).await?;
        let mut lines = 0;
        while lines < 5 {
            let Some((name, _)) = events.next(WITHIN).await? else { break };
            lines += u32::from(name == "line");
        }
        Ok(())
    }
}
