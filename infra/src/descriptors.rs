//! How many descriptors this process may have open at once: each connection and each open file is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where no more is needed, the soft limit is raised no further. What this process starts has the same limit, and a
/// programme that closes each descriptor that may be open takes minutes where these are a thousand million, as in some
/// containers. This is as many as Linux allows a process unless `fs.nr_open` says otherwise.
const ENOUGH: u64 = 1 << 20;

/// The limits of this process (`RLIMIT_NOFILE`); [`u64::MAX`]: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimits {
    /// How many may be open.
    pub soft: u64,
    /// How far the process may raise that by itself.
    pub hard: u64,
}

impl DescriptorLimits {
    /// Those in force now.
    pub fn current() -> Self {
        let limits = getrlimit(Resource::Nofile);
        Self { soft: limits.current.unwrap_or(u64::MAX), hard: limits.maximum.unwrap_or(u64::MAX) }
    }

    fn wanted(self, needed: u64) -> u64 {
        needed.max(ENOUGH).min(self.hard).max(self.soft)
    }
}

/// Raises the soft limit to the hard one, but not beyond what is `needed` or 1,048,576. It is never lowered. Answers
/// what is in force then, which is less than `needed` where the hard limit is.
pub fn raise(needed: u64) -> DescriptorLimits {
    let before = DescriptorLimits::current();
    let wanted = before.wanted(needed);
    if wanted > before.soft {
        let maximum = getrlimit(Resource::Nofile).maximum;
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
            tracing::warn!(%error, "the limit of open descriptors was not raised");
        }
    }
    DescriptorLimits::current()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_it_may_be_and_never_lowered() {
        let wanted = |soft, hard, needed| DescriptorLimits { soft, hard }.wanted(needed);

        assert_eq!(wanted(1024, 4096, 3000), 4096);
        assert_eq!(wanted(256, 256, 3000), 256);
        assert_eq!(wanted(1024, 1 << 30, 3000), ENOUGH);
        assert_eq!(wanted(1024, u64::MAX, 5_000_000), 5_000_000);
        assert_eq!(wanted(1 << 30, 1 << 30, 3000), 1 << 30);
    }

    #[test]
    fn what_is_in_force_is_what_the_process_may_raise_it_to() {
        let hard = DescriptorLimits::current().hard;

        let raised = raise(hard.min(ENOUGH));

        assert_eq!(raised.hard, hard, "the hard limit stays");
        assert!(raised.soft >= hard.min(ENOUGH), "{raised:?}");
        assert_eq!(DescriptorLimits::current(), raised);
    }
}
