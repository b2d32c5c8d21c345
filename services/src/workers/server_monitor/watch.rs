//! One server, watched over one connection. A failure counts only on a fresh one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use domain::server::{Cause, Failures, Server, ServerCommand};
use domain::{CommandId, TenantId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::monitors::{Held, Mark, Measured, Sample};
use infra::remote::sample::{self, CpuTime, sample};
use infra::remote::{Connection, Limits, RemoteError};
use tokio::sync::mpsc;

use super::rounds::Told;
use crate::reach::{Unreached, connect};
use crate::wiring::App;

/// The first looks at many servers are spread over this time at most.
const SPREAD: Duration = Duration::from_secs(10);

const ANSWER: Limits = Limits { within: Duration::from_secs(15), bytes_max: 4096 };

struct Watch {
    app: App,
    held: Held,
    tell: mpsc::Sender<Told>,
    /// The one that stays open, and what its cores had done at the last look.
    connection: Option<(Connection, Option<CpuTime>)>,
    failures: Option<Failures>,
    /// What this node told the log last: whether the server is reachable.
    reported: Option<bool>,
}

/// What one look came to.
enum Look {
    Reached(Option<Sample>),
    Failed(Cause),
    /// Nothing is known of the server: it waits for a person, or something of ours is away.
    Nothing,
}

impl Look {
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Reached(_) => "reached",
            Self::Failed(_) => "failed",
            Self::Nothing => "nothing",
        }
    }
}

/// Looks at the server again and again, until it is dropped.
pub(super) async fn watch(app: App, held: Held, tell: mpsc::Sender<Told>) {
    let period = Duration::from_secs(app.config.monitor_seconds.into());
    let failures = held.failures;
    let mut watch = Watch { app, held, tell, connection: None, failures, reported: None };
    tokio::time::sleep(SPREAD.min(period).mul_f64(drawn())).await;
    loop {
        let began = Instant::now();
        watch.round().await;
        let next = period.mul_f64(0.95 + drawn() / 10.0);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
}

impl Watch {
    async fn round(&mut self) {
        let look = self.look().await;
        self.app.metrics.server_looks.with_label_values(&[look.outcome()]).inc();
        match look {
            Look::Reached(sample) => self.reached(sample).await,
            Look::Failed(cause) => self.failed(cause).await,
            Look::Nothing => {}
        }
    }

    async fn look(&mut self) -> Look {
        if let Some((connection, before)) = self.connection.take()
            && let Ok(look) = self.measure(connection, before).await
        {
            return look;
        }
        // The connection that was there may just be old.
        let Held { workspace, server, .. } = self.held;
        let fresh = match connect(&self.app, workspace, server).await {
            Ok(connection) => self.measure(connection, None).await,
            Err(Unreached::Remote(error)) => Err(error),
            Err(Unreached::Unknown | Unreached::NotApproved | Unreached::NoCredential) => {
                return Look::Nothing;
            }
            Err(Unreached::Unavailable(error)) => {
                tracing::warn!(%server, error, "a server is not looked at");
                return Look::Nothing;
            }
        };
        match fresh {
            Ok(look) => look,
            // It is told already, and waits for a person.
            Err(RemoteError::HostKey { .. }) => Look::Nothing,
            Err(error) => Look::Failed(error.cause()),
        }
    }

    /// A connection that answers stays open.
    async fn measure(
        &mut self,
        connection: Connection,
        before: Option<CpuTime>,
    ) -> Result<Look, RemoteError> {
        let measured = match sample(&connection).await {
            Ok(measured) => Some(measured),
            // A server whose system shows nothing to measure is reached all the same.
            Err(RemoteError::Refused(Cause::Command)) => {
                connection.exec("true", &[], ANSWER).await?;
                None
            }
            Err(error) => return Err(error),
        };
        let cpu = measured.map(|measured| measured.cpu);
        let share = before.zip(cpu).and_then(|(before, now)| now.share_since(before));
        self.connection = Some((connection, cpu));
        Ok(Look::Reached(measured.map(|measured| kept(&measured, share))))
    }

    async fn reached(&mut self, sample: Option<Sample>) {
        let Held { server, fence, .. } = self.held;
        if let Some(sample) = sample {
            let taken_at = self.app.clock.now();
            self.tell(Told::Measured(Measured { server, fence, taken_at, sample }));
        }
        if self.failures.take().is_some() {
            self.mark();
        }
        if self.reported != Some(true) && self.report(ServerCommand::ReportReachable).await {
            self.reported = Some(true);
        }
    }

    async fn failed(&mut self, cause: Cause) {
        let now = self.app.clock.now();
        let failures = Failures::more(self.failures, now);
        self.failures = Some(failures);
        self.mark();
        let exhausted = failures.exhaust(self.app.config.patience(), now);
        let Failures { count, since } = failures;
        let report = ServerCommand::ReportUnreachable { cause, failures: count, since };
        if exhausted && self.reported != Some(false) && self.report(report).await {
            self.reported = Some(false);
        }
    }

    fn mark(&self) {
        let Held { server, fence, .. } = self.held;
        self.tell(Told::Marked(Mark { server, fence, failures: self.failures }));
    }

    fn tell(&self, told: Told) {
        if self.tell.try_send(told).is_err() {
            tracing::warn!(server = %self.held.server, "what was measured is lost");
        }
    }

    /// Whether the log knows. The aggregate tells only what is new.
    async fn report(&self, report: ServerCommand) -> bool {
        let Held { workspace, server, .. } = self.held;
        let command = CommandId(self.app.ids.uuid());
        let request = Request::new(TenantId::from(workspace), command);
        let step = Step::new::<Server>(server.0, report);
        match self.app.executor.execute(&request, &[step]).await {
            Ok(_) | Err(ExecuteError::Refused(_) | ExecuteError::Fenced) => true,
            Err(error) => {
                tracing::warn!(%server, %error, "a server's reach is told at the next look");
                false
            }
        }
    }
}

fn kept(measured: &sample::Sample, cpu_share: Option<f64>) -> Sample {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let used = |all: u64, available: u64| bytes(all.saturating_sub(available));
    let sample::Sample { memory_bytes, memory_available_bytes, .. } = *measured;
    let sample::Sample { disk_bytes, disk_available_bytes, load: [load, ..], .. } = *measured;
    let up = Duration::try_from_secs_f64(measured.uptime_seconds).unwrap_or_default();
    Sample {
        cpu_share,
        memory_used: used(memory_bytes, memory_available_bytes),
        memory_total: bytes(memory_bytes),
        disk_used: used(disk_bytes, disk_available_bytes),
        disk_total: bytes(disk_bytes),
        load,
        uptime_seconds: bytes(up.as_secs()),
    }
}

/// From 0 to 1.
fn drawn() -> f64 {
    let drawn = RandomState::new().build_hasher().finish() % 1_000_000;
    f64::from(u32::try_from(drawn).unwrap_or_default()) / 1_000_000.0
}
