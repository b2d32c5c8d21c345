//! A workspace's seats: never more live leases than the limit.

use uuid::Uuid;

use crate::WorkspaceId;

/// The stream of a workspace's seat pool. A stream's id is its own, so it is not the workspace's.
pub const fn pool_stream(workspace: WorkspaceId) -> Uuid {
    Uuid::from_u128(workspace.0.as_u128() ^ u128::from_be_bytes(*b"lethe seat pool\0"))
}
