//! Commands that meet: each lands once, or is refused.

use domain::Refused;
use domain::account::{Account, AccountCommand, AccountError, Proof};
use domain::operator::{Operator, OperatorCommand, OperatorError, Scope};
use domain::privacy::{EmailAddress, PersonName, Personal, Purpose};
use domain::{CommandId, CredentialId, ProofId, SubjectId, TenantId};
use futures_util::future::join_all;
use infra::clock::Clock;
use infra::event_store::{AppendedEvent, ExecuteError, Receipt, Request, ReservationChange, Step};
use infra::log::{Feed, Recorded};
use uuid::Uuid;

use test_support::{NodeHarness, TENANT, export};

fn register(address: &str) -> AccountCommand {
    AccountCommand::Register {
        email: Personal::Clear(EmailAddress::parse(address).unwrap()),
        name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
        username: None,
        credential: CredentialId(Uuid::from_u128(1)),
        verification: Proof { id: ProofId(Uuid::from_u128(2)), until: Clock::system().now() },
    }
}

/// A request of an account of its own tenant, its reservation with it.
fn registration(harness: &NodeHarness, address: u8) -> (Request, Step) {
    let account = harness.ids.uuid();
    let reservation = ReservationChange::Take {
        kind: "email".to_owned(),
        blind_index: vec![address],
        owner: account,
    };
    let reservations = vec![reservation];
    let command = CommandId(harness.ids.uuid());
    let request = Request { reservations, ..Request::new(TenantId(account), command) };
    (request, Step::new::<Account>(account, register("ada@example.org")))
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_commands_on_one_stream_all_land_once() {
    let harness = NodeHarness::new().await;
    let nodes = [harness.node().await, harness.node().await];
    let token = harness.token(&nodes[0]).await;

    let running = (0..64_usize).map(|n| {
        let (node, request) = (nodes[n % 2].clone(), harness.request());
        let step = export(token, i64::try_from(n).unwrap());
        tokio::spawn(async move { node.executor.execute(&request, &[step]).await })
    });
    let receipts: Vec<Receipt> =
        join_all(running).await.into_iter().map(|receipt| receipt.unwrap().unwrap()).collect();

    let mut versions: Vec<i64> = receipts.iter().map(Receipt::version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=65).collect::<Vec<i64>>());
    let exports = "select count(distinct (data ->> 'through')) from event_log.events
        where event_type = 'operator.export_started'";
    let landed: i64 = harness.owner().await.query_one(exports, &[]).await.unwrap().get(0);
    assert_eq!(landed, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_64_times_at_once_is_one_event_and_one_answer() {
    let harness = NodeHarness::new().await;
    let nodes = [harness.node().await, harness.node().await];
    let token = harness.token(&nodes[0]).await;
    let request = Request { body: Some(b"{}".to_vec()), ..harness.request() };

    let running = (0..64_usize).map(|n| {
        let (node, request) = (nodes[n % 2].clone(), request.clone());
        tokio::spawn(async move { node.executor.execute(&request, &[export(token, 9)]).await })
    });
    let receipts: Vec<Receipt> =
        join_all(running).await.into_iter().map(|receipt| receipt.unwrap().unwrap()).collect();

    let first = receipts[0].clone();
    assert_eq!(receipts.iter().filter(|receipt| !receipt.replayed()).count(), 1);
    for receipt in receipts {
        assert_eq!((receipt.position(), receipt.version()), (Some(2), 2));
        assert_eq!(receipt.events(), first.events());
    }
    let other = Request { body: Some(b"{ }".to_vec()), ..request };
    let reused = nodes[0].executor.execute(&other, &[export(token, 9)]).await;
    assert!(matches!(reused, Err(ExecuteError::Reused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_registrations_of_one_address_are_one_account() {
    let harness = NodeHarness::new().await;
    let nodes = [harness.node().await, harness.node().await];

    let running = (0..64_usize).map(|n| {
        let (node, (request, step)) = (nodes[n % 2].clone(), registration(&harness, 1));
        tokio::spawn(async move { node.executor.execute(&request, &[step]).await })
    });
    let answers: Vec<_> = join_all(running).await.into_iter().map(Result::unwrap).collect();

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        let reserved = matches!(answer, Err(ExecuteError::Reserved { kind }) if kind == "email");
        assert!(reserved, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_again_gets_its_answer_again_though_it_would_be_refused_now() {
    let harness = NodeHarness::new().await;
    let (node, other) = (harness.node().await, harness.node().await);
    let (request, step) = registration(&harness, 1);

    let first = node.executor.execute(&request, &[step]).await.unwrap();
    for node in [&node, &other] {
        let Request { tenant, .. } = request;
        let step = Step::new::<Account>(tenant.0, register("ada@example.org"));
        let again = node.executor.execute(&request, &[step]).await.unwrap();
        assert!(again.replayed() && !first.replayed());
        assert_eq!((again.events(), again.versions()), (first.events(), first.versions()));
        // With another command id it is refused.
        let step = Step::new::<Account>(tenant.0, register("ada@example.org"));
        let anew = Request::new(tenant, CommandId(harness.ids.uuid()));
        let refused = node.executor.execute(&anew, &[step]).await;
        let registered = Refused::Account(AccountError::AlreadyExists);
        assert!(matches!(refused, Err(ExecuteError::Refused(reason)) if reason == registered));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_decided_on_the_newest_state_before_it_is_answered() {
    let harness = NodeHarness::new().await;
    let (node, other) = (harness.node().await, harness.node().await);
    let (request, step) = registration(&harness, 1);
    let account = request.tenant.0;
    node.executor.execute(&request, &[step]).await.unwrap();
    let ask = |command| {
        let request = Request::new(request.tenant, CommandId(harness.ids.uuid()));
        (request, [Step::new::<Account>(account, command)])
    };
    let consent = AccountCommand::GiveConsent { purpose: Purpose::ProductNews, policy_version: 1 };
    let (request, step) = ask(consent.clone());
    let given = other.executor.execute(&request, &step).await.unwrap();
    assert_eq!(given.version(), 2);

    // This node has not seen the consent: what it would append is a conflict, and then nothing.
    let (request, step) = ask(consent.clone());
    let unchanged = node.executor.execute(&request, &step).await.unwrap();
    assert_eq!(unchanged, Receipt::Unchanged { versions: vec![2] });
    // Nor the withdrawal, by which a second one changes nothing.
    let withdraw = AccountCommand::WithdrawConsent { purpose: Purpose::ProductNews };
    let (request, step) = ask(withdraw.clone());
    other.executor.execute(&request, &step).await.unwrap();
    let (request, step) = ask(withdraw.clone());
    let unchanged = node.executor.execute(&request, &step).await.unwrap();
    assert_eq!(unchanged, Receipt::Unchanged { versions: vec![3] });
    // Nor another consent: on the state that it knows a withdrawal would change nothing.
    let (request, step) = ask(consent);
    other.executor.execute(&request, &step).await.unwrap();
    let (request, step) = ask(withdraw);
    let withdrawn = node.executor.execute(&request, &step).await.unwrap();
    assert_eq!(withdrawn.versions(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_refused_with_the_present_one() {
    let harness = NodeHarness::new().await;
    let (node, other) = (harness.node().await, harness.node().await);
    let token = harness.token(&node).await;
    let moved = other.executor.execute(&harness.request(), &[export(token, 1)]).await.unwrap();
    assert_eq!(moved.version(), 2);

    let stale = node.executor.execute(&harness.request(), &[export(token, 2).expecting(1)]).await;
    assert!(matches!(stale, Err(ExecuteError::Stale { version: 2 })));
    let fitting = node.executor.execute(&harness.request(), &[export(token, 2).expecting(2)]).await;
    assert_eq!(fitting.unwrap().version(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_steps_are_all_done_or_none() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let tokens = [harness.token(&node).await, harness.token(&node).await];

    let both = [export(tokens[0], 1), export(tokens[1], 1), export(tokens[0], 2)];
    let request = harness.request();
    let receipt = node.executor.execute(&request, &both).await.unwrap();
    assert_eq!(receipt.versions(), [3, 2, 3]);
    let stands = |event: &AppendedEvent| (event.position, event.stream, event.version);
    let stand: Vec<_> = receipt.events().iter().map(stands).collect();
    assert_eq!(stand, [(3, tokens[0], 2), (4, tokens[1], 2), (5, tokens[0], 3)]);
    assert_eq!(receipt.first_of(tokens[0]), receipt.events().first());
    assert_eq!(receipt.last_of(tokens[0]), receipt.events().last());
    assert_eq!(receipt.last_of(harness.ids.uuid()), None);
    // As the log has them, and again in the same order when it is sent again.
    let client = node.pool.get().await.unwrap();
    let recorded = Feed::page(&client, 2, 10).await.unwrap();
    let ids = |receipt: &Receipt| receipt.events().iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(&receipt), recorded.iter().map(Recorded::event_id).collect::<Vec<_>>());
    let again = node.executor.execute(&request, &both).await.unwrap();
    assert!(again.replayed());
    assert_eq!(again.events(), receipt.events());

    let expires_at = Clock::system().now();
    let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
    let one_refused = [export(tokens[0], 3), Step::new::<Operator>(tokens[1], issue)];
    let refused = node.executor.execute(&harness.request(), &one_refused).await;
    let issued = Refused::Operator(OperatorError::AlreadyExists);
    assert!(matches!(refused, Err(ExecuteError::Refused(reason)) if reason == issued));
    let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
    let one_refused = [Step::new::<Operator>(tokens[1], issue), export(tokens[0], 3)];
    let refused = node.executor.execute(&harness.request(), &one_refused).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    let first = node.executor.load::<Operator>(TENANT, tokens[0]).await.unwrap();
    assert_eq!(first.version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_person_is_refused_but_for_what_closes() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let (request, step) = registration(&harness, 1);
    let account = request.tenant.0;
    node.executor.execute(&request, &[step]).await.unwrap();
    let now = Clock::system().now();
    let ask = async |command| {
        let request = Request::new(request.tenant, CommandId(harness.ids.uuid()));
        node.executor.execute(&request, &[Step::new::<Account>(account, command)]).await
    };
    ask(AccountCommand::RequestErasure { now, due: now }).await.unwrap();

    let closing = domain::account::AccountEvent::CLOSING;
    let fenced = node.executor.fence(SubjectId(account), closing).await.unwrap();
    assert_eq!(fenced, 2);

    assert!(matches!(
        ask(AccountCommand::CancelErasure { now: now - chrono::TimeDelta::days(1) }).await,
        Err(ExecuteError::Fenced)
    ));
    assert_eq!(ask(AccountCommand::CompleteErasure { now }).await.unwrap().version(), 3);
    let (request, step) = registration(&harness, 1);
    node.executor.execute(&request, &[step]).await.unwrap();
}
