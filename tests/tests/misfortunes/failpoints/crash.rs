//! A node that is killed at a failpoint, and the node after it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;

use futures_util::future::join_all;
use tests::{Answer, Installation, TestServer};

use super::checks;
use super::load::Load;
use super::requests::Request;
use super::sent::{Sent, are_in_log, send_again};

const SIGKILL: i32 = 9;

/// How often each failpoint was reached, and how many processes were killed at it.
#[derive(Default)]
pub struct Report {
    pub reached: BTreeMap<String, u64>,
    pub kills: BTreeMap<String, u32>,
    /// The answers of the node that was killed last, to its requests.
    pub first: Vec<Option<Answer>>,
    /// Who else is at work while a node is killed.
    pub load: Option<Load>,
    /// Requests of the load that had their answer when their node was killed, and that had none.
    pub load_answered: usize,
    pub load_unanswered: usize,
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

    /// Fails unless the load was at work when nodes were killed: some of its requests had an answer,
    /// and some had none yet.
    pub fn check_load(&self) {
        let Self { load_answered, load_unanswered, .. } = self;
        println!("of the load {load_answered} were answered, and {load_unanswered} were not");
        assert!(*load_answered > 0, "no request of the load was answered before a kill");
        assert!(*load_unanswered > 0, "no request of the load was on its way at a kill");
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
        // What a reader has not read yet would reach the failpoint before the requests do.
        checks::are_read(installation, failpoint).await;
        assert!(node.stop().await.success(), "before {failpoint}");
        let before = checks::count(installation, events).await;
        let asked = requests.len();
        let sent = self.die(installation, failpoint, settings, requests).await;
        are_in_log(installation, failpoint, &sent).await;
        let node = installation.node().await;
        let mut answers = send_again(&node, failpoint, &sent).await;
        checks::settled(installation, failpoint).await;
        let load = &sent[asked..];
        let expected = before.iter().zip(events).map(|(before, (event, more))| {
            let by_load = load.iter().filter(|sent| sent.brings(event)).count();
            before + more + i64::try_from(by_load).unwrap()
        });
        let expected: Vec<i64> = expected.collect();
        let after = checks::count(installation, events).await;
        assert_eq!(after, expected, "{failpoint}: the events {events:?}");
        if let Some(callers) = &self.load {
            callers.learn(load, &answers[asked..]);
        }
        answers.truncate(asked);
        (node, answers)
    }

    /// Starts a node that is killed at `failpoint` while the requests, and those of the load, are on
    /// their way. Answers the requests, then those of the load.
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
        let sending = requests.into_iter().map(|request| Sent::by(request, &base));
        let load = async {
            match &self.load {
                Some(load) => load.send(&base).await,
                None => Vec::new(),
            }
        };
        let (mut sent, load, status) = tokio::join!(join_all(sending), load, armed.ended());
        let (answered, unanswered): (Vec<_>, Vec<_>) =
            load.iter().partition(|sent| sent.answer.is_some());
        self.load_answered += answered.len();
        self.load_unanswered += unanswered.len();
        sent.extend(load);
        self.read(failpoint, status, &armed.log_text());
        self.first = sent.iter().map(|sent| sent.answer.clone()).collect();
        sent
    }
}
