use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;

use super::{STRANGERS, Strangers, StrangersCommand, StrangersError, StrangersEvent};
use crate::privacy::{IpAddress, Personal, UserAgent};
use crate::{Event, SubjectId, TenantId};

type Attempts = TestFramework<Strangers>;

fn refused() -> StrangersEvent {
    StrangersEvent::SignInRefused {
        ip: Personal::Clear(IpAddress([127, 0, 0, 1].into())),
        user_agent: Personal::Clear(UserAgent::cut("curl/8")),
    }
}

#[test]
fn an_attempt_is_recorded_and_is_about_all_strangers() {
    let StrangersEvent::SignInRefused { ip, user_agent } = refused() else { unreachable!() };
    Attempts::with(())
        .given(vec![refused()])
        .when(StrangersCommand::RefuseSignIn { ip, user_agent })
        .then_expect_events(vec![refused()]);
    assert_eq!(refused().subject(TenantId(STRANGERS), STRANGERS), SubjectId(STRANGERS));
}

#[test]
fn attempts_are_counted_where_there_are_any() {
    let from = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
    let until = from + TimeDelta::minutes(1);
    let counts = |count| StrangersCommand::CountRefusedSignIns { from, until, count };
    let counted = |count| StrangersEvent::SignInsRefused { from, until, count };
    let attempts = || Attempts::with(()).given_no_previous_events();
    attempts().when(counts(7)).then_expect_events(vec![counted(7)]);
    attempts().when(counts(0)).then_expect_error(StrangersError::Nothing);
}
