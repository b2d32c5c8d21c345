#![doc = include_str!("../README.md")]

pub mod accounts;
pub mod audit_trail;
pub mod memberships;
pub mod runs;
pub mod seat_pools;
pub mod servers;
pub mod sessions;
pub mod workspaces;

use infra::log::Reader;

/// Every projection there is.
pub fn all() -> Vec<Reader> {
    vec![
        Reader::projection::<accounts::Accounts>(),
        Reader::projection::<sessions::Sessions>(),
        Reader::projection::<servers::Servers>(),
        Reader::projection::<audit_trail::AuditTrail>(),
        Reader::projection::<workspaces::Workspaces>(),
        Reader::projection::<memberships::Memberships>(),
        Reader::projection::<seat_pools::SeatPools>(),
        Reader::projection::<runs::Runs>(),
    ]
}

/// The projection of a name.
pub fn named(name: &str) -> Option<Reader> {
    all().into_iter().find(|projection| projection.name() == name)
}
