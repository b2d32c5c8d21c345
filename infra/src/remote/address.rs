//! The address of a server, as a user entered it.

use std::fmt;
use std::net::IpAddr;

use domain::WorkspaceId;

use super::AddressError;

const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A host name or IP address and a port. Personal data: `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, as it was entered: not checked yet.
    pub host: String,
    /// 0 is refused.
    pub port: u16,
    /// Whose server it is: its names share some of the look-ups, so that they hold up no others.
    pub workspace: Option<WorkspaceId>,
}

impl Address {
    /// Belongs to no workspace. Checks nothing: see [`Self::check`].
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, workspace: None }
    }

    /// The same address, of a server of this workspace.
    #[must_use]
    pub fn of_workspace(self, workspace: WorkspaceId) -> Self {
        Self { workspace: Some(workspace), ..self }
    }

    /// Checks the syntax; nothing is resolved. Numbers that only the C library takes for an address,
    /// such as `0177.1` and `2130706433`, are neither addresses nor names.
    ///
    /// # Errors
    /// [`AddressError::Malformed`].
    pub fn check(&self) -> Result<(), AddressError> {
        let well_formed = self.host.parse::<IpAddr>().is_ok() || is_name(&self.host);
        if well_formed && self.port != 0 { Ok(()) } else { Err(AddressError::Malformed) }
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

/// The URL standard's test for a host that ends in a number.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
