//! Watches one server over one connection. A failure counts only on a new connection.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use domain::server::{ConnectFailure, Failures, Server, ServerCommand};
use infra::monitors::{Measured, Sample, ServerFailures, WatchedServer};
use infra::remote::sample::{self, CpuTime, sample};
use infra::remote::{Connection, Limits, RemoteError};
use tokio::sync::mpsc;

use crate::operations::connect::{ConnectError, announce_host_keys, connect};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// The first probes of many servers are spread over at most this time.
const SPREAD: Duration = Duration::from_secs(10);

const ANSWER: Limits = Limits { within: Duration::from_secs(15), bytes_max: 4096 };

/// What the task of a server sends for the next write.
#[derive(Clone, Copy, Debug)]
pub(super) enum WatchReport {
    Measured(Measured),
    Failures(ServerFailures),
}

struct Watch {
    app: App,
    watched: WatchedServer,
    reports: mpsc::Sender<WatchReport>,
    /// The connection that stays open, and its CPU time at the last probe.
    connection: Option<(Connection, Option<CpuTime>)>,
    failures: Option<Failures>,
    /// Whether the server is reachable, by the last event that this node appended.
    reported: Option<bool>,
}

/// The outcome of one probe.
enum ProbeOutcome {
    Reached(Option<Sample>),
    Failed(ConnectFailure),
    /// Nothing is known of the server: a person must act first, or Lethe's database or keyring is
    /// unreachable.
    Nothing,
}

impl ProbeOutcome {
    const fn label(&self) -> &'static str {
        match self {
            Self::Reached(_) => "reached",
            Self::Failed(_) => "failed",
            Self::Nothing => "nothing",
        }
    }
}

/// Probes the server every `monitor_seconds`, until the task is aborted.
pub(super) async fn watch(app: App, watched: WatchedServer, reports: mpsc::Sender<WatchReport>) {
    let period = Duration::from_secs(app.config.monitor_seconds.into());
    let failures = watched.failures;
    let mut watch = Watch { app, watched, reports, connection: None, failures, reported: None };
    tokio::time::sleep(SPREAD.min(period).mul_f64(random())).await;
    loop {
        let began = Instant::now();
        watch.round().await;
        let next = period.mul_f64(0.95 + random() / 10.0);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
}

impl Watch {
    async fn round(&mut self) {
        let outcome = self.probe().await;
        self.app.metrics.server_probes.with_label_values(&[outcome.label()]).inc();
        match outcome {
            ProbeOutcome::Reached(sample) => self.reached(sample).await,
            ProbeOutcome::Failed(cause) => self.failed(cause).await,
            ProbeOutcome::Nothing => {}
        }
    }

    async fn probe(&mut self) -> ProbeOutcome {
        if let Some((connection, before)) = self.connection.take()
            && let Ok(outcome) = self.measure(connection, before).await
        {
            return outcome;
        }
        // The server may have closed the old connection: only a failure on a new one counts.
        let WatchedServer { workspace, server, .. } = self.watched;
        let fresh = match connect(&self.app, workspace, server).await {
            Ok(connection) => {
                let measured = self.measure(connection, None).await;
                self.announce().await;
                measured
            }
            Err(ConnectError::Remote(error)) => Err(error),
            Err(ConnectError::Unknown | ConnectError::NotApproved | ConnectError::NoCredential) => {
                return ProbeOutcome::Nothing;
            }
            Err(ConnectError::Unavailable(error)) => {
                tracing::warn!(%server, error, "a server was not probed: Lethe's database or keyring is unavailable");
                return ProbeOutcome::Nothing;
            }
        };
        match fresh {
            Ok(outcome) => outcome,
            // `connect` has appended the event; a person must approve the key.
            Err(RemoteError::HostKey { .. }) => ProbeOutcome::Nothing,
            Err(error) => ProbeOutcome::Failed(error.cause()),
        }
    }

    /// Keeps the connection open if the server answers.
    async fn measure(
        &mut self,
        connection: Connection,
        before: Option<CpuTime>,
    ) -> Result<ProbeOutcome, RemoteError> {
        let measured = match sample(&connection).await {
            Ok(measured) => Some(measured),
            // A server without `/proc` gives no sample, but is reachable.
            Err(RemoteError::Refused(ConnectFailure::Command)) => {
                connection.exec("true", &[], ANSWER).await?;
                None
            }
            Err(error) => return Err(error),
        };
        let cpu = measured.map(|measured| measured.cpu);
        let share = before.zip(cpu).and_then(|(before, now)| now.share_since(before));
        self.connection = Some((connection, cpu));
        Ok(ProbeOutcome::Reached(measured.map(|measured| to_row(&measured, share))))
    }

    /// On a new connection whose server has answered: a server announces its host keys to each only once.
    async fn announce(&self) {
        let WatchedServer { workspace, server, .. } = self.watched;
        if let Some((connection, _)) = &self.connection {
            announce_host_keys(&self.app, workspace, server, connection).await;
        }
    }

    async fn reached(&mut self, sample: Option<Sample>) {
        let WatchedServer { server, fence, .. } = self.watched;
        if let Some(sample) = sample {
            let taken_at = self.app.clock.now();
            self.send(WatchReport::Measured(Measured { server, fence, taken_at, sample }));
        }
        if self.failures.take().is_some() {
            self.report_failures();
        }
        if self.reported != Some(true) && self.report(ServerCommand::ReportReachable).await {
            self.reported = Some(true);
        }
    }

    async fn failed(&mut self, cause: ConnectFailure) {
        let now = self.app.clock.now();
        let failures = Failures::more(self.failures, now);
        self.failures = Some(failures);
        self.report_failures();
        let exhausted = failures.reach(self.app.config.unreachable_threshold(), now);
        let Failures { count, since } = failures;
        let report = ServerCommand::ReportUnreachable { cause, failures: count, since };
        if exhausted && self.reported != Some(false) && self.report(report).await {
            self.reported = Some(false);
        }
    }

    fn report_failures(&self) {
        let WatchedServer { server, fence, .. } = self.watched;
        self.send(WatchReport::Failures(ServerFailures { server, fence, failures: self.failures }));
    }

    fn send(&self, report: WatchReport) {
        if self.reports.try_send(report).is_err() {
            tracing::warn!(server = %self.watched.server, "a report was dropped: too many wait for the database");
        }
    }

    /// Appends the report, unless it changes nothing. `false`: it is not in the log yet.
    async fn report(&self, report: ServerCommand) -> bool {
        let WatchedServer { workspace, server, .. } = self.watched;
        let appended = SystemCommand::with_id(workspace.into(), self.app.ids.uuid())
            .step::<Server>(server.0, report)
            .execute(&self.app.executor, |_| true);
        match appended.await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(
                    %server, %error,
                    "a reachability event was not appended: tried again at the next probe"
                );
                false
            }
        }
    }
}

fn to_row(measured: &sample::Sample, cpu_share: Option<f64>) -> Sample {
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

/// A random number from 0 to 1.
fn random() -> f64 {
    let drawn = RandomState::new().build_hasher().finish() % 1_000_000;
    f64::from(u32::try_from(drawn).unwrap_or_default()) / 1_000_000.0
}
