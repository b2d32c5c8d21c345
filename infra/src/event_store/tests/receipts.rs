//! What a command is answered: versions, positions and ids, or the reason of a refusal.

use std::collections::HashMap;
use std::time::Duration;

use cqrs_es::EventStore;
use domain::operator::{Operator, OperatorCommand, OperatorError, OperatorEvent, Scope};
use domain::{CommandId, EventId, Refused, TenantId};
use futures_util::poll;
use test_support::until;
use uuid::Uuid;

use super::super::{ExecuteError, Receipt, Request, ReservationChange, Step};
use super::executor::{TOKEN, TestExecutor, request};
use super::owner;
use crate::clock::Clock;
use crate::ids::derived;

const OTHER: Uuid = Uuid::from_u128(8);

fn issue(token: Uuid) -> Step {
    let expires_at = Clock::system().now() + Duration::from_hours(24);
    Step::new::<Operator>(token, OperatorCommand::IssueToken { scope: Scope::Admin, expires_at })
}

fn revoke(token: Uuid) -> Step {
    Step::new::<Operator>(token, OperatorCommand::RevokeToken)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_has_each_streams_version_and_the_events_positions_and_ids() {
    let node = TestExecutor::new().await;

    let both = [revoke(TOKEN), issue(OTHER)];
    let receipt = node.executor.execute(&request(2), &both).await.unwrap();

    assert_eq!((receipt.versions(), receipt.version()), ([2, 1].as_slice(), 2));
    assert_eq!(receipt.position(), Some(3));
    let id = |number| EventId(derived(CommandId(Uuid::from_u128(2)), &format!("event/{number}")));
    assert_eq!(receipt.first_of(TOKEN).map(|event| event.id), Some(id(1)));
    assert_eq!(receipt.last_of(OTHER).map(|event| (event.id, event.position)), Some((id(2), 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_refused_or_changes_nothing_appends_nothing() {
    let node = TestExecutor::new().await;

    let refused = node.executor.execute(&request(2), &[issue(TOKEN)]).await;
    node.executor.execute(&request(3), &[revoke(TOKEN)]).await.unwrap();
    let unchanged = node.executor.execute(&request(4), &[revoke(TOKEN)]).await;

    let issued = Refused::Operator(OperatorError::AlreadyExists);
    assert!(matches!(refused, Err(ExecuteError::Refused(reason)) if reason == issued));
    assert_eq!(unchanged.unwrap(), Receipt::Unchanged { versions: vec![2] });
    assert_eq!(super::count(&owner(&node.databases.log_url).await).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_owner_has_reserved_is_refused_by_its_kind() {
    let node = TestExecutor::new().await;
    let take = |command, owner| {
        let (kind, blind_index) = ("email".to_owned(), vec![1]);
        let reservations = vec![ReservationChange::Take { kind, blind_index, owner }];
        Request { reservations, ..request(command) }
    };

    node.export(&take(2, TOKEN)).await.unwrap();
    let reserved = node.export(&take(3, OTHER)).await;

    assert!(matches!(&reserved, Err(ExecuteError::Reserved { kind }) if kind == "email"));
    let holder = node.executor.reservation_owner("email", &[1]).await.unwrap();
    assert_eq!(holder, Some(TOKEN));
    assert_eq!(node.executor.reservation_owner("email", &[2]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_is_drained_when_its_appends_are_answered() {
    let node = TestExecutor::new().await;
    let mut holder = owner(&node.databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();
    let executor = node.executor.clone();
    let appending =
        tokio::spawn(async move { executor.execute(&request(2), &[revoke(TOKEN)]).await });
    let watcher = owner(&node.databases.log_url).await;
    until("the append waits for the lock", async || {
        let waiting = "select exists (select from pg_locks where not granted and database = \
            (select oid from pg_database where datname = current_database()))";
        watcher.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;

    let mut drained = std::pin::pin!(node.executor.drain(Duration::from_hours(1)));
    assert!(poll!(drained.as_mut()).is_pending());
    holding.commit().await.unwrap();
    drained.await;

    assert_eq!(appending.await.unwrap().unwrap().version(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_command_is_found_by_its_own_tenant_only() {
    let node = TestExecutor::new().await;
    let first = node.export(&request(2)).await.unwrap();

    let found = node.executor.find_earlier(&request(2)).await.unwrap();
    let foreign = Request { tenant: TenantId(OTHER), ..request(2) };
    let of_another = node.executor.find_earlier(&foreign).await.unwrap();

    assert_eq!(found.map(|receipt| receipt.events().to_vec()), Some(first.events().to_vec()));
    assert_eq!(of_another, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_cqrs_es_records_who_and_why() {
    let node = TestExecutor::new().await;
    let keys = ["command_id", "actor", "session", "request", "correlation", "causation"];
    let id = |at: usize| Uuid::from_u128(at as u128 + 100);
    let metadata: HashMap<String, String> =
        keys.iter().enumerate().map(|(at, key)| ((*key).to_owned(), id(at).to_string())).collect();
    let store = node.executor.cqrs::<Operator>(request(1).tenant);

    let context = store.load_aggregate(&TOKEN.to_string()).await.unwrap();
    let events = vec![OperatorEvent::ExportStarted { through: 1 }, OperatorEvent::TokenRevoked {}];
    let committed = store.commit(events.clone(), context, metadata).await.unwrap();

    let stored: Vec<_> =
        committed.into_iter().map(|event| (event.sequence, event.payload)).collect();
    assert_eq!(stored, [2, 3].into_iter().zip(events).collect::<Vec<_>>());
    let row = "select command_id, actor, session, request, correlation, causation \
        from event_log.events where version = 2";
    let row = owner(&node.databases.log_url).await.query_one(row, &[]).await.unwrap();
    let kept: Vec<Option<Uuid>> = (0..keys.len()).map(|at| row.get(at)).collect();
    assert_eq!(kept, (0..keys.len()).map(|at| Some(id(at))).collect::<Vec<_>>());
}
