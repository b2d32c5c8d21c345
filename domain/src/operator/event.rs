//! What happened to, and was done with, an operator's token.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::AccountId;

crate::named_enum! {
    /// What an operator may do.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Scope {
        /// Everything.
        Admin = "admin",
        /// Read the audit trail and export it.
        Audit = "audit",
    }
}

crate::named_enum! {
    /// A projection, by its name.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ReadModel {
        /// Accounts, by their id.
        Accounts = "accounts",
        /// Every event, by its position.
        AuditTrail = "audit_trail",
        /// Who is in which workspace.
        Memberships = "memberships",
        /// Runs, by their id.
        Runs = "runs",
        /// The seats of each workspace.
        SeatPools = "seat_pools",
        /// Servers, by their id.
        Servers = "servers",
        /// Sessions, by their id.
        Sessions = "sessions",
        /// Workspaces, by their id.
        Workspaces = "workspaces",
    }
}

crate::named_enum! {
    /// What an operator wants of a generation of a projection.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum GenerationAct {
        /// It is shown from now on.
        Promoted = "promoted",
        /// It is shown again, as before another one was.
        RolledBack = "rolled_back",
        /// It is not wanted any more.
        Discarded = "discarded",
    }
}

impl Scope {
    /// Whether it may do what needs this scope: `admin` may do everything.
    pub fn may(self, needed: Self) -> bool {
        self == Self::Admin || self == needed
    }

    /// The scopes of which one is needed.
    pub(super) const fn needed(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Audit => "audit or admin",
        }
    }
}

non_personal!(Scope, ReadModel, GenerationAct);

events! {
    /// What happened to, and was done with, an operator's token.
    OperatorEvent {
        "operator.token_issued" 1 => TokenIssued { scope: Scope, expires_at: DateTime<Utc> }
        "operator.token_revoked" 1 => TokenRevoked {}
        "operator.export_started" 1 => ExportStarted { through: i64 }
        "operator.export_finished" 1 => ExportFinished { through: i64, events: u64, complete: bool }
        "operator.account_found" 1 => AccountFound { account: AccountId }
        "operator.account_not_found" 1 => AccountNotFound {}
        "operator.stream_released" 1 => StreamReleased { stream: Uuid, position: i64 }
        /// It was asked for: whether it was done, the generation's state says.
        "operator.generation_changed" 1 => GenerationChanged {
            projection: ReadModel,
            version: i16,
            generation: i32,
            act: GenerationAct
        }
    }
}
