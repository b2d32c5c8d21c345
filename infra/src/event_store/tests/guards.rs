//! What an append expects of streams that it does not write to.

use domain::operator::{Operator, OperatorCommand, OperatorError, Scope};
use domain::{Refused, TenantId};
use futures_util::poll;
use test_support::until_waits_for_lock;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::append::batch::Batch;
use super::super::append::outcome::AppendOutcome;
use super::super::append::rows::{Append, GuardedStream, NewGuard, NewReservation};
use super::super::{ExecuteError, Executor, Guard, Receipt, Request, Step};
use super::executor::{TOKEN, TestExecutor, request};
use super::{appended, databases, event, node, one, owner};
use crate::clock::Clock;

const OLD_LOG: &str = include_str!("old_log.sql");
/// A stream that is not guarded.
const OTHER: Uuid = Uuid::from_u128(8);

fn guarded(append: Append, stream: u128, version: i64, after: i64) -> Append {
    let guard = GuardedStream { stream: Uuid::from_u128(stream), version, after };
    Append { guards: vec![guard], ..append }
}

/// Not what the function for one event takes.
fn reserving(append: Append) -> Append {
    let owner = append.events[0].stream_id;
    let (kind, blind_index) = ("address".to_owned(), owner.as_bytes().to_vec());
    let reservation = NewReservation { append: 0, kind, blind_index, owner, taken: true };
    Append { reservations: vec![reservation], ..append }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_guard_has_moved_is_a_conflict_alone_and_in_a_batch() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let append = async |append| node.queue.append(append).await.unwrap();
    // The stream that is guarded, which nobody has written to yet.
    assert!(appended(&append(guarded(one(event(1, 8, 1)), 7, 0, 0)).await));
    assert!(appended(&append(one(event(2, 7, 1))).await));

    for (append_of, streams) in [(one as fn(_) -> _, [9, 10]), (|of| reserving(one(of)), [11, 12])]
    {
        let [late, in_time] = streams;
        let moved = guarded(append_of(event(late, late, 1)), 7, 0, 1);
        assert_eq!(append(moved).await, AppendOutcome::Conflict);
        assert!(appended(&append(guarded(append_of(event(in_time, in_time, 1)), 7, 1, 2)).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_gets_its_first_answer_whatever_became_of_its_guard() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let append = async |append| node.queue.append(append).await.unwrap();
    for append_of in [one as fn(_) -> _, |of| reserving(one(of))] {
        let stream = if append_of(event(1, 1, 1)).reservations.is_empty() { 20 } else { 21 };
        let again = || guarded(append_of(event(stream, stream, 1)), stream + 100, 0, 0);
        assert!(appended(&append(again()).await));
        assert!(appended(&append(one(event(stream + 100, stream + 100, 1))).await));

        let replayed = append(again()).await;
        assert!(matches!(replayed, AppendOutcome::Replayed { .. }), "{replayed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_a_stream_and_a_guard_of_it_are_decided_one_after_the_other() {
    for write_first in [true, false] {
        let databases = databases().await;
        let node = node(&databases.log_url).await;
        let watcher = owner(&databases.log_url).await;
        assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
        let mut holder = owner(&databases.log_url).await;
        let holding = holder.transaction().await.unwrap();
        holding.execute("select event_log.lock()", &[]).await.unwrap();
        // What comes now waits, and would be one batch.
        let mut before = std::pin::pin!(node.queue.append(one(event(2, 30, 1))));
        assert!(poll!(before.as_mut()).is_pending());
        until_waits_for_lock(&watcher, "event_log.append_one").await;

        let mut writes = std::pin::pin!(node.queue.append(one(event(3, 7, 2))));
        let guards = guarded(one(event(4, 8, 1)), 7, 1, 1);
        let mut guards = std::pin::pin!(node.queue.append(guards));
        if write_first {
            assert!(poll!(writes.as_mut()).is_pending());
        }
        assert!(poll!(guards.as_mut()).is_pending());
        holding.commit().await.unwrap();
        let (before, written, guarded) = tokio::join!(before, writes, guards);

        assert!(appended(&before.unwrap()));
        let (written, guarded) = (written.unwrap(), guarded.unwrap());
        assert!(appended(&written));
        if write_first {
            assert_eq!(guarded, AppendOutcome::Conflict);
        } else {
            let AppendOutcome::Appended { first, .. } = guarded else { panic!("{guarded:?}") };
            assert!(
                matches!(written, AppendOutcome::Appended { first: later, .. } if later > first)
            );
        }
    }
}

#[test]
fn appends_that_guard_one_stream_share_a_batch_and_none_that_writes_to_it_is_in_it() {
    let mut batch = Batch::default();
    let mut is_put_off = |append| batch.take(append, oneshot::channel().0).is_some();

    assert!(!is_put_off(guarded(one(event(1, 8, 1)), 7, 1, 1)));
    assert!(!is_put_off(guarded(one(event(2, 9, 1)), 7, 1, 1)));
    assert!(is_put_off(one(event(3, 7, 2))));
    assert!(is_put_off(guarded(one(event(4, 10, 1)), 8, 1, 1)));
    // It may guard what it writes to itself.
    assert!(!is_put_off(guarded(one(event(5, 11, 2)), 11, 1, 1)));
}

#[test]
fn what_several_appends_of_a_batch_expect_is_asked_once() {
    let of = |append, after| (append, guarded(one(event(1, 8, 1)), 7, 3, after));
    let (one, two) = (of(0, 5), of(1, 9));

    let guards = NewGuard::of([&one, &two].into_iter().map(|(number, append)| (*number, append)));

    let both =
        NewGuard { appends: vec![0, 1], stream_id: Uuid::from_u128(7), version: 3, after: 9 };
    assert_eq!(guards, [both]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_long_ago_is_seen_by_a_guard_that_was_decided_before_it() {
    let databases = databases().await;
    owner(&databases.log_url).await.batch_execute(OLD_LOG).await.unwrap();
    let node = node(&databases.log_url).await;
    let append = async |append| node.queue.append(append).await.unwrap();

    // Stream 5 has its one event at position 5, long before the recent part.
    assert_eq!(append(guarded(one(event(9001, 9001, 1)), 5, 0, 4)).await, AppendOutcome::Conflict);
    assert!(appended(&append(guarded(one(event(9002, 9002, 1)), 5, 1, 5)).await));
    assert!(appended(&append(guarded(one(event(9003, 9003, 1)), 5, 1, 1910)).await));
}

/// On the token `TOKEN`, which is guarded.
async fn on_token(executor: &Executor, command: u128, does: OperatorCommand) -> Receipt {
    let steps = [Step::new::<Operator>(TOKEN, does)];
    executor.execute(&request(command), &steps).await.unwrap()
}

/// With `TOKEN`, whatever it does elsewhere.
fn with_token(command: u128) -> Request {
    let uses = OperatorCommand::Use { scope: Scope::Admin, now: Clock::system().now() };
    let tenant = TenantId(Uuid::from_u128(1));
    Request { guards: vec![Guard::new::<Operator>(tenant, TOKEN, uses)], ..request(command) }
}

async fn elsewhere(executor: &Executor, request: &Request) -> Result<Receipt, ExecuteError> {
    let expires_at = Clock::system().now();
    let issue = OperatorCommand::IssueToken { scope: Scope::Audit, expires_at };
    let stream = Uuid::from_u128(request.command.0.as_u128() + 1000);
    executor.execute(request, &[Step::new::<Operator>(stream, issue)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_moved_is_decided_again_and_passes_or_is_the_reason() {
    let here = TestExecutor::new().await;
    let there = here.another().await;
    // From here on this node has it in its cache.
    elsewhere(&here.executor, &with_token(2)).await.unwrap();

    on_token(&there, 3, OperatorCommand::StartExport { through: 1 }).await;
    elsewhere(&here.executor, &with_token(4)).await.unwrap();
    assert_eq!(here.conflicts(), 1, "it passed on the state after the export");

    on_token(&there, 5, OperatorCommand::RevokeToken).await;
    let refused = elsewhere(&here.executor, &with_token(6)).await;
    let revoked = |refused: &ExecuteError| {
        matches!(refused, ExecuteError::Refused(Refused::Operator(OperatorError::Revoked)))
    };
    assert!(refused.as_ref().is_err_and(revoked), "{refused:?}");
    assert_eq!(here.conflicts(), 2);
    // What was appended before is still the answer.
    assert!(elsewhere(&here.executor, &with_token(4)).await.unwrap().replayed());
    assert!(here.executor.check(&with_token(7).guards).await.is_err_and(|why| revoked(&why)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_on_a_stream_that_the_command_writes_to_is_no_second_check() {
    let node = TestExecutor::new().await;
    let exports = Step::new::<Operator>(TOKEN, OperatorCommand::StartExport { through: 1 });

    let receipt = node.executor.execute(&with_token(2), &[exports]).await.unwrap();

    assert_eq!(receipt.version(), 2);
    assert_eq!(node.conflicts(), 0);
    let revokes = Step::new::<Operator>(TOKEN, OperatorCommand::RevokeToken);
    node.executor.execute(&with_token(3), &[revokes]).await.unwrap();
    let exports = Step::new::<Operator>(TOKEN, OperatorCommand::StartExport { through: 1 });
    assert!(node.executor.execute(&with_token(4), &[exports]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_changes_nothing_is_guarded_as_well() {
    let here = TestExecutor::new().await;
    let there = here.another().await;
    on_token(&here.executor, 2, OperatorCommand::StartExport { through: 1 }).await;
    let issue =
        OperatorCommand::IssueToken { scope: Scope::Audit, expires_at: Clock::system().now() };
    let issues = || Step::new::<Operator>(OTHER, issue.clone());
    let revokes = || Step::new::<Operator>(OTHER, OperatorCommand::RevokeToken);
    here.executor.execute(&request(3), &[issues(), revokes()]).await.unwrap();

    let unchanged = here.executor.execute(&with_token(4), &[revokes()]).await.unwrap();
    assert!(matches!(unchanged, Receipt::Unchanged { .. }));

    on_token(&there, 5, OperatorCommand::RevokeToken).await;
    assert!(here.executor.execute(&with_token(6), &[revokes()]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_would_append_is_a_mistake_of_ours() {
    let node = TestExecutor::new().await;
    let tenant = TenantId(Uuid::from_u128(1));
    let guards = vec![Guard::new::<Operator>(tenant, TOKEN, OperatorCommand::RevokeToken)];

    let refused = elsewhere(&node.executor, &Request { guards, ..request(2) }).await;

    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
}
