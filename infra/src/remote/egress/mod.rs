//! Which addresses Lethe connects to: public ones, and those that the operator names.

mod allowance;
mod ranges;
#[cfg(test)]
mod tests;

pub use allowance::NotAnAllowance;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Refusal;
use allowance::Allowance;

/// A name with more addresses than this is no server of anybody's.
const ADDRESSES_MAX: usize = 16;

/// Ports from 1024 on which something else than SSH takes bytes that an SSH client sends.
const PORTS_REFUSED: &[u16] = &[
    1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5984, 6379, 6443, 8086, 8500,
    9042, 9092, 9200, 9300, 10250, 11211, 27017,
];

/// The policy, with the operator's exceptions from it; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    allowed: Arc<[Allowance]>,
}

impl Egress {
    /// `CIDR:PORT` or `CIDR:*`, separated by commas. Empty: public addresses only.
    pub fn parse(allow: &str) -> Result<Self, NotAnAllowance> {
        let entries = allow.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self { allowed: entries.map(str::parse).collect::<Result<_, _>>()? })
    }

    /// Every address, or none: a name that leads also to a forbidden address is refused.
    pub(super) fn admit(
        &self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Refusal> {
        let admitted = found.take(ADDRESSES_MAX + 1).map(|address| self.judge(address));
        let admitted = admitted.collect::<Result<Vec<_>, _>>()?;
        let count = 1..=ADDRESSES_MAX;
        if count.contains(&admitted.len()) { Ok(admitted) } else { Err(Refusal::Place) }
    }

    /// An IPv4 address mapped into IPv6 is answered as the IPv4 address that it is.
    fn judge(&self, address: SocketAddr) -> Result<SocketAddr, Refusal> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        if ranges::is_never_a_server(ip) {
            return Err(Refusal::Place);
        }
        let target = SocketAddr::new(ip, port);
        if self.allows(ip, port) {
            return Ok(target);
        }
        if !ranges::is_public(ip) {
            return Err(Refusal::Place);
        }
        let usual = (port == 22 || port >= 1024) && !PORTS_REFUSED.contains(&port);
        if usual { Ok(target) } else { Err(Refusal::Port) }
    }

    fn allows(&self, ip: IpAddr, port: u16) -> bool {
        self.allowed.iter().any(|allowance| allowance.covers(ip, port))
    }
}

/// What is printed at the start.
impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public addresses")?;
        self.allowed.iter().try_for_each(|allowance| write!(f, ", {allowance}"))
    }
}
