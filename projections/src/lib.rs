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

#[cfg(test)]
mod tests {
    use domain::operator::ReadModel;

    use super::*;

    #[test]
    fn every_projection_has_its_name_in_events() {
        let mut names: Vec<_> = all().iter().map(Reader::name).collect();
        names.sort_unstable();
        let mut in_events: Vec<_> = ReadModel::ALL.iter().map(|of| of.as_str()).collect();
        in_events.sort_unstable();
        assert_eq!(names, in_events);
    }
}
