//! Given, when, then.

use chrono::DateTime;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{Operator, OperatorCommand as Ask, OperatorError, OperatorEvent as Told, Scope};

type Operators = TestFramework<Operator>;

const ISSUE: Ask = Ask::IssueToken { scope: Scope::Audit, expires_at: DateTime::UNIX_EPOCH };
const ISSUED: Told = Told::TokenIssued { scope: Scope::Audit, expires_at: DateTime::UNIX_EPOCH };

fn unissued() -> cqrs_es::test::AggregateTestExecutor<Operator> {
    Operators::with(()).given_no_previous_events()
}

fn given(events: Vec<Told>) -> cqrs_es::test::AggregateTestExecutor<Operator> {
    Operators::with(()).given(events)
}

#[test]
fn a_token_is_issued_once() {
    unissued().when(ISSUE).then_expect_events(vec![ISSUED]);
    given(vec![ISSUED]).when(ISSUE).then_expect_error(OperatorError::Issued);
}

#[test]
fn a_token_is_revoked_for_good() {
    let revoked = Told::TokenRevoked {};
    given(vec![ISSUED]).when(Ask::RevokeToken).then_expect_events(vec![revoked.clone()]);
    let again = given(vec![ISSUED, revoked.clone()]).when(Ask::RevokeToken);
    again.then_expect_events(vec![]);
    let late = given(vec![ISSUED, revoked]).when(Ask::StartExport { through: 7 });
    late.then_expect_error(OperatorError::Revoked);
}

#[test]
fn what_is_done_with_a_token_is_remembered() {
    let stream = Uuid::from_u128(5);
    for (ask, told) in [
        (Ask::StartExport { through: 7 }, Told::ExportStarted { through: 7 }),
        (
            Ask::FinishExport { through: 7, events: 7, complete: true },
            Told::ExportFinished { through: 7, events: 7, complete: true },
        ),
        (Ask::ReleaseStream { stream, position: 3 }, Told::StreamReleased { stream, position: 3 }),
    ] {
        given(vec![ISSUED]).when(ask).then_expect_events(vec![told]);
    }
}

#[test]
fn a_token_that_nobody_issued_does_nothing() {
    unissued().when(Ask::StartExport { through: 7 }).then_expect_error(OperatorError::Unknown);
}
