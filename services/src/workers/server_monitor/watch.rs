//! Watches one server. A connection is kept while the server answers on it, and replaced now and then: that
//! an old one works does not say that the credential still opens a new one. A failure counts only on a new
//! connection.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::server::{ConnectFailure, Failures, ServerCommand};
use infra::monitors::{Measured, Sample, ServerFailures, WatchedServer};
use infra::remote::sample::{CpuTime, sample};
use infra::remote::{Connection, Limits, RemoteError};
use tokio::sync::mpsc;

use super::opinion::{self, Opinions};
use super::patience::{self, Next, after_refusal};
use super::report::{WatchReport, append, to_row};
use crate::operations::connect::{ConnectError, announce_host_keys, connect};
use crate::wiring::App;
use crate::workers::runner::sweep_server;

/// The first probes of many servers are spread over at most this time.
const SPREAD: Duration = Duration::from_secs(10);

pub(super) const ANSWER: Limits = Limits { within: Duration::from_secs(15), bytes_max: 4096 };

struct Watch {
    app: App,
    watched: WatchedServer,
    reports: mpsc::Sender<WatchReport>,
    opinions: Opinions,
    /// The connection that stays open, and its CPU time at the last probe.
    connection: Option<(Connection, Option<CpuTime>)>,
    /// When it is replaced.
    fresh_from: Instant,
    /// When the server may be swept: also where a sweep costs the connection, not more often.
    sweep_from: Instant,
    failures: Option<Failures>,
    /// In how many of them the server refused the credential.
    refused: u32,
    /// Whether the server is reachable, by the last event that this node appended.
    reported: Option<bool>,
}

/// The outcome of one probe.
enum ProbeOutcome {
    Reached(Option<Sample>),
    Failed(ConnectFailure),
    /// The server let nobody in, or ended the connection while it was asked to.
    Refused,
    /// Nothing is known of the server: a person must act first, or Lethe's database or keyring is
    /// unreachable.
    Nothing,
}

impl ProbeOutcome {
    const fn label(&self) -> &'static str {
        match self {
            Self::Reached(_) => "reached",
            Self::Failed(_) => "failed",
            Self::Refused => "refused",
            Self::Nothing => "nothing",
        }
    }
}

