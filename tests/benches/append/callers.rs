//! Callers that each wait for their answer before they ask again.

use std::time::{Duration, Instant};

use domain::account::{Account, AccountCommand, Proof};
use domain::privacy::{EmailAddress, IpAddress, PersonName, Personal, UserAgent};
use domain::{AccountId, CommandId, CredentialId, ProofId, SessionId};
use futures_util::future::join_all;
use infra::event_store::{Request, Step};
use infra::ids::Ids;
use uuid::Uuid;

use test_support::TestNode;

/// What so many callers got done.
pub struct Done {
    pub each_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of this process: callers, sealing, the batcher and the driver.
    pub cpu_us: f64,
}

/// One person and the node that serves this person.
#[derive(Clone)]
pub struct Caller {
    pub account: AccountId,
    pub node: TestNode,
    ids: Ids,
}

impl Caller {
    /// Registered, and signed in once, so that the keys of today are there.
    pub async fn come(node: &TestNode, ids: &Ids) -> Self {
        let account = AccountId(ids.uuid());
        let caller = Self { account, node: node.clone(), ids: ids.clone() };
        let register = AccountCommand::Register {
            email: Personal::Clear(EmailAddress::parse("ada@example.org").unwrap()),
            name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
            username: None,
            credential: CredentialId(Uuid::nil()),
            verification: Proof { id: ProofId(Uuid::nil()), until: chrono::DateTime::default() },
        };
        caller.ask(register).await;
        caller.sign_in().await;
        caller
    }

    pub async fn come_all(nodes: &[TestNode], ids: &Ids, callers: usize) -> Vec<Self> {
        join_all((0..callers).map(|n| Self::come(&nodes[n % nodes.len()], ids))).await
    }

    /// A command as it comes from a request: compared by its body, with two personal fields.
    pub async fn sign_in(&self) {
        self.ask(AccountCommand::SucceedLogin {
            session: SessionId(self.ids.uuid()),
            ip: Personal::Clear(IpAddress([203, 0, 113, 7].into())),
            user_agent: Personal::Clear(UserAgent::cut("Mozilla/5.0 (X11; Linux x86_64)")),
        })
        .await;
    }

    async fn ask(&self, command: AccountCommand) {
        let step = Step::new::<Account>(self.account.0, command);
        let request = Request {
            body: Some(br#"{"email":"ada@example.org","password":"a long one"}"#.to_vec()),
            actor: Some(self.account.into()),
            request: Some(self.ids.uuid()),
            ..Request::new(self.account.into(), CommandId(self.ids.uuid()))
        };
        self.node.executor.execute(&request, &[step]).await.unwrap();
    }
}

pub async fn sign_in_for(callers: Vec<Caller>, time: Duration) -> Done {
    let (since, cpu) = (Instant::now(), cpu_seconds());
    let until = since + time;
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let sent = Instant::now();
                    caller.sign_in().await;
                    took.push(sent.elapsed());
                }
                took
            })
        })
        .collect();
    let took: Vec<Duration> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    let cpu_us = (cpu_seconds() - cpu) * 1e6 / took.len() as f64;
    Done { cpu_us, ..done(took, since.elapsed()) }
}

pub fn done(mut took: Vec<Duration>, within: Duration) -> Done {
    took.sort_unstable();
    let at = |hundredth: usize| took[(took.len() - 1) * hundredth / 100].as_secs_f64() * 1e3;
    let each_second = took.len() as f64 / within.as_secs_f64();
    Done { each_second, p50_ms: at(50), p99_ms: at(99), cpu_us: 0.0 }
}

/// What this process has used, in user and kernel, at 100 ticks a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|of| of.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}
