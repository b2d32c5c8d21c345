//! What a process uses, as Linux tells it.

/// `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux.
const TICKS: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Of user and system time.
    pub seconds: f64,
    /// Resident.
    pub megabytes: f64,
    /// Of these, what is no page of a file: the pages of the programme itself are more in a build without optimisation.
    pub anonymous_megabytes: f64,
}

impl Usage {
    pub fn of(pid: u32) -> Self {
        let seconds = Stat::of(pid).unwrap().seconds;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
        };
        let (resident, anonymous) = (megabytes("VmRSS:"), megabytes("RssAnon:"));
        Self { seconds, megabytes: resident, anonymous_megabytes: anonymous }
    }
}

/// A process's line in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub parent: u32,
    /// Of user and system time.
    pub seconds: f64,
    /// The same of its children that have ended.
    pub ended: f64,
}

impl Stat {
    /// None: the process has ended.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap() / TICKS;
        let parent = fields[1].parse().unwrap();
        Some(Self { parent, seconds: ticks(11) + ticks(12), ended: ticks(13) + ticks(14) })
    }
}
