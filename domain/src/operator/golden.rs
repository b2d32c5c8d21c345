//! Each event as the log keeps it.

use chrono::DateTime;
use uuid::Uuid;

use super::{GenerationAct, OperatorEvent, ReadModel, Scope};
use crate::{AccountId, golden};

#[test]
fn every_event_of_an_operators_token_is_kept_as_it_ever_was() {
    let expires_at = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
    golden::check(
        "operator",
        vec![
            OperatorEvent::TokenIssued { scope: Scope::Audit, expires_at },
            OperatorEvent::TokenRevoked {},
            OperatorEvent::ExportStarted { through: 41 },
            OperatorEvent::ExportFinished { through: 41, events: 40, complete: false },
            OperatorEvent::AccountFound { account: AccountId(Uuid::from_u128(6)) },
            OperatorEvent::AccountNotFound {},
            OperatorEvent::StreamReleased { stream: Uuid::from_u128(5), position: 17 },
            OperatorEvent::GenerationChanged {
                projection: ReadModel::Accounts,
                version: 4,
                generation: 2,
                act: GenerationAct::Promoted,
            },
        ],
    );
}
