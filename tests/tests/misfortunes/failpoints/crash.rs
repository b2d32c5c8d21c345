//! A node that is killed at a failpoint, and the node after it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use futures_util::future::join_all;
use tests::{Answer, Installation, TestServer, until_within};

use super::checks;
use super::requests::Request;

const SIGKILL: i32 = 9;
/// A request to erase is refused for a minute after one that was cut short.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(100);

/// How often each failpoint was reached, and how many processes were killed at it.
#[derive(Default)]
pub struct Report {
    pub reached: BTreeMap<String, u64>,
    pub kills: BTreeMap<String, u32>,
    /// The answers of the node that was killed last, to its requests.
    pub first: Vec<Option<Answer>>,
}

impl Report {
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.reached {
            *self.reached.entry(name).or_default() += count;
        }
        for (name, count) in other.kills {
            *self.kills.entry(name).or_default() += count;
        }
    }

    /// Reads the last line of a process that was killed at `failpoint`, which is `name` or `name:n`.
    pub fn read(&mut self, failpoint: &str, status: std::process::ExitStatus, stderr: &str) {
        let name = failpoint.split(':').next().unwrap();
        let start = format!("failpoint {name} reached, ");
        let line = stderr.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("{failpoint} was not reached:\n{stderr}"));
        assert_eq!(status.signal(), Some(SIGKILL), "{failpoint}: {status:?}");
        let (_, counts) = line.split_once("of all: ").expect("the counts");
        for (name, count) in counts.split(' ').map(|count| count.split_once('=').unwrap()) {
            *self.reached.entry(name.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
        *self.kills.entry(name.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{:<28} {:>7} {:>7}", "failpoint", "reached", "killed")?;
        for (name, reached) in &self.reached {
            let kills = self.kills.get(name).unwrap_or(&0);
            writeln!(to, "{name:<28} {reached:>7} {kills:>7}")?;
        }
        write!(to, "{} kills", self.kills.values().sum::<u32>())
    }
}

/// One kill: where, under which requests, and how many events of which types come of them.
pub struct Kill<'a> {
    pub failpoint: &'a str,
    pub requests: Vec<Request>,
    /// Of the node that is killed.
    pub settings: &'a [(&'a str, &'a str)],
    pub events: &'a [(&'a str, i64)],
}

/// A request that was sent to a node that died, with the answer if it came.
pub struct Sent {
    request: Request,
    answer: Option<Answer>,
}

impl Report {
    /// Stops `node`, starts one that is killed, starts the next one, and checks everything there.
    /// Answers the last node, and its answers to the requests.
    pub async fn kill(
        &mut self,
        installation: &Installation,
        node: TestServer,
        kill: Kill<'_>,
    ) -> (TestServer, Vec<Answer>) {
        let Kill { failpoint, requests, settings, events } = kill;
        assert!(node.stop().await.success(), "before {failpoint}");
        let before = checks::count(installation, events).await;
        let sent = self.die(installation, failpoint, settings, requests).await;
        let node = installation.node().await;
        let answers = send_again(&node, failpoint, sent).await;
        checks::settled(installation, failpoint).await;
        let expected: Vec<i64> =
            before.iter().zip(events).map(|(before, (_, more))| before + more).collect();
        let after = checks::count(installation, events).await;
        assert_eq!(after, expected, "{failpoint}: the events {events:?}");
        (node, answers)
    }

    /// Starts a node that is killed at `failpoint` while the requests are on their way.
    pub async fn die(
        &mut self,
        installation: &Installation,
        failpoint: &str,
        settings: &[(&str, &str)],
        requests: Vec<Request>,
    ) -> Vec<Sent> {
        let settings = [&[("failpoint", failpoint)], settings].concat();
        let mut armed = installation.node_with(&settings).await;
        let base = armed.api().to_owned();
        let sending = requests.into_iter().map(|request| async {
            let answer = request.send(&base).await;
            Sent { request, answer }
        });
        let (sent, status) = tokio::join!(join_all(sending), armed.ended());
        self.read(failpoint, status, &armed.log_text());
        self.first = sent.iter().map(|sent| sent.answer.clone()).collect();
        sent
    }
}

/// Whoever got no answer asks again, and whoever got one gets the same.
pub async fn send_again(node: &TestServer, failpoint: &str, sent: Vec<Sent>) -> Vec<Answer> {
    let again = sent.into_iter().map(|Sent { request, answer }| async move {
        let position = |answer: &Answer| answer.header("lethe-position").map(str::to_owned);
        let what = format!("{failpoint}: the same request is accepted");
        let accepted = until_within(ACCEPTED_WITHIN, &what, async || {
            let answer = request.send(node.api()).await.ok_or_else(|| "no answer".to_owned())?;
            let accepted = request.again.contains(&answer.status);
            if accepted { Ok(answer) } else { Err(format!("{}: {}", answer.status, answer.text())) }
        });
        let accepted = accepted.await;
        if let Some(before) = answer {
            let (status, text) = (before.status, before.text());
            assert!((200..300).contains(&status), "{failpoint}: {status}: {text}");
            let (was, is) = (position(&before), position(&accepted));
            if was.is_some() && (200..300).contains(&accepted.status) {
                assert_eq!(was, is, "{failpoint}: an answered command is another one");
            }
        }
        accepted
    });
    join_all(again).await
}
