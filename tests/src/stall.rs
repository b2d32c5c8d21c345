//! How long this machine keeps anybody waiting, and when: a limit of time that Lethe must keep is
//! counted without that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use infra::clock::Clock;
use reqwest::Method;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::{Client, Installation};

const EVERY: Duration = Duration::from_millis(50);

/// One question to the database and to the nodes: from when it was due to when all have answered.
#[derive(Clone, Copy, Debug)]
struct Wait {
    due: DateTime<Utc>,
    answered: DateTime<Utc>,
}

/// Asks the database for nothing, and the nodes whether they are ready, again and again, and notes how
/// long each time took.
pub struct StallWatch {
    waits: Arc<Mutex<Vec<Wait>>>,
    task: JoinHandle<()>,
}

impl StallWatch {
    /// `nodes` are those that run now: one that is killed meanwhile makes nobody wait.
    pub async fn start(
        installation: &Installation,
        nodes: impl Fn() -> Vec<Client> + Send + 'static,
    ) -> Self {
        let client = installation.log().await;
        let clock = Clock::system();
        let waits = Arc::default();
        let noted: Arc<Mutex<Vec<Wait>>> = Arc::clone(&waits);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let due = ticks.tick().await;
                let nodes = nodes();
                let ready = nodes.iter().map(|node| node.call(Method::GET, "/readyz").try_send());
                let (asked, _) = tokio::join!(client.execute("select", &[]), join_all(ready));
                asked.unwrap();
                let answered = clock.now();
                let due = answered - TimeDelta::from_std(due.elapsed()).unwrap();
                noted.lock().unwrap().push(Wait { due, answered });
            }
        });
        Self { waits, task }
    }

    /// The longest wait of which some part lies between the two times.
    pub fn longest_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        assert!(!self.task.is_finished(), "nobody watches the machine");
        longest_between(&self.waits.lock().unwrap(), from, to)
    }
}

fn longest_between(waits: &[Wait], from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let inside = waits.iter().filter(|wait| wait.due <= to && wait.answered >= from);
    inside.map(|wait| wait.answered - wait.due).max().unwrap_or_default()
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[test]
fn a_stall_excuses_only_what_was_due_meanwhile() {
    let at = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
    let waits = [(0, 5), (50, 3_050), (3_100, 3_110)]
        .map(|(due, answered)| Wait { due: at(due), answered: at(answered) });

    assert_eq!(longest_between(&waits, at(1_000), at(2_000)), TimeDelta::seconds(3));
    assert_eq!(longest_between(&waits, at(3_060), at(4_000)), TimeDelta::milliseconds(10));
    assert_eq!(longest_between(&waits, at(10), at(40)), TimeDelta::zero());
}
