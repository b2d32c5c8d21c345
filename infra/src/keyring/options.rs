//! How long keys are kept.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

use super::escrow::EscrowOptions;

/// How long keys are kept, and where old root keys go.
#[derive(Clone, Debug)]
pub struct KeyringOptions {
    /// Keys in memory at most.
    pub cache_max: usize,
    /// Days for which a day's security data is kept after that day.
    pub security_days: u32,
    /// Days for which a day's run output is kept after that day.
    pub content_days: u32,
    /// Months for which a month's billing data is kept after that month.
    pub billing_months: u32,
    /// How long an old root is kept after the last key was wrapped under its successor, by the
    /// database's clock: a standby that is not connected is not seen.
    pub root_retention: TimeDelta,
    /// The folder of the keyring's copy. `None`: there is none, and nothing waits for it.
    pub copy: Option<PathBuf>,
    /// How long one operation on that folder may take, such as that of a server that does not answer.
    pub copy_timeout: Duration,
    /// `None`: an old root is erased without escrow.
    pub escrow: Option<EscrowOptions>,
    /// Whether an empty keyring gets its first root key. Otherwise it is refused.
    pub creates_root: bool,
    /// Whether the folder of an escrow that never held a root is made.
    pub makes_escrow: bool,
}

impl Default for KeyringOptions {
    fn default() -> Self {
        Self {
            cache_max: 65_536,
            security_days: 90,
            content_days: 30,
            billing_months: 120,
            root_retention: TimeDelta::hours(24),
            copy: None,
            copy_timeout: Duration::from_secs(30),
            escrow: None,
            creates_root: true,
            makes_escrow: true,
        }
    }
}
