//! Which addresses belong to the public Internet (IANA's special-purpose registries, 2026).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::allowance::within;

/// Networks without public servers: address and prefix length.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24), // multicast tunnels
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
    (METADATA_AZURE, 32),
];

/// Within `2000::/3`; outside of it nothing is public.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];
const UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
const SIX_TO_FOUR: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);
const TEREDO: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32);

const METADATA_AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// Metadata services of clouds, which return secrets of the machine.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(METADATA_AZURE),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Refused even if an exception of the operator covers it.
pub(super) fn is_never_a_server(ip: IpAddr) -> bool {
    let broadcast = IpAddr::V4(Ipv4Addr::BROADCAST);
    ip.is_unspecified()
        || ip.is_multicast()
        || ip == broadcast
        || METADATA.contains(&ip)
        || embedded(ip).any(is_never_a_server)
}

pub(super) fn is_public(ip: IpAddr) -> bool {
    let itself = match ip {
        IpAddr::V4(ip) => {
            !SPECIAL_V4.iter().any(|range| within(IpAddr::V4(ip), IpAddr::V4(range.0), range.1))
        }
        IpAddr::V6(ip) => is_public_v6(ip),
    };
    itself && embedded(ip).all(is_public)
}

fn v6_within(ip: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    within(IpAddr::V6(ip), IpAddr::V6(network), prefix)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if v6_within(ip, NAT64) || v6_within(ip, TEREDO) {
        return true;
    }
    v6_within(ip, UNICAST_V6) && !SPECIAL_V6.iter().any(|range| v6_within(ip, *range))
}

/// The IPv4 addresses that a packet to this IPv6 address is sent on to.
fn embedded(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let IpAddr::V6(ip) = ip else { return [None; 4].into_iter().flatten() };
    let bits = ip.to_bits();
    let at = |shift: u32| {
        let word = u32::try_from((bits >> shift) & u128::from(u32::MAX)).unwrap_or_default();
        Ipv4Addr::from_bits(word)
    };
    let isatap = (bits >> 32) & 0xfcff_ffff == 0x5efe;
    let low = ip.to_ipv4().is_some() || v6_within(ip, NAT64) || isatap;
    let teredo = v6_within(ip, TEREDO);
    [
        low.then(|| at(0)),
        v6_within(ip, SIX_TO_FOUR).then(|| at(80)),
        teredo.then(|| at(64)),
        teredo.then(|| Ipv4Addr::from_bits(!at(0).to_bits())),
    ]
    .map(|address| address.map(IpAddr::V4))
    .into_iter()
    .flatten()
}
