//! Callers that each wait for their answer before they ask again.

use std::time::{Duration, Instant};

use domain::account::{Account, AccountCommand, Proof};
use domain::privacy::{EmailAddress, IpAddress, PersonName, Personal, UserAgent};
use domain::{AccountId, CommandId, CredentialId, ProofId, SessionId};
use futures_util::future::join_all;
use infra::event_store::{Guard, Request, Step};
use infra::ids::Ids;
use test_support::TestNode;
use tests::bench::{CpuMeter, Run};
use uuid::Uuid;

/// One person and the node that serves this person.
#[derive(Clone)]
pub struct Caller {
    pub account: AccountId,
    pub node: TestNode,
    /// What each of its commands expects of other streams.
    pub guards: Vec<Guard>,
    ids: Ids,
}

impl Caller {
    /// Registered, and signed in once, so that the keys of today are there.
    pub async fn come(node: &TestNode, ids: &Ids) -> Self {
        let account = AccountId(ids.uuid());
        let caller = Self { account, node: node.clone(), guards: vec![], ids: ids.clone() };
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
            credential: CredentialId(Uuid::nil()),
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
            guards: self.guards.clone(),
            ..Request::new(self.account.into(), CommandId(self.ids.uuid()))
        };
        self.node.executor.execute(&request, &[step]).await.unwrap();
    }
}

/// Each signs in again and again for so long.
pub async fn sign_in_for(callers: Vec<Caller>, time: Duration, meter: &CpuMeter) -> Run {
    let sign_in = |caller: Caller| {
        move || {
            let caller = caller.clone();
            async move { caller.sign_in().await }
        }
    };
    repeat_for(callers.into_iter().map(sign_in), time, meter).await
}

/// So many callers who each let new people come, one after the other, for so long.
pub async fn come_for(
    node: &TestNode,
    ids: &Ids,
    callers: usize,
    time: Duration,
    meter: &CpuMeter,
) -> Run {
    let come = |_| {
        let (node, ids) = (node.clone(), ids.clone());
        move || {
            let (node, ids) = (node.clone(), ids.clone());
            async move { drop(Caller::come(&node, &ids).await) }
        }
    };
    repeat_for((0..callers).map(come), time, meter).await
}

/// Each of these is done again and again for so long, side by side.
pub async fn repeat_for<O, D>(
    operations: impl Iterator<Item = O>,
    time: Duration,
    meter: &CpuMeter,
) -> Run
where
    O: Fn() -> D + Send + 'static,
    D: Future<Output = ()> + Send,
{
    let (since, before) = (Instant::now(), meter.read());
    let until = since + time;
    let tasks = operations.map(|operation| {
        tokio::spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                took.push(timed(operation()).await);
            }
            took
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let took = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    Run::of_operations(took, since.elapsed(), meter.read() - before)
}

pub async fn timed(what: impl Future) -> Duration {
    let since = Instant::now();
    what.await;
    since.elapsed()
}
