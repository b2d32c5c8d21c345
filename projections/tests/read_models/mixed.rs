//! A life of several accounts, interleaved.

use domain::account::{AccountEvent, LoginRefusal, Proof};
use domain::privacy::Purpose;
use domain::session::{CloseReason, SessionEvent, SessionKind};
use domain::{CredentialId, ProofId, SessionId};
use uuid::Uuid;

use crate::harness::{LogHarness, account, sealed, time};

pub fn proof() -> Proof {
    Proof { id: ProofId(Uuid::nil()), until: time(0) }
}

pub fn registered(number: u128) -> AccountEvent {
    AccountEvent::Registered {
        email: sealed(&format!("email {number}")),
        name: sealed(&format!("name {number}")),
        username: number.is_multiple_of(2).then(|| sealed("username")),
        credential: CredentialId(Uuid::nil()),
        verification: proof(),
    }
}

pub fn opened(number: u128) -> SessionEvent {
    SessionEvent::Opened {
        account: account(number),
        kind: SessionKind::Browser,
        ip: sealed("ip"),
        user_agent: sealed("agent"),
    }
}

/// The n-th thing that an account does.
pub fn then(number: u128, turn: u32) -> AccountEvent {
    match turn {
        1 => AccountEvent::EmailVerified {},
        2 => AccountEvent::ConsentGiven { purpose: Purpose::ProductNews, policy_version: 2 },
        3 => AccountEvent::Rectified { name: Some(sealed("another name")), username: None },
        4 => AccountEvent::EmailChangeRequested { email: sealed("new"), verification: proof() },
        5 => AccountEvent::EmailChanged { email: sealed("new") },
        6 => AccountEvent::ConsentWithdrawn { purpose: Purpose::ProductNews },
        7 => AccountEvent::LoginFailed {
            reason: LoginRefusal::WrongPassword,
            ip: sealed("ip"),
            user_agent: sealed("agent"),
        },
        8 => AccountEvent::ErasureRequested { requested_at: time(0), due: time(1) },
        _ if number.is_multiple_of(3) => AccountEvent::ErasureCancelled {},
        _ => AccountEvent::ErasureCompleted { requested_at: time(0) },
    }
}

/// Appends what `accounts` accounts do in ten turns, each with a session a turn.
pub async fn live(harness: &LogHarness, accounts: u128) {
    for turn in 0..10u32 {
        for number in 1..=accounts {
            let session = Uuid::from_u128(number * 1000 + u128::from(turn) + 500_000);
            let stream = account(number).0;
            let event = if turn == 0 { registered(number) } else { then(number, turn) };
            harness.record("account", stream, event).await;
            harness.record("session", session, opened(number)).await;
            if turn % 2 == 0 {
                let closed = SessionEvent::Closed { reason: CloseReason::SignedOut };
                harness.record("session", SessionId(session).0, closed).await;
            }
        }
    }
}
