//! Each event as the log keeps it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Right, Role, WorkspaceEvent};
use crate::privacy::{Personal, Purpose};
use crate::{AccountId, ApiTokenId, ApiTokenSecretId, InvitationId, golden};

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap()
}

#[test]
fn every_event_of_a_workspace_is_kept_as_it_ever_was() {
    let account = AccountId(Uuid::from_u128(1));
    let invitation = InvitationId(Uuid::from_u128(2));
    let token = ApiTokenId(Uuid::from_u128(3));
    let until = at() + TimeDelta::days(7);
    golden::check(
        "workspace",
        vec![
            WorkspaceEvent::Created { name: Personal::Apart },
            WorkspaceEvent::Renamed { name: Personal::Apart },
            WorkspaceEvent::MemberJoined { account, role: Role::Owner },
            WorkspaceEvent::RoleChanged { account, from: Role::Viewer, to: Role::Operator },
            WorkspaceEvent::MemberRemoved { account },
            WorkspaceEvent::MemberNamesOpened {
                purpose: Purpose::AccountAdministration,
                count: 12,
            },
            WorkspaceEvent::MemberInvited {
                invitation,
                email: Personal::Apart,
                role: Role::Auditor,
                by: account,
                until,
            },
            WorkspaceEvent::InvitationAccepted { invitation, account },
            WorkspaceEvent::InvitationRevoked { invitation },
            WorkspaceEvent::InvitationDeclined { invitation },
            WorkspaceEvent::InvitationExpired { invitation },
            WorkspaceEvent::ServiceAccountCreated {
                account,
                name: Personal::Apart,
                role: Role::Operator,
            },
            WorkspaceEvent::ServiceAccountRoleChanged {
                account,
                from: Role::Operator,
                to: Role::Viewer,
            },
            WorkspaceEvent::ServiceAccountRemoved { account },
            WorkspaceEvent::ApiTokenIssued {
                token,
                account,
                rights: vec![Right::ReadRuns, Right::StartRuns],
                expires_at: until,
            },
            WorkspaceEvent::ApiTokenRenamed { token },
            WorkspaceEvent::ApiTokenRotated {
                token,
                secret: ApiTokenSecretId(Uuid::from_u128(4)),
                former_until: at(),
                expires_at: until,
            },
            WorkspaceEvent::ApiTokenRevoked { token },
            WorkspaceEvent::SuccessionAgreed { account },
            WorkspaceEvent::SuccessionWithdrawn { account },
            WorkspaceEvent::Restricted {},
            WorkspaceEvent::DeletionRequested { requested_at: at(), due: until },
            WorkspaceEvent::DeletionHastened { due: at() },
            WorkspaceEvent::DeletionCancelled {},
            WorkspaceEvent::Deleted { requested_at: at() },
        ],
    );
}
