//! Each event as the log keeps it.

use uuid::Uuid;

use super::{Role, WorkspaceEvent as Told};
use crate::privacy::Personal;
use crate::{AccountId, golden};

#[test]
fn every_event_of_a_workspace_is_kept_as_it_ever_was() {
    golden::check(
        "workspace",
        vec![
            Told::Created { name: Personal::Apart },
            Told::MemberJoined { account: AccountId(Uuid::from_u128(1)), role: Role::Owner },
        ],
    );
}
