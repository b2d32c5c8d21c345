//! SIGTERM and SIGINT: the first stops in order, the second at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::CliError;

/// The exit code that a shell gives a process that SIGINT ended.
const EXIT_CODE: i32 = 130;

#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    pub fn on_signals() -> Result<Self, CliError> {
        let (sender, receiver) = watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move {
            let mut signals = 0;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                signals += 1;
                if signals > 1 {
                    std::process::exit(EXIT_CODE);
                }
                sender.send_replace(true);
            }
        });
        Ok(Self(receiver))
    }

    /// Becomes true with the first signal.
    pub fn watched(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }

    pub async fn requested(&self) {
        // The sender lives as long as the process.
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }
}
