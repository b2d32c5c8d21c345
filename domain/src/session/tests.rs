use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{CloseReason, Session, SessionCommand, SessionError, SessionEvent, SessionKind};
use crate::AccountId;
use crate::account::LoginRefusal;
use crate::privacy::{IpAddress, LoginIp, LoginUserAgent, Personal, UserAgent};

type Sessions = TestFramework<Session>;

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

fn ip() -> Personal<LoginIp> {
    Personal::Clear(IpAddress([127, 0, 0, 1].into()))
}

fn user_agent() -> Personal<LoginUserAgent> {
    Personal::Clear(UserAgent::cut("curl/8"))
}

fn open() -> SessionCommand {
    let kind = SessionKind::Client;
    SessionCommand::Open { account: ACCOUNT, kind, ip: ip(), user_agent: user_agent() }
}

fn opened() -> SessionEvent {
    let kind = SessionKind::Client;
    SessionEvent::Opened { account: ACCOUNT, kind, ip: ip(), user_agent: user_agent() }
}

fn refused() -> SessionEvent {
    let reason = LoginRefusal::UnknownAddress;
    SessionEvent::Refused { reason, ip: ip(), user_agent: user_agent() }
}

const CLOSE: SessionCommand = SessionCommand::Close { reason: CloseReason::SignedOut };
const CLOSED: SessionEvent = SessionEvent::Closed { reason: CloseReason::SignedOut };

#[test]
fn a_session_opens() {
    Sessions::with(()).given_no_previous_events().when(open()).then_expect_events(vec![opened()]);
}

#[test]
fn an_attempt_that_was_refused_never_opens() {
    Sessions::with(())
        .given(vec![refused()])
        .when(open())
        .then_expect_error(SessionError::AlreadyExists);
    Sessions::with(()).given(vec![refused()]).when(CLOSE).then_expect_error(SessionError::Unknown);
}

#[test]
fn a_session_opens_once() {
    for then in [vec![opened()], vec![opened(), CLOSED]] {
        Sessions::with(()).given(then).when(open()).then_expect_error(SessionError::AlreadyExists);
    }
}

#[test]
fn a_session_closes_once_and_closing_again_changes_nothing() {
    Sessions::with(()).given(vec![opened()]).when(CLOSE).then_expect_events(vec![CLOSED]);
    Sessions::with(()).given(vec![opened(), CLOSED]).when(CLOSE).then_expect_events(vec![]);
}

#[test]
fn a_session_that_never_opened_cannot_close() {
    Sessions::with(())
        .given_no_previous_events()
        .when(CLOSE)
        .then_expect_error(SessionError::Unknown);
}

#[test]
fn of_several_sessions_those_that_are_not_open_are_left_alone() {
    let close = SessionCommand::CloseIfOpen { reason: CloseReason::SignedOut };
    let closes = |given| Sessions::with(()).given(given).when(close.clone());
    closes(vec![opened()]).then_expect_events(vec![CLOSED]);
    for given in [vec![], vec![opened(), CLOSED], vec![refused()]] {
        closes(given).then_expect_events(vec![]);
    }
}

#[test]
fn a_session_is_used_until_it_is_closed() {
    let used = |given| Sessions::with(()).given(given).when(SessionCommand::Use);
    used(vec![opened()]).then_expect_events(vec![]);
    used(vec![opened(), CLOSED]).then_expect_error(SessionError::Closed);
    used(vec![refused()]).then_expect_error(SessionError::Unknown);
    // Its row is all there is.
    Sessions::with(())
        .given_no_previous_events()
        .when(SessionCommand::Use)
        .then_expect_events(vec![]);
}
