//! A life of several workspaces, with their seats, servers and runs, interleaved.

use domain::run::{RunEvent, Work};
use domain::seat::{LimitCause, SeatEvent};
use domain::server::{Fingerprint, KeyAlgorithm, ServerEvent};
use domain::workspace::{Role, WorkspaceEvent};
use domain::{DeploymentId, LeaseId, ServerId};
use uuid::Uuid;

use crate::harness::{LogHarness, account, sealed, time};

/// The n-th thing that happens in a workspace.
pub fn workspace(turn: u128) -> WorkspaceEvent {
    match turn {
        0 => WorkspaceEvent::Created { name: sealed("name") },
        1 => WorkspaceEvent::MemberJoined { account: account(1), role: Role::Owner },
        2 => WorkspaceEvent::MemberJoined { account: account(2), role: Role::Viewer },
        3 => {
            WorkspaceEvent::RoleChanged { account: account(2), from: Role::Viewer, to: Role::Admin }
        }
        4 => WorkspaceEvent::Renamed { name: sealed("renamed") },
        5 => WorkspaceEvent::MemberRemoved { account: account(1) },
        6 => WorkspaceEvent::MemberJoined { account: account(1), role: Role::Viewer },
        _ => WorkspaceEvent::DeletionRequested { requested_at: time(0), due: time(1) },
    }
}

/// The n-th thing that happens to a workspace's seats.
pub fn seat(turn: u128) -> SeatEvent {
    let [first, second, third] = [1, 2, 3].map(|lease| LeaseId(Uuid::from_u128(lease)));
    match turn {
        0 => SeatEvent::LimitSet { limit: 5, cause: LimitCause::Default },
        1 => SeatEvent::LeaseAcquired { lease: first, account: account(1), fence: 1 },
        2 => SeatEvent::LeaseAcquired { lease: second, account: account(2), fence: 2 },
        3 => SeatEvent::LimitSet { limit: 2, cause: LimitCause::Admin },
        4 => SeatEvent::Denied { account: account(3), in_use: 2, limit: 2 },
        5 => SeatEvent::LeaseTakenOver { account: account(1), from: first, to: third, fence: 3 },
        6 => SeatEvent::LeaseExpired { lease: second, account: account(2), fence: 2 },
        _ => SeatEvent::LeaseAcquired { lease: second, account: account(4), fence: 4 },
    }
}

/// The n-th thing that happens to a server; every third one is removed.
pub fn server(number: u128, turn: u128) -> ServerEvent {
    let (fingerprint, algorithm) = (Fingerprint([7; 32]), KeyAlgorithm::Ed25519);
    let deployment = DeploymentId(Uuid::from_u128(turn));
    match turn {
        0 => ServerEvent::Registered {
            name: sealed("name"),
            host: sealed("host"),
            port: 22,
            user: sealed("user"),
        },
        1 => ServerEvent::HostKeyObserved { algorithm, fingerprint },
        2 => ServerEvent::HostKeyApproved { fingerprint },
        3 => ServerEvent::Reachable {},
        4 => ServerEvent::DeploymentConfigured {
            deployment,
            name: sealed("deployment"),
            config: sealed("config"),
        },
        5 => ServerEvent::AddressChanged { host: sealed("h"), port: 2222, user: sealed("u") },
        6 => ServerEvent::Renamed { name: sealed("renamed") },
        _ if number.is_multiple_of(3) => ServerEvent::Deleted {},
        _ => ServerEvent::DeploymentDeleted { deployment: DeploymentId(Uuid::from_u128(4)) },
    }
}

/// The n-th thing that happens to a run on two servers.
pub fn run(turn: u128) -> RunEvent {
    let [server, other] = [11, 12].map(|server| ServerId(Uuid::from_u128(server)));
    let (attempt, fence) = (1, 1);
    match turn {
        0 => RunEvent::Requested {
            work: Work::Command { command: sealed("make") },
            servers: vec![server, other],
            timeout_seconds: 60,
            secrets: None,
        },
        1 => RunEvent::Dispatched { server, attempt, fence },
        2 => RunEvent::Started { server, attempt, fence },
        3 => RunEvent::CancelRequested { by: account(1) },
        4 => cancelled(other, 0, true),
        5 => cancelled(server, fence, false),
        6 => RunEvent::Retried { servers: vec![other], secrets: None },
        _ => RunEvent::Dispatched { server: other, attempt: 2, fence: 1 },
    }
}

fn cancelled(server: ServerId, fence: u64, proven: bool) -> RunEvent {
    let left = (!proven).then(|| sealed("left"));
    RunEvent::Cancelled { server, attempt: 1, fence, forced: !proven, proven, left }
}

/// Appends what happens in `workspaces` workspaces in eight turns.
pub async fn work(harness: &LogHarness, workspaces: u128) {
    for turn in 0..8 {
        for number in 1..=workspaces {
            let stream = |kind: u128| Uuid::from_u128(kind * 1_000_000 + number);
            harness.record("workspace", stream(7), workspace(turn)).await;
            harness.record("seats", stream(8), seat(turn)).await;
            harness.record("server", stream(9), server(number, turn)).await;
            harness.record("run", stream(10), run(turn)).await;
        }
    }
}
