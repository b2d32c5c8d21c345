//! Deletes what a server keeps of runs that ended long ago.

use domain::ServerId;

use super::super::TaskId;
use super::{COMMON, Script};

const SWEEP: &str = include_str!("../sh/sweep.sh");

impl Script {
    pub fn sweep(server: ServerId, wanted: &[TaskId]) -> Self {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let wanted = wanted.join(" ");
        let variables = format!("lethe_server={server}\nlethe_wanted='{wanted}'\n");
        Self::of(&format!("{variables}{COMMON}{SWEEP}"), &[])
    }
}
