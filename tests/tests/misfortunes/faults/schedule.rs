//! The faults of a seed: what befalls a node, the network or a server, when, and for how long.

use std::time::Duration;

use super::proxy::{Harm, HarmPlan, Sender};
use crate::failpoints::runs::{CANCELLING, RUNNING};

/// A connection is made, and a few answers are given.
const ANSWERS_BYTES: u64 = 10_000;
/// The same, and scripts are sent.
const SCRIPTS_BYTES: u64 = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// kill -9 of the node at this failpoint.
    Kill(&'static str),
    /// SIGSTOP of one of two nodes for a while.
    Stop,
    /// A connection is cut after so many bytes of one side.
    Cut(Sender, usize),
    /// What the server answers after so many bytes does not come, and a while later all connections are cut.
    Swallow(usize),
    /// The power of the server fails.
    Reboot,
    /// The server has another machine's address for a while.
    Address,
    /// The server has another host key, which a person approves a while later.
    HostKey,
    /// The server lets nobody in until it has another credential.
    Credential,
}

impl FaultKind {
    pub const NAMES: [&str; 8] =
        ["kill", "stop", "cut", "swallow", "reboot", "address", "host key", "credential"];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Stop => "stop",
            Self::Cut(..) => "cut",
            Self::Swallow(_) => "swallow",
            Self::Reboot => "reboot",
            Self::Address => "address",
            Self::HostKey => "host key",
            Self::Credential => "credential",
        }
    }

    /// What is done to a connection.
    pub const fn harm(self) -> Option<HarmPlan> {
        match self {
            Self::Cut(of, after) => Some(HarmPlan { harm: Harm::Cut, of, after }),
            Self::Swallow(after) => {
                Some(HarmPlan { harm: Harm::Swallow, of: Sender::Server, after })
            }
            Self::Kill(_)
            | Self::Stop
            | Self::Reboot
            | Self::Address
            | Self::HostKey
            | Self::Credential => None,
        }
    }

    /// In milliseconds: from, and to.
    const fn lasts(self) -> (u64, u64) {
        match self {
            Self::Stop => (6000, 12_000),
            Self::Swallow(_) => (1000, 4000),
            Self::Address => (1000, 8000),
            Self::HostKey => (0, 3000),
            Self::Credential => (1000, 6000),
            Self::Kill(_) | Self::Cut(..) | Self::Reboot => (0, 1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub number: usize,
    pub kind: FaultKind,
    /// From the first request on, where nothing else says when it comes.
    pub after: Duration,
    pub lasts: Duration,
    /// Of the command that ends by itself.
    pub code: u8,
    /// Whether the command that does not end is cancelled; else its time is over.
    pub cancels: bool,
}

/// The same faults for the same seed. Each ten of them have all kinds.
pub fn schedule(seed: u64, count: usize) -> Vec<Fault> {
    let mut random = Random(seed);
    let mut faults = Vec::new();
    while faults.len() < count {
        for kind in random.ten_kinds() {
            let number = faults.len();
            faults.push(random.fault(number, kind));
        }
    }
    faults.truncate(count);
    faults
}

/// The same numbers for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed % end
    }

    fn size_below(&mut self, end: u64) -> usize {
        usize::try_from(self.below(end)).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.size_below(of.len() as u64)]
    }

    fn millis(&mut self, (from, to): (u64, u64)) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    fn ten_kinds(&mut self) -> [FaultKind; 10] {
        let (cut, bytes) =
            self.one_of(&[(Sender::Server, ANSWERS_BYTES), (Sender::Lethe, SCRIPTS_BYTES)]);
        let mut kinds = [
            FaultKind::Kill(self.one_of(&RUNNING)),
            FaultKind::Kill(self.one_of(&RUNNING)),
            FaultKind::Kill(self.one_of(&CANCELLING)),
            FaultKind::Stop,
            FaultKind::Cut(cut, self.size_below(bytes)),
            FaultKind::Swallow(self.size_below(ANSWERS_BYTES)),
            FaultKind::Reboot,
            FaultKind::Address,
            FaultKind::HostKey,
            FaultKind::Credential,
        ];
        for at in (1..kinds.len()).rev() {
            kinds.swap(at, self.size_below(at as u64 + 1));
        }
        kinds
    }

    fn fault(&mut self, number: usize, kind: FaultKind) -> Fault {
        let is_of_cancel = matches!(kind, FaultKind::Kill(name) if CANCELLING.contains(&name));
        Fault {
            number,
            kind,
            after: self.millis((0, 2000)),
            lasts: self.millis(kind.lasts()),
            code: self.one_of(&[0, 0, 1, 7, 255]),
            cancels: self.below(2) == 0 || is_of_cancel,
        }
    }
}

#[test]
fn a_seed_has_its_faults_and_ten_of_them_have_all_kinds() {
    let faults = schedule(7, 25);
    assert_eq!(faults, schedule(7, 25));
    assert_ne!(faults, schedule(8, 25));
    assert_eq!(faults.len(), 25);
    for ten in faults.chunks_exact(10) {
        for name in FaultKind::NAMES {
            assert!(ten.iter().any(|fault| fault.kind.name() == name), "no {name}: {ten:?}");
        }
    }
}
