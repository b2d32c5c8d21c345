//! Each event as the log keeps it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{AccountEvent, LoginRefusal, Proof};
use crate::privacy::{Personal, Purpose};
use crate::{CredentialId, ProofId, SessionId, golden};

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap()
}

#[test]
fn every_event_of_an_account_is_kept_as_it_ever_was() {
    let verification = Proof { id: ProofId(Uuid::from_u128(2)), until: at() + TimeDelta::days(1) };
    let credential = CredentialId(Uuid::from_u128(3));
    let session = SessionId(Uuid::from_u128(4));
    golden::check(
        "account",
        vec![
            AccountEvent::Registered {
                email: Personal::Apart,
                name: Personal::Apart,
                username: Some(Personal::Apart),
                credential,
                verification,
            },
            AccountEvent::VerificationRequested { verification },
            AccountEvent::EmailVerified {},
            AccountEvent::EmailChangeRequested { email: Personal::Apart, verification },
            AccountEvent::EmailChangeCancelled {},
            AccountEvent::EmailChanged { email: Personal::Apart },
            AccountEvent::Rectified { name: Some(Personal::Apart), username: None },
            AccountEvent::UsernameRemoved {},
            AccountEvent::PasswordChanged { credential },
            AccountEvent::PasswordResetRequested { proof: verification },
            AccountEvent::SessionsEnded {},
            AccountEvent::ApiTokensEnded {},
            AccountEvent::LoginSucceeded {
                session,
                ip: Personal::Apart,
                user_agent: Personal::Apart,
            },
            AccountEvent::LoginFailed {
                reason: LoginRefusal::WrongPassword,
                ip: Personal::Apart,
                user_agent: Personal::Apart,
            },
            AccountEvent::LoginsFailed {
                from: at(),
                until: at() + TimeDelta::minutes(59),
                count: 90,
            },
            AccountEvent::ConsentGiven { purpose: Purpose::ProductNews, policy_version: 7 },
            AccountEvent::ConsentWithdrawn { purpose: Purpose::UsageAnalysis },
            AccountEvent::ErasureRequested { requested_at: at(), due: at() + TimeDelta::days(7) },
            AccountEvent::ErasureCancelled {},
            AccountEvent::ErasureCompleted { requested_at: at() },
            AccountEvent::ErasureBackupProven {},
        ],
    );
}
