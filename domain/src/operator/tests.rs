use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{
    GenerationAct, Operator, OperatorCommand, OperatorError, OperatorEvent, ReadModel, Scope,
};
use crate::AccountId;

type Operators = TestFramework<Operator>;

const ISSUE: OperatorCommand =
    OperatorCommand::IssueToken { scope: Scope::Audit, expires_at: DateTime::UNIX_EPOCH };
const ISSUED: OperatorEvent =
    OperatorEvent::TokenIssued { scope: Scope::Audit, expires_at: DateTime::UNIX_EPOCH };

fn unissued() -> cqrs_es::test::AggregateTestExecutor<Operator> {
    Operators::with(()).given_no_previous_events()
}

fn given(events: Vec<OperatorEvent>) -> cqrs_es::test::AggregateTestExecutor<Operator> {
    Operators::with(()).given(events)
}

#[test]
fn a_token_is_issued_once() {
    unissued().when(ISSUE).then_expect_events(vec![ISSUED]);
    given(vec![ISSUED]).when(ISSUE).then_expect_error(OperatorError::AlreadyExists);
}

#[test]
fn a_token_is_revoked_for_good() {
    let revoked = OperatorEvent::TokenRevoked {};
    given(vec![ISSUED])
        .when(OperatorCommand::RevokeToken)
        .then_expect_events(vec![revoked.clone()]);
    let again = given(vec![ISSUED, revoked.clone()]).when(OperatorCommand::RevokeToken);
    again.then_expect_events(vec![]);
    let late = given(vec![ISSUED, revoked]).when(OperatorCommand::StartExport { through: 7 });
    late.then_expect_error(OperatorError::Revoked);
}

#[test]
fn an_export_that_a_revoked_token_has_begun_gets_its_end_and_no_other_does() {
    let started = OperatorEvent::ExportStarted { through: 7 };
    let finished = OperatorEvent::ExportFinished { through: 7, events: 3, complete: false };
    let finish = OperatorCommand::FinishExport { through: 7, events: 3, complete: false };
    let revoked = OperatorEvent::TokenRevoked {};
    let two = vec![ISSUED, started.clone(), started, revoked];
    given(two.clone()).when(finish.clone()).then_expect_events(vec![finished.clone()]);
    let ended = [two, vec![finished.clone(), finished]].concat();
    given(ended).when(finish.clone()).then_expect_error(OperatorError::Revoked);
    given(vec![ISSUED, OperatorEvent::TokenRevoked {}])
        .when(finish)
        .then_expect_error(OperatorError::Revoked);
}

#[test]
fn what_is_done_with_a_token_is_remembered() {
    let stream = Uuid::from_u128(5);
    let (projection, version, generation) = (ReadModel::Runs, 2, 3);
    let act = GenerationAct::RolledBack;
    for (command, event) in [
        (OperatorCommand::StartExport { through: 7 }, OperatorEvent::ExportStarted { through: 7 }),
        (
            OperatorCommand::FinishExport { through: 7, events: 7, complete: true },
            OperatorEvent::ExportFinished { through: 7, events: 7, complete: true },
        ),
        (
            OperatorCommand::FindAccount { account: AccountId(stream) },
            OperatorEvent::AccountFound { account: AccountId(stream) },
        ),
        (OperatorCommand::FindNoAccount, OperatorEvent::AccountNotFound {}),
        (
            OperatorCommand::ReleaseStream { stream, position: 3 },
            OperatorEvent::StreamReleased { stream, position: 3 },
        ),
        (
            OperatorCommand::ChangeGeneration { projection, version, generation, act },
            OperatorEvent::GenerationChanged { projection, version, generation, act },
        ),
    ] {
        given(vec![ISSUED]).when(command).then_expect_events(vec![event]);
    }
}

#[test]
fn a_token_that_nobody_issued_does_nothing() {
    unissued()
        .when(OperatorCommand::StartExport { through: 7 })
        .then_expect_error(OperatorError::Unknown);
}

#[test]
fn a_token_is_used_within_its_scope_until_it_expires_or_is_revoked() {
    let using = |scope, seconds| {
        let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        OperatorCommand::Use { scope, now }
    };
    let issued = || given(vec![ISSUED]);
    issued().when(using(Scope::Audit, -1)).then_expect_events(vec![]);
    issued()
        .when(using(Scope::Admin, -1))
        .then_expect_error(OperatorError::NeedsScope(Scope::Admin));
    issued().when(using(Scope::Audit, 0)).then_expect_error(OperatorError::Expired);
    given(vec![ISSUED, OperatorEvent::TokenRevoked {}])
        .when(using(Scope::Audit, -1))
        .then_expect_error(OperatorError::Revoked);
    let scope = Scope::Admin;
    given(vec![OperatorEvent::TokenIssued { scope, expires_at: DateTime::UNIX_EPOCH }])
        .when(using(Scope::Audit, -1))
        .then_expect_events(vec![]);
}
