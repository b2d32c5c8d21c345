//! Looks at what a server is like for runs.

use super::{COMMON, Script};

const PREFLIGHT: &str = include_str!("../sh/preflight.sh");

impl Script {
    pub fn preflight() -> Self {
        Self::of(&format!("{COMMON}{PREFLIGHT}"), &[])
    }
}
