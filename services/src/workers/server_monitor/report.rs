//! What the watch of a server says of it: to the database with the next round, or to the log.

use std::time::Duration;

use domain::server::{Server, ServerCommand};
use infra::monitors::{Measured, Sample, ServerFailures, WatchedServer};
use infra::remote::sample;

use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// What the task of a server sends for the next write.
#[derive(Clone, Copy, Debug)]
pub(super) enum WatchReport {
    Measured(Measured),
    Failures(ServerFailures),
}

/// Appends the report, unless it changes nothing. `false`: it is not in the log yet.
pub(super) async fn append(app: &App, watched: &WatchedServer, report: ServerCommand) -> bool {
    let WatchedServer { workspace, server, .. } = *watched;
    let appended = SystemCommand::with_id(workspace.into(), app.ids.uuid())
        .step::<Server>(server.0, report)
        .execute(&app.executor, |_| true);
    match appended.await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(
                %server, %error,
                "an event about a server was not appended: tried again at the next probe"
            );
            false
        }
    }
}

/// `None`: the server has shown nothing of itself.
pub(super) fn to_row(measured: &sample::Sample, cpu_share: Option<f64>) -> Option<Sample> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let used = |all: u64, available: u64| bytes(all.saturating_sub(available));
    let memory = measured.memory_bytes.zip(measured.memory_available_bytes);
    let up = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let row = Sample {
        cpu_share,
        memory_used: memory.map(|(all, available)| used(all, available)),
        memory_total: measured.memory_bytes.map(bytes),
        disk_used: measured.disk.map(|disk| used(disk.bytes, disk.available_bytes)),
        disk_total: measured.disk.map(|disk| bytes(disk.bytes)),
        load: measured.load.map(|[load, ..]| load),
        uptime_seconds: measured.uptime_seconds.map(|seconds| bytes(up(seconds))),
    };
    (*measured != sample::Sample::default()).then_some(row)
}
