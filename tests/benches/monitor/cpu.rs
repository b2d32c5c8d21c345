//! What a process has used, as Linux tells it.

/// `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux.
const TICKS: f64 = 100.0;

pub struct Cpu {
    /// Of user and system time.
    pub seconds: f64,
    /// Resident.
    pub megabytes: f64,
}

impl Cpu {
    pub fn of(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: f64 = resident.split_whitespace().next().unwrap().parse().unwrap();
        Self { seconds: ticks / TICKS, megabytes: kilobytes / 1024.0 }
    }
}
