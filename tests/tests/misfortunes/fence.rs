//! After the fence of an erased person nothing about that person is appended, however close the race.

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand, AccountEvent, LoginRefusal, Proof};
use domain::privacy::{
    AccountEmail, EmailAddress, IpAddress, PersonName, Personal, Purpose, UserAgent,
};
use domain::{AccountId, CommandId, CredentialId, ProofId};
use futures_util::{StreamExt, stream};
use infra::clock::Clock;
use infra::event_store::{ExecuteError, Receipt, Request, ReservationChange, Step};
use infra::ids::Ids;
use test_support::{NodeHarness, TestNode};
use tokio::sync::Notify;
use tokio_postgres::Client;
use uuid::Uuid;

/// Of each of two kinds; five hundred with `LETHE_LONG=1`.
fn races() -> usize {
    if tests::long() { 500 } else { 150 }
}

const AT_ONCE: usize = 16;
const APPENDS: u32 = 4;

fn id() -> Uuid {
    Ids::system().uuid()
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

async fn ask(
    node: &TestNode,
    account: AccountId,
    command: AccountCommand,
    reservations: Vec<ReservationChange>,
) -> Result<Receipt, ExecuteError> {
    let mut request = Request::new(account.into(), CommandId(id()));
    request.reservations = reservations;
    let step = Step::new::<Account>(account.0, command);
    node.executor.execute(&request, &[step]).await
}

async fn register(node: &TestNode, account: AccountId) {
    let email = EmailAddress::parse(&format!("{account}@example.org")).unwrap();
    let take =
        |(kind, blind_index)| ReservationChange::Take { kind, blind_index, owner: account.0 };
    let reservations =
        node.keyring.email_index.indexes(&email).await.unwrap().into_iter().map(take);
    let registers = AccountCommand::Register {
        email: Personal::<AccountEmail>::Clear(email),
        name: Personal::Clear(PersonName::parse("Ada").unwrap()),
        username: None,
        credential: CredentialId(id()),
        verification: Proof { id: ProofId(id()), until: now() },
    };
    ask(node, account, registers, reservations.collect()).await.unwrap();
}

/// With a personal field, whose keys the erasure destroys meanwhile.
fn with_a_personal_field(_: u32) -> AccountCommand {
    AccountCommand::FailLogin {
        reason: LoginRefusal::WrongPassword,
        ip: Personal::Clear(IpAddress([203, 0, 113, 7].into())),
        user_agent: Personal::Clear(UserAgent::cut("a browser")),
    }
}

/// Without one: nothing but the fence stands against it.
fn without_one(number: u32) -> AccountCommand {
    AccountCommand::GiveConsent { purpose: Purpose::ProductNews, policy_version: number }
}

/// What became of the appends that raced with one erasure.
#[derive(Default)]
struct Race {
    landed: Vec<i64>,
    refused: usize,
    fence: i64,
}

/// Two nodes append while one of them erases, a little later in each race than in the one before.
async fn race(number: usize, nodes: &[TestNode; 2], ask: fn(u32) -> AccountCommand) -> Race {
    let [here, there] = nodes;
    let account = AccountId(id());
    register(here, account).await;
    let begin = Notify::new();
    let fenced = async {
        begin.notified().await;
        let fence = there.executor.fence(account.into(), AccountEvent::CLOSING).await.unwrap();
        there.keyring.eraser.erase_subject(account.into()).await.unwrap();
        fence
    };
    let appends = async |node: &TestNode| {
        let mut answers = Vec::new();
        for append in 0..APPENDS {
            if append as usize == number % APPENDS as usize {
                begin.notify_one();
            }
            answers.push(self::ask(node, account, ask(append), vec![]).await);
        }
        answers
    };
    let (fence, mut answers, others) = tokio::join!(fenced, appends(here), appends(there));
    answers.extend(others);
    answers.push(self::ask(here, account, ask(APPENDS), vec![]).await);
    assert!(matches!(answers.last(), Some(Err(ExecuteError::Fenced))), "{answers:?}");

    let mut race = Race { fence, ..Race::default() };
    for answer in answers {
        match answer {
            Ok(receipt) => {
                race.landed.extend(receipt.events().iter().map(|event| event.position));
            }
            Err(ExecuteError::Fenced) => race.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    race
}

async fn count(log: &Client, select: &str) -> usize {
    let counted: i64 = log.query_one(select, &[]).await.unwrap().get(0);
    usize::try_from(counted).unwrap()
}

async fn nothing_comes_after(ask: fn(u32) -> AccountCommand) {
    let _alone = tests::alone().await;
    let harness = NodeHarness::new().await;
    let nodes = [harness.node().await, harness.node().await];

    let wanted = races();
    let races = stream::iter(0..wanted).map(|number| race(number, &nodes, ask));
    let races: Vec<Race> = races.buffer_unordered(AT_ONCE).collect().await;

    let landed: usize = races.iter().map(|race| race.landed.len()).sum();
    let refused: usize = races.iter().map(|race| race.refused).sum();
    println!("{wanted} erasures raced: {landed} appends before a fence, {refused} refused at one");
    // Of each race the last append is refused: it was sent after the fence.
    let contested = races.iter().filter(|race| !race.landed.is_empty() && race.refused > 1).count();
    println!("in {contested} of them appends came on both sides of the fence");
    assert!(contested > wanted / 2, "{contested} of {wanted} were a race");
    for race in &races {
        assert!(race.landed.iter().all(|position| *position <= race.fence));
    }
    let log = harness.owner().await;
    assert_eq!(count(&log, "select count(*) from event_log.fences").await, wanted);
    let late = "select count(*) from event_log.events e
        join event_log.fences f on f.subject = any (e.subjects) and e.position > f.position";
    assert_eq!(count(&log, late).await, 0);
    // What was acknowledged is there, and nothing else but the registrations.
    let events = count(&log, "select count(*) from event_log.events").await;
    assert_eq!(events, landed + wanted);
    assert_eq!(count(&log, "select count(*) from event_log.reservations").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_field_is_appended_after_the_fence() {
    nothing_comes_after(with_a_personal_field).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_at_all_is_appended_after_the_fence() {
    nothing_comes_after(without_one).await;
}

#[tokio::test]
async fn the_closing_events_are_still_taken() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let account = AccountId(id());
    register(&node, account).await;
    let now = now();
    let due = now + TimeDelta::milliseconds(1);
    ask(&node, account, AccountCommand::RequestErasure { now, due }, vec![]).await.unwrap();

    let fence = node.executor.fence(account.into(), AccountEvent::CLOSING).await.unwrap();
    node.keyring.eraser.erase_subject(account.into()).await.unwrap();

    let again = node.executor.fence(account.into(), AccountEvent::CLOSING).await.unwrap();
    assert_eq!(again, fence);
    let refused = ask(&node, account, AccountCommand::CancelErasure { now }, vec![]).await;
    assert!(matches!(refused, Err(ExecuteError::Fenced)), "{refused:?}");
    let complete = AccountCommand::CompleteErasure { now: due };
    let completed = ask(&node, account, complete, vec![]).await.unwrap();
    let proven = ask(&node, account, AccountCommand::ProveBackupErasure, vec![]).await.unwrap();
    assert_eq!((completed.position(), proven.position()), (Some(fence + 1), Some(fence + 2)));
}
