//! Which addresses are allowed, also as IPv4 inside IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::Egress;
use super::allowance::{cidr, within};
use crate::remote::{Address, AddressError};

/// RFC 6890 and its successors, written apart from the code.
const REFUSED_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "168.63.129.16/32",
];
const REFUSED_V6: &[&str] = &[
    "::/128",
    "::1/128",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "4000::/3",
];
const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "2001:4860:4860::8888",
    "64:ff9b::808:808",
    "2002:808:808::1",
];

fn judge(ip: IpAddr, port: u16) -> Result<SocketAddr, AddressError> {
    Egress::default().judge(SocketAddr::new(ip, port))
}

fn inside(ranges: &'static [&'static str]) -> impl Strategy<Value = IpAddr> {
    (prop::sample::select(ranges), any::<u128>()).prop_map(|(range, random)| {
        let (network, prefix) = cidr(range).unwrap();
        match network {
            IpAddr::V4(network) => {
                let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
                let random = u32::try_from(random & u128::from(u32::MAX)).unwrap();
                IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() | (random & host)))
            }
            IpAddr::V6(network) => {
                let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() | (random & host)))
            }
        }
    })
}

fn v4_inside(ranges: &'static [&'static str]) -> impl Strategy<Value = Ipv4Addr> {
    inside(ranges).prop_filter_map("IPv4", |ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    })
}

/// Every way in which an IPv6 address leads to an IPv4 address.
fn wrappings(ip: Ipv4Addr, other: u128) -> Vec<Ipv6Addr> {
    let bits = u128::from(ip.to_bits());
    let low = other & u128::from(u64::MAX >> 1);
    let top = other & (u128::from(u32::MAX) << 96);
    let public = 0x0808_0808_u128;
    let all = [
        0xffff_0000_0000 | bits,
        bits,
        (0x0064_ff9b_u128 << 96) | bits,
        (0x2002_u128 << 112) | (bits << 80) | low,
        (0x2001_0000_u128 << 96) | (bits << 64) | public,
        (0x2001_0000_u128 << 96) | (public << 64) | (bits ^ u128::from(u32::MAX)),
        (0x2a00_1450_u128 << 96) | (0x5efe_u128 << 32) | bits,
        (0x2a00_1450_u128 << 96) | (0x0200_5efe_u128 << 32) | bits,
        (top & (0x00ff_ffff_u128 << 96)) | (0x2a_u128 << 120) | (0x5efe_u128 << 32) | bits,
    ];
    all.map(Ipv6Addr::from_bits).to_vec()
}

proptest! {
    #[test]
    fn no_special_address_is_admitted(ip in inside(REFUSED_V4), v6 in inside(REFUSED_V6)) {
        prop_assert_eq!(judge(ip, 22), Err(AddressError::NotAllowed));
        prop_assert_eq!(judge(v6, 22), Err(AddressError::NotAllowed));
    }

    #[test]
    fn no_wrapping_helps(ip in v4_inside(REFUSED_V4), other: u128) {
        for wrapped in wrappings(ip, other) {
            prop_assert_eq!(judge(IpAddr::V6(wrapped), 22), Err(AddressError::NotAllowed), "{}", wrapped);
        }
    }

    #[test]
    fn what_is_in_no_special_range_is_public(bits: u32) {
        let ip = IpAddr::V4(Ipv4Addr::from_bits(bits));
        let mut special = REFUSED_V4.iter().copied().chain([
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.175.48.0/24",
        ]);
        let special = special.any(|range| {
            let (network, prefix) = cidr(range).unwrap();
            within(ip, network, prefix)
        });
        prop_assert_eq!(judge(ip, 22).is_ok(), !special);
    }

    #[test]
    fn an_allowance_opens_its_network_and_its_port_only(low in 0..=u8::MAX, port in 1..=u16::MAX) {
        let egress = Egress::parse("10.1.2.0/24:2022").unwrap();
        let ip = |third| IpAddr::V4(Ipv4Addr::new(10, 1, third, low));
        let at = |ip, port| egress.judge(SocketAddr::new(ip, port)).is_ok();
        prop_assert!(at(ip(2), 2022));
        prop_assert_eq!(at(ip(2), port), port == 2022);
        prop_assert!(!at(ip(3), 2022));
    }

    #[test]
    fn metadata_and_groups_are_refused_whatever_is_allowed(ip in inside(&["224.0.0.0/4", "ff00::/8"])) {
        let egress = Egress::parse("0.0.0.0/0:*,::/0:*").unwrap();
        prop_assert!(egress.judge(SocketAddr::new(ip, 22)).is_err());
    }

    #[test]
    fn a_name_is_refused_for_one_address_of_many(ip in inside(REFUSED_V4), at in 0..4_usize) {
        let mut found: Vec<SocketAddr> =
            PUBLIC.iter().take(4).map(|ip| SocketAddr::new(ip.parse().unwrap(), 22)).collect();
        let egress = Egress::default();
        prop_assert_eq!(egress.admit(found.clone().into_iter()), Ok(found.clone()));
        found[at] = SocketAddr::new(ip, 22);
        prop_assert_eq!(egress.admit(found.into_iter()), Err(AddressError::NotAllowed));
    }
}

