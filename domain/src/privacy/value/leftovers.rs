//! What may be left of a command on its server.

use std::fmt;

use serde::{Deserialize, Serialize};

crate::named_enum! {
    /// Why it is not proven that no process of a command is left.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum LeftCause {
        /// The server has no tool that could look.
        NoTool = "no_tool",
        /// The server hides the processes of others.
        Hidden = "hidden",
        /// A process of the command is another user's, and may not be ended.
        Denied = "denied",
        /// Processes that began meanwhile may be the command's.
        Orphans = "orphans",
        /// Processes of the command are alive.
        Alive = "alive",
    }
}

/// What may be left of a command: how much, why nobody knows better, and the units and containers
/// that it began, by the names that the server gave them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    why: LeftCause,
    processes: u32,
    names: Vec<String>,
}

impl Leftovers {
    /// The most names that are kept.
    pub const NAMES_MAX: usize = 16;
    /// A longer name is not kept.
    pub const NAME_BYTES_MAX: usize = 255;

    /// The server may be hostile: what is no name of printable ASCII is left out.
    pub fn new(why: LeftCause, processes: u32, names: impl IntoIterator<Item = String>) -> Self {
        let fits = |name: &String| {
            (1..=Self::NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let names = names.into_iter().filter(fits).take(Self::NAMES_MAX).collect();
        Self { why, processes, names }
    }

    /// Why it is not proven that nothing is left.
    pub const fn why(&self) -> LeftCause {
        self.why
    }

    /// How many processes were found, or could not be excluded.
    pub const fn processes(&self) -> u32 {
        self.processes
    }

    /// The clear names. Whoever calls this takes care of where they go.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Leftovers>")
    }
}
