//! Which addresses Lethe connects to: public ones, and those that the operator allows.

mod allowance;
mod ranges;
#[cfg(test)]
mod tests;

pub use allowance::AllowanceError;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use allowance::Allowance;

/// A host name with more addresses than this is refused.
const ADDRESSES_MAX: usize = 16;

/// Ports from 1024 on that belong to services which may act on the bytes of an SSH client.
const PORTS_REFUSED: &[u16] = &[
    1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5984, 6379, 6443, 8086, 8500,
    9042, 9092, 9200, 9300, 10250, 11211, 27017,
];

/// Why Lethe does not connect to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The host is no name and no IP address, or the port is 0.
    #[error(
        "this is not an address: give a host name or an IP address, and a port from 1 to 65535"
    )]
    Malformed,
    /// The policy has this port closed, for every address.
    #[error("port {port} is not allowed: use 22, or 1024 to 65535 except {}", refused_ports())]
    Port {
        /// The port that was asked for.
        port: u16,
    },
    /// A name without an address and a name with a forbidden address are the same error, so that
    /// nobody can explore the network with it.
    #[error(
        "no public address was found for this host: check its name, or have the operator allow its \
         network (egress_allow)"
    )]
    NotAllowed,
}

/// Which addresses may be connected to: public ones on port 22 or from 1024 on, and what the
/// operator allows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    allowed: Arc<[Allowance]>,
}

impl Egress {
    /// Reads the operator's exceptions: `CIDR:PORT` or `CIDR:*`, separated by commas. Empty: public
    /// addresses only.
    pub fn parse(allow: &str) -> Result<Self, AllowanceError> {
        let entries = allow.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self { allowed: entries.map(str::parse).collect::<Result<_, _>>()? })
    }

    /// All of the addresses, or an error: a name that resolves to even one forbidden address is
    /// refused.
    pub(super) fn admit(
        &self,
        resolved: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, AddressError> {
        let admitted = resolved.take(ADDRESSES_MAX + 1).map(|address| self.judge(address));
        let admitted = admitted.collect::<Result<Vec<_>, _>>()?;
        let allowed_count = 1..=ADDRESSES_MAX;
        if allowed_count.contains(&admitted.len()) {
            Ok(admitted)
        } else {
            Err(AddressError::NotAllowed)
        }
    }

    /// An IPv4 address that is mapped into IPv6 is judged and connected to as IPv4.
    fn judge(&self, address: SocketAddr) -> Result<SocketAddr, AddressError> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        if ranges::is_never_a_server(ip) {
            return Err(AddressError::NotAllowed);
        }
        let target = SocketAddr::new(ip, port);
        if self.allows(ip, port) {
            return Ok(target);
        }
        if !ranges::is_public(ip) {
            return Err(AddressError::NotAllowed);
        }
        let usual = (port == 22 || port >= 1024) && !PORTS_REFUSED.contains(&port);
        if usual { Ok(target) } else { Err(AddressError::Port { port }) }
    }

    fn allows(&self, ip: IpAddr, port: u16) -> bool {
        self.allowed.iter().any(|allowance| allowance.covers(ip, port))
    }
}

fn refused_ports() -> String {
    let ports: Vec<String> = PORTS_REFUSED.iter().map(u16::to_string).collect();
    ports.join(", ")
}

/// As it is printed when Lethe starts.
impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public addresses")?;
        self.allowed.iter().try_for_each(|allowance| write!(f, ", {allowance}"))
    }
}