#[test]
fn public_addresses_are_admitted_on_the_usual_ports() {
    for ip in PUBLIC {
        let ip: IpAddr = ip.parse().unwrap();
        for (port, admitted) in
            [(22, true), (2222, true), (65535, true), (23, false), (80, false), (6379, false)]
        {
            let judged = judge(ip, port);
            let expected = if admitted {
                Ok(SocketAddr::new(ip, port))
            } else {
                Err(AddressError::Port { port })
            };
            assert_eq!(judged, expected, "{ip} {port}");
        }
    }
}

/// Written apart from the code: databases, queues and administration of common software.
const OTHER_SERVICES: &[u16] = &[
    1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5984, 6379, 6443, 8086, 8500,
    9042, 9092, 9200, 9300, 10250, 11211, 27017,
];

#[test]
fn a_port_of_another_service_is_refused_and_the_error_says_which_ports_are_allowed() {
    let ip: IpAddr = "1.1.1.1".parse().unwrap();
    for port in OTHER_SERVICES.iter().copied() {
        assert_eq!(judge(ip, port), Err(AddressError::Port { port }));
        assert!(judge(ip, port + 1).is_ok() || OTHER_SERVICES.contains(&(port + 1)), "{port}");
    }
    let text = AddressError::Port { port: 5432 }.to_string();
    assert!(text.starts_with("port 5432 is not allowed: use 22, or 1024 to 65535 except 1433, "));
    for port in OTHER_SERVICES {
        assert!(text.contains(&format!("{port}")), "{port}");
    }
}

#[test]
fn metadata_is_never_a_server() {
    let egress = Egress::parse("0.0.0.0/0:*,::/0:*").unwrap();
    for ip in [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "0.0.0.0",
        "::",
        "255.255.255.255",
    ] {
        let judged = egress.judge(SocketAddr::new(ip.parse().unwrap(), 22));
        assert_eq!(judged, Err(AddressError::NotAllowed), "{ip}");
    }
}

#[test]
fn a_mapped_address_is_connected_to_as_what_it_is() {
    let egress = Egress::parse("127.0.0.0/8:*").unwrap();
    let judged = egress.judge("[::ffff:127.0.0.1]:6379".parse().unwrap());
    assert_eq!(judged, Ok("127.0.0.1:6379".parse().unwrap()));
}

#[test]
fn an_ipv4_allowance_does_not_reach_through_a_translator() {
    let egress = Egress::parse("10.0.0.0/8:22").unwrap();
    assert!(egress.judge("[64:ff9b::a00:1]:22".parse().unwrap()).is_err());
    assert!(egress.judge("[2002:a00:1::]:22".parse().unwrap()).is_err());
    let egress = Egress::parse("64:ff9b::/96:22").unwrap();
    assert!(egress.judge("[64:ff9b::a00:1]:22".parse().unwrap()).is_ok());
}

#[test]
fn too_many_addresses_and_none_are_refused() {
    let one: SocketAddr = "1.1.1.1:22".parse().unwrap();
    let egress = Egress::default();
    assert!(egress.admit(std::iter::repeat_n(one, 16)).is_ok());
    assert_eq!(egress.admit(std::iter::repeat_n(one, 17)), Err(AddressError::NotAllowed));
    assert_eq!(egress.admit(std::iter::empty()), Err(AddressError::NotAllowed));
}

#[test]
fn allowances_are_read_and_printed() {
    let text = "10.0.0.0/8:22, fd00::/8:*,127.0.0.1/32:2222";
    let egress = Egress::parse(text).unwrap();
    let shown = "public addresses, 10.0.0.0/8:22, fd00::/8:*, 127.0.0.1/32:2222";
    assert_eq!(egress.to_string(), shown);
    assert_eq!(Egress::parse("").unwrap().to_string(), "public addresses");
    for wrong in
        ["10.0.0.0/8", "10.0.0.0:22", "10.0.0.0/33:22", "host/8:22", "::/129:*", "10.0.0.0/8:x"]
    {
        assert!(Egress::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_that_only_the_c_library_reads_are_no_hosts() {
    for host in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "017700000001",
        "127.0.0.1.",
        "1.2.3.4.5",
        "example.0x1",
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "fe80::1%eth0",
        "[::1]",
        "ex ample",
        "exämple",
        "user@host",
        "host:22",
        "a/b",
        "a\0b",
    ] {
        assert_eq!(Address::new(host, 22).check(), Err(AddressError::Malformed), "{host}");
        assert!(host.parse::<IpAddr>().is_err(), "{host}");
    }
    let long = format!("{}.example", "a".repeat(64));
    assert!(Address::new(long, 22).check().is_err());
    assert!(Address::new("a.example", 0).check().is_err());
    for host in ["a.example", "a.example.", "xn--exmple-cua.example", "my_host", "::1", "127.0.0.1"]
    {
        assert_eq!(Address::new(host, 22).check(), Ok(()), "{host}");
    }
}
