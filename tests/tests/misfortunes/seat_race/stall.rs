//! How long this machine keeps anybody waiting: a limit of time that Lethe must keep is counted
//! without that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tests::Installation;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(50);

/// Asks the database for nothing, again and again, and notes the longest time that this took.
pub struct StallWatch {
    longest_ms: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl StallWatch {
    pub async fn start(installation: &Installation) -> Self {
        let client = installation.log().await;
        let longest_ms = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&longest_ms);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let due = ticks.tick().await;
                client.execute("select", &[]).await.unwrap();
                let took = u64::try_from(due.elapsed().as_millis()).unwrap();
                noted.fetch_max(took, Ordering::Relaxed);
            }
        });
        Self { longest_ms, task }
    }

    pub fn longest(&self) -> Duration {
        assert!(!self.task.is_finished(), "nobody watches the machine");
        Duration::from_millis(self.longest_ms.load(Ordering::Relaxed))
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
