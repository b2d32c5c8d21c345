//! Each event as the log keeps it.

use uuid::Uuid;

use super::{CloseReason, SessionEvent, SessionKind};
use crate::account::LoginRefusal;
use crate::privacy::Personal;
use crate::{AccountId, golden};

#[test]
fn every_event_of_a_session_is_kept_as_it_ever_was() {
    golden::check(
        "session",
        vec![
            SessionEvent::Opened {
                account: AccountId(Uuid::from_u128(1)),
                kind: SessionKind::Browser,
                ip: Personal::Apart,
                user_agent: Personal::Apart,
            },
            SessionEvent::Closed { reason: CloseReason::ClosedFromAnother },
            SessionEvent::Refused {
                reason: LoginRefusal::UnknownAddress,
                ip: Personal::Apart,
                user_agent: Personal::Apart,
            },
        ],
    );
}
