//! What an operation costs, whoever works for it: a ratio of rates says little while a checkpoint runs.

use std::ops::{Mul, Sub};

use tokio_postgres::Client;

use crate::{Stat, Usage};

/// CPU time: in seconds, or an operation's microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// Of whoever asks PostgreSQL: Lethe, or `pgbench`.
    pub asking: f64,
    pub postgres: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { asking: self.asking - earlier.asking, postgres: self.postgres - earlier.postgres }
    }
}

impl Mul<f64> for Cpu {
    type Output = Self;

    fn mul(self, by: f64) -> Self {
        Self { asking: self.asking * by, postgres: self.postgres * by }
    }
}

/// Reads the CPU time of a PostgreSQL server, and of the processes that ask it.
#[derive(Clone, Debug)]
pub struct CpuMeter {
    postmaster: u32,
    asking: Vec<u32>,
}

impl CpuMeter {
    /// Of the server of this connection and these processes.
    pub async fn of(client: &Client, asking: &[u32]) -> Self {
        let backend = client.query_one("select pg_backend_pid()", &[]).await.unwrap();
        let backend: i32 = backend.get(0);
        let postmaster = Stat::of(backend.cast_unsigned()).unwrap().parent;
        Self { postmaster, asking: asking.to_vec() }
    }

    /// The same server, asked by these.
    #[must_use]
    pub fn asked_by(&self, asking: &[u32]) -> Self {
        Self { asking: asking.to_vec(), ..self.clone() }
    }

    /// In seconds, since they were started.
    pub fn read(&self) -> Cpu {
        let asking = self.asking.iter().map(|pid| Usage::of(*pid).seconds).sum();
        Cpu { asking, postgres: self.postgres() }
    }

    /// Of the processes that the server has, and of those that have ended.
    fn postgres(&self) -> f64 {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let children = pids.filter_map(Stat::of).filter(|stat| stat.parent == self.postmaster);
        let own = Stat::of(self.postmaster).unwrap();
        own.seconds + own.ended + children.map(|stat| stat.seconds).sum::<f64>()
    }
}
