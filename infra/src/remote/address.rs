//! Where a server says it is.

use std::fmt;
use std::net::IpAddr;

use super::Refusal;

const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Personal: its `Debug` shows neither host nor port.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Whether it is an IP address or a host name at all. Numbers that only the C library takes
    /// for an address, such as `0177.1` and `2130706433`, are neither.
    pub fn check(&self) -> Result<(), Refusal> {
        let well_formed = self.host.parse::<IpAddr>().is_ok() || is_name(&self.host);
        if well_formed && self.port != 0 { Ok(()) } else { Err(Refusal::Form) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= NAME_MAX && name.split('.').all(is_label) && !is_number(last)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_MAX).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// As the URL standard says that a host ends in a number.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