/// Probes the server every `monitor_seconds`, until the task is aborted, or the server is to be left alone:
/// a round starts another one when that is over.
pub(super) async fn watch(
    app: App,
    watched: WatchedServer,
    reports: mpsc::Sender<WatchReport>,
    opinions: Opinions,
) {
    let period = Duration::from_secs(app.config.monitor_seconds.into());
    let WatchedServer { failures, refused, .. } = watched;
    let (connection, now, reported) = (None, Instant::now(), None);
    let mut watch = Watch {
        app,
        watched,
        reports,
        opinions,
        connection,
        fresh_from: now,
        sweep_from: now,
        failures,
        refused,
        reported,
    };
    tokio::time::sleep(SPREAD.min(period).mul_f64(random())).await;
    loop {
        let began = Instant::now();
        if watch.round(period).await.is_break() {
            return;
        }
        let next = period.mul_f64(0.95 + random() / 10.0);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
}

impl Watch {
    /// `Break`: the server is left alone from now on, and its row says for how long.
    async fn round(&mut self, period: Duration) -> ControlFlow<()> {
        let outcome = self.probe().await;
        self.app.metrics.server_probes.with_label_values(&[outcome.label()]).inc();
        match outcome {
            ProbeOutcome::Reached(sample) => self.reached(sample).await,
            ProbeOutcome::Failed(cause) => self.failed(cause).await,
            ProbeOutcome::Refused => return self.refused(period).await,
            ProbeOutcome::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    async fn probe(&mut self) -> ProbeOutcome {
        let mut old = self.connection.take();
        if Instant::now() < self.fresh_from
            && let Some((connection, before)) = old.take()
            && let Ok(outcome) = self.measure(connection, before).await
        {
            return outcome;
        }
        // The server may have closed the old connection: only a failure on a new one counts.
        let before = old.as_ref().and_then(|(_, before)| *before);
        let WatchedServer { workspace, server, .. } = self.watched;
        let fresh = match connect(&self.app, workspace, server).await {
            Ok(connection) => {
                let kept = Duration::from_secs(self.app.config.watch_fresh_seconds.into());
                self.fresh_from = Instant::now() + kept.mul_f64(0.9 + random() / 5.0);
                let measured = self.measure(connection, before).await;
                self.announce().await;
                if let Ok(ProbeOutcome::Reached(Some(_))) = &measured {
                    self.sweep().await;
                }
                measured
            }
            Err(ConnectError::Remote(error)) => Err(error),
            Err(ConnectError::Unknown | ConnectError::NotApproved | ConnectError::NoCredential) => {
                return ProbeOutcome::Nothing;
            }
            Err(ConnectError::Unavailable(error)) => {
                tracing::warn!(%server, error, "no new connection to a server was made: Lethe's database or keyring is unavailable");
                return self.measure_on(old).await.unwrap_or(ProbeOutcome::Nothing);
            }
        };
        // Until here the old one was open: a server that answers has had a connection all the time.
        drop(old);
        match fresh {
            Ok(outcome) => outcome,
            // `connect` has appended the event; a person must approve the key.
            Err(RemoteError::HostKey { .. }) => ProbeOutcome::Nothing,
            Err(
                RemoteError::Refused(ConnectFailure::Authentication)
                | RemoteError::Lost(ConnectFailure::Authentication),
            ) => ProbeOutcome::Refused,
            Err(error) => ProbeOutcome::Failed(error.cause()),
        }
    }

    /// What is due to be replaced, and cannot be now.
    async fn measure_on(
        &mut self,
        old: Option<(Connection, Option<CpuTime>)>,
    ) -> Option<ProbeOutcome> {
        let (connection, before) = old?;
        self.measure(connection, before).await.ok()
    }

    /// Keeps the connection open if the server answers.
    async fn measure(
        &mut self,
        connection: Connection,
        before: Option<CpuTime>,
    ) -> Result<ProbeOutcome, RemoteError> {
        let measured = match sample(&connection).await {
            Ok(measured) => Some(measured),
            // A server without a shell gives no sample, but is reachable.
            Err(RemoteError::Refused(ConnectFailure::Command)) => {
                connection.exec("true", &[], ANSWER).await?;
                None
            }
            Err(error) => return Err(error),
        };
        let cpu = measured.and_then(|measured| measured.cpu);
        let share = before.zip(cpu).and_then(|(before, now)| now.share_since(before));
        self.connection = Some((connection, cpu));
        Ok(ProbeOutcome::Reached(measured.and_then(|measured| to_row(&measured, share))))
    }

    /// On a new connection whose server has answered: a server announces its host keys to each only once.
    async fn announce(&self) {
        let WatchedServer { workspace, server, .. } = self.watched;
        if let Some((connection, _)) = &self.connection {
            announce_host_keys(&self.app, workspace, server, connection).await;
        }
    }

    /// What the server keeps of old runs.
    async fn sweep(&mut self) {
        let WatchedServer { workspace, server, .. } = self.watched;
        let now = Instant::now();
        if now < self.sweep_from {
            return;
        }
        let kept = Duration::from_secs(self.app.config.watch_fresh_seconds.into());
        self.sweep_from = now + kept.mul_f64(0.9);
        if let Some((connection, _)) = &self.connection {
            sweep_server(&self.app, workspace, server, connection).await;
        }
    }

    async fn reached(&mut self, sample: Option<Sample>) {
        let WatchedServer { server, fence, .. } = self.watched;
        if let Some(sample) = sample {
            let taken_at = self.app.clock.now();
            self.send(WatchReport::Measured(Measured { server, fence, taken_at, sample }));
        }
        self.refused = 0;
        if self.failures.take().is_some() {
            self.send_failures();
        }
        if self.reported != Some(true)
            && append(&self.app, &self.watched, ServerCommand::ReportReachable).await
        {
            self.reported = Some(true);
        }
    }

    async fn failed(&mut self, cause: ConnectFailure) {
        let now = self.app.clock.now();
        let failures = self.one_more(now);
        self.send_failures();
        self.report_unreachable(cause, failures, now).await;
    }

    async fn refused(&mut self, period: Duration) -> ControlFlow<()> {
        let (cause, now) = (ConnectFailure::Authentication, self.app.clock.now());
        self.refused = self.refused.saturating_add(1);
        let failures = self.one_more(now);
        self.report_unreachable(cause, failures, now).await;
        let next =
            after_refusal(failures, self.refused, self.app.config.unreachable_threshold(), now);
        let pause = match next {
            Next::Probe => Duration::ZERO,
            Next::Pause(pause) => pause,
            Next::Stop => patience::LONGEST,
        };
        if next != Next::Stop && pause <= period {
            self.send_failures();
            return ControlFlow::Continue(());
        }
        let paused = self.pause(pause).await;
        if next == Next::Stop {
            let Failures { count: failures, since } = failures;
            // Where it is not appended, the server is tried once more after the pause.
            append(&self.app, &self.watched, ServerCommand::StopWatch { cause, failures, since })
                .await;
        }
        paused
    }

    fn one_more(&mut self, now: DateTime<Utc>) -> Failures {
        let failures = Failures::more(self.failures, now);
        self.failures = Some(failures);
        failures
    }

    async fn report_unreachable(
        &mut self,
        cause: ConnectFailure,
        failures: Failures,
        now: DateTime<Utc>,
    ) {
        let exhausted = failures.reach(self.app.config.unreachable_threshold(), now);
        if !exhausted || self.reported == Some(false) {
            return;
        }
        // Who is refused has met the server itself: it showed its host key.
        let is_met = cause == ConnectFailure::Authentication;
        if !is_met && opinion::is_reached(&self.app, &self.watched, &mut self.opinions).await {
            return;
        }
        let Failures { count: failures, since } = failures;
        let report = ServerCommand::ReportUnreachable { cause, failures, since };
        if append(&self.app, &self.watched, report).await {
            self.reported = Some(false);
        }
    }

    /// Writes the failures, and that nobody connects for so long, whichever node has the server then.
    /// `Continue`: that is not written.
    async fn pause(&self, length: Duration) -> ControlFlow<()> {
        match self.app.monitors.pause(self.failing(), length).await {
            Ok(_) => ControlFlow::Break(()),
            Err(error) => {
                tracing::warn!(server = %self.watched.server, %error, "a pause was not written: the server is probed as before");
                self.send_failures();
                ControlFlow::Continue(())
            }
        }
    }

    fn send_failures(&self) {
        self.send(WatchReport::Failures(self.failing()));
    }

    fn failing(&self) -> ServerFailures {
        let WatchedServer { server, fence, .. } = self.watched;
        ServerFailures { server, fence, failures: self.failures, refused: self.refused }
    }

    fn send(&self, report: WatchReport) {
        if self.reports.try_send(report).is_err() {
            tracing::warn!(server = %self.watched.server, "a report was dropped: too many wait for the database");
        }
    }
}

/// A random number from 0 to 1.
fn random() -> f64 {
    let drawn = RandomState::new().build_hasher().finish() % 1_000_000;
    f64::from(u32::try_from(drawn).unwrap_or_default()) / 1_000_000.0
}
