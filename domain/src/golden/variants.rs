//! Each variant of each enum that stands in events, as the log keeps it: the golden files have one of
//! them for a type of event. A variant that is added does not compile until its word is here.
use serde_json::json;

use crate::DeploymentId;
use crate::account::LoginRefusal;
use crate::operator::{GenerationAct, ReadModel, Scope};
use crate::privacy::{LeftCause, Personal, Purpose};
use crate::run::{Ending, Failure, LossCause, Settled, StartCause, Work};
use crate::seat::{LimitCause, ReleaseReason};
use crate::server::{ConnectFailure, KeyAlgorithm};
use crate::session::{CloseReason, SessionKind};
use crate::workspace::{Right, Role};

/// Writes and reads each variant, and demands that there is no other one.
macro_rules! check {
    ($name:ident: $($variant:ident $({ $($field:ident : $value:expr),* })? $(( $inner:expr ))? = $kept:tt;)*) => {{
        const fn covers(value: &$name) {
            match value {
                $($name::$variant { .. } => {})*
            }
        }
        let all = [$(($name::$variant $({ $($field: $value),* })? $(($inner))?, json!($kept))),*];
        for (value, kept) in all {
            covers(&value);
            let name = stringify!($name);
            assert_eq!(serde_json::to_value(&value).unwrap(), kept, "{name} is written as it was");
            assert_eq!(serde_json::from_value::<$name>(kept).unwrap(), value, "{name} is read");
        }
    }};
}

#[test]
fn every_variant_of_accounts_sessions_and_operators_is_kept_as_it_ever_was() {
    check!(LoginRefusal: WrongPassword = "wrong_password"; UnknownAddress = "unknown_address";);
    check!(SessionKind: Browser = "browser"; Client = "client";);
    check! { CloseReason:
        SignedOut = "signed_out";
        ClosedFromAnother = "closed_from_another";
        PasswordChanged = "password_changed";
        ErasureRequested = "erasure_requested";
        Idle = "idle";
        Expired = "expired";
    };
    check!(Scope: Admin = "admin"; Audit = "audit";);
    check! { GenerationAct:
        Promoted = "promoted";
        RolledBack = "rolled_back";
        Discarded = "discarded";
    };
    check! { ReadModel:
        Accounts = "accounts";
        AuditTrail = "audit_trail";
        Memberships = "memberships";
        Runs = "runs";
        SeatPools = "seat_pools";
        Servers = "servers";
        Sessions = "sessions";
        Workspaces = "workspaces";
    };
    check! { Purpose:
        Authentication = "authentication";
        AccountAdministration = "account_administration";
        ServiceCommunication = "service_communication";
        SecurityMonitoring = "security_monitoring";
        Support = "support";
        ProductOperation = "product_operation";
        UsageAnalysis = "usage_analysis";
        ProductNews = "product_news";
    };
}

#[test]
fn every_variant_of_workspaces_and_seats_is_kept_as_it_ever_was() {
    check! { Role:
        Owner = "owner";
        Admin = "admin";
        Operator = "operator";
        Viewer = "viewer";
        Billing = "billing";
        Auditor = "auditor";
    };
    check! { Right:
        ReadWorkspace = "workspace:read";
        ManageWorkspace = "workspace:manage";
        DeleteWorkspace = "workspace:delete";
        ReadMembers = "members:read";
        ManageMembers = "members:manage";
        ManageTokens = "tokens:manage";
        ReadSeats = "seats:read";
        LeaseSeat = "seats:lease";
        ReadServers = "servers:read";
        ManageServers = "servers:manage";
        UseServers = "servers:use";
        ReadRuns = "runs:read";
        StartRuns = "runs:start";
        ReadLogs = "logs:read";
        ReadBilling = "billing:read";
        ManageBilling = "billing:manage";
        ReadAudit = "audit:read";
    };
    check!(LimitCause: Default = "default"; Admin = "admin";);
    check! { ReleaseReason:
        Released = "released";
        RemovedByAdmin = "removed_by_admin";
        MemberGone = "member_gone";
        RoleChanged = "role_changed";
        WorkspaceDeleted = "workspace_deleted";
    };
}

#[test]
fn every_variant_of_servers_and_runs_is_kept_as_it_ever_was() {
    check! { KeyAlgorithm:
        Ed25519 = "ed25519";
        EcdsaP256 = "ecdsa_p256";
        EcdsaP384 = "ecdsa_p384";
        EcdsaP521 = "ecdsa_p521";
        Rsa = "rsa";
    };
    check! { ConnectFailure:
        Address = "address";
        Tcp = "tcp";
        Identification = "identification";
        HostKey = "host_key";
        Authentication = "authentication";
        Command = "command";
    };
    check! { StartCause:
        NotReady = "not_ready";
        InputsDeleted = "inputs_deleted";
        NoProc = "no_proc";
        NoSetsid = "no_setsid";
        HomeUnwritable = "home_unwritable";
        HomeFull = "home_full";
        ShellRefused = "shell_refused";
        VariableName = "variable_name";
        CommandTooLong = "command_too_long";
        RequesterNotAllowed = "requester_not_allowed";
        Connect(ConnectFailure::Tcp) = "tcp";
    };
    check! { Failure:
        Exit { code: 3 } = { "kind": "exit", "code": 3 };
        Signal { number: 9 } = { "kind": "signal", "number": 9 };
        NotStarted { cause: StartCause::NotReady } =
            { "kind": "not_started", "obstacle": "not_ready" };
    };
    check! { Work:
        Command { command: Personal::Apart } = { "kind": "command", "command": "sealed" };
        Deployment {
            deployment: DeploymentId(uuid::Uuid::from_u128(1)),
            version: 2,
            steps: Personal::Apart
        } = {
            "kind": "deployment",
            "deployment": "00000000-0000-0000-0000-000000000001",
            "version": 2,
            "steps": "sealed"
        };
    };
    check! { Ending:
        Succeeded = { "kind": "succeeded" };
        Failed { failure: Failure::Exit { code: 3 } } =
            { "kind": "failed", "failure": { "kind": "exit", "code": 3 } };
        TimedOut { proven: false } = { "kind": "timed_out", "proven": false };
        Cancelled { forced: true, proven: true } =
            { "kind": "cancelled", "forced": true, "proven": true };
        Lost { why: LossCause::Unreachable } = { "kind": "lost", "why": "unreachable" };
    };
}

#[test]
fn every_variant_of_what_may_be_left_of_a_run_is_kept_as_it_ever_was() {
    check! { LossCause:
        Unreachable = "unreachable";
        Rebooted = "rebooted";
        Vanished = "vanished";
        Missing = "missing";
        Unknown = "unknown";
    };
    check!(Settled: ProvenGone = "proven_gone"; GivenUp = "given_up";);
    check! { LeftCause:
        NoTool = "no_tool";
        Hidden = "hidden";
        Denied = "denied";
        Orphans = "orphans";
        Alive = "alive";
    };
}
