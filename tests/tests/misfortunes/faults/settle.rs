//! Waits until every run of a fault has ended and nobody looks for it any more, and does meanwhile what people do.

use std::time::Duration;

use serde_json::{Value, json};
use tests::Person;
use tokio::time::{Instant, interval};

use super::acts::RequestedRun;
use super::lane::{Lane, becomes};
use super::questions::{ShownState, Wait};
use super::record::{Entry, Step, now, task_of};
use super::report::Report;
use super::schedule::{Fault, FaultKind};

/// After a fault is over a lease ends within 10 seconds, a node tries a server again within 15, it waits up to a minute
/// for an answer that does not come, and what does not go by itself is killed after 10 more.
pub const STUCK_AFTER: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Of a start that no machine knows of, nobody can tell where it was sent to.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
const ENDED: [&str; 6] = ["succeeded", "failed", "cancelled", "timed_out", "unproven", "lost"];
/// What is lost is looked for each minute, and after a day ever more seldom.
const LOOK_NOW: &str = "update working.run_tasks set next_at = clock_timestamp() \
    where state = 'lost' and next_at > clock_timestamp() + interval '2 seconds'";
const COUNT_TASKS: &str = "select count(*) from working.run_tasks";

/// In the large size a lost run has the time to be found as it is without a test.
fn hastened_after() -> Duration {
    if tests::long() { Duration::from_secs(90) } else { Duration::ZERO }
}

/// A run that has ended: nothing of it may be left, either.
pub fn is_settled(shown: &Value) -> bool {
    let is_ended = shown["state"].as_str().is_some_and(|state| ENDED.contains(&state));
    is_ended && shown["servers"][0]["attempts_left"].is_null()
}

impl Lane {
    pub async fn settle(&self, fault: &Fault, runs: Vec<RequestedRun>, report: &mut Report) {
        let (healed, since) = (now(), Instant::now());
        let label = format!("fault {}, {:?}", fault.number, fault.kind);
        let wait = |run: &RequestedRun, ended| {
            let (fault, run) = (label.clone(), run.run.clone());
            Wait { fault, run, healed, ended }
        };
        let (mut open, mut ticks) = (runs, interval(LOOK_EVERY));
        while !open.is_empty() && since.elapsed() <= STUCK_AFTER {
            ticks.tick().await;
            if since.elapsed() >= hastened_after() {
                report.hastened += self.log.execute(LOOK_NOW, &[]).await.unwrap();
            }
            let mut still = Vec::new();
            for mut run in open {
                match self.show(&run.run).await {
                    Some(shown) if is_settled(&shown) => {
                        report.note(fault.kind, wait(&run, Some(now())));
                        report.states.push(self.state(&label, &run, &shown));
                    }
                    Some(shown) => {
                        self.act(fault, &mut run, &shown["servers"][0], since).await;
                        still.push(run);
                    }
                    None => still.push(run),
                }
            }
            open = still;
        }
        for run in open {
            report.note(fault.kind, wait(&run, None));
        }
    }

    fn state(&self, label: &str, run: &RequestedRun, shown: &Value) -> ShownState {
        let on = &shown["servers"][0];
        ShownState {
            fault: label.to_owned(),
            run: run.run.clone(),
            task: self.task(run, on),
            ending: on["ending"].clone(),
            settled: on["settled"].clone(),
            requested: run.requested,
            at: now(),
            stop: run.stop,
        }
    }

    fn task(&self, run: &RequestedRun, on: &Value) -> String {
        task_of(&run.run, on["attempt"].as_u64().unwrap_or_default(), &self.server)
    }

    /// A person tries a lost deployment once more, and gives up what is where the server is no more.
    async fn act(&self, fault: &Fault, run: &mut RequestedRun, on: &Value, since: Instant) {
        if on["state"] != "lost" || on["attempts_left"].is_null() {
            return;
        }
        let path = format!("runs/{}", run.run);
        let task = self.task(run, on);
        let record = self.record();
        let own: Vec<&Entry> = record.iter().filter(|entry| entry.task == task).collect();
        let is_at_home = self.home.record().contains(&task);
        let is_elsewhere = match fault.kind {
            FaultKind::HostKey => true,
            FaultKind::Address => {
                !is_at_home && (!own.is_empty() || since.elapsed() >= UNKNOWN_FOR)
            }
            FaultKind::Kill(_)
            | FaultKind::Stop
            | FaultKind::Cut(..)
            | FaultKind::Swallow(_)
            | FaultKind::Reboot
            | FaultKind::Credential => false,
        };
        if is_elsewhere {
            // Another run of the deployment begins then.
            let is_over = own.last().is_none_or(|entry| matches!(entry.step, Step::End(_)));
            if is_over || !run.is_deployment {
                let password = json!({ "password": Person::named("ada").password });
                let give_up = format!("{path}/servers/{}/give-up", self.server);
                self.try_post(&give_up, &password, 200).await;
            }
        } else if run.is_deployment && is_at_home && !run.is_retried {
            let named = json!({ "server_ids": [self.server] });
            run.is_retried = self.try_post(&format!("{path}/retry"), &named, 202).await;
        }
    }

    /// Whether no node has anything to do for a run.
    pub async fn is_idle(&self) -> bool {
        becomes(STUCK_AFTER, async || {
            self.log.execute(LOOK_NOW, &[]).await.unwrap();
            self.log.query_one(COUNT_TASKS, &[]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await
    }
}
