//! Logs whose lines are over: those of a day are kept for as long as its key.

use chrono::{DateTime, Days, Utc};
use domain::RunId;
use infra::log::read_through;
use infra::run_log::{LogKey, RunLogError};
use projections::runs::Run;

use crate::api::Api;
use crate::api::auth::path_resources::{PathRun, nothing};
use crate::api::http::problem::{Problem, ProblemKind};

/// Refuses the log of which nothing is stored, if it is over. A log that never had a line, or has none yet, is
/// only empty.
pub async fn refuse_if_over(api: &Api, run: &PathRun, task: &LogKey) -> Result<(), Problem> {
    let target = run.target(task.server)?;
    let is_last = task.attempt == target.attempt;
    let had_lines = is_last && target.log.is_some_and(|log| log.lines > 0);
    let had_none = is_last && target.log.is_some_and(|log| log.lines == 0);
    let logs = &api.app.run_logs;
    if had_none || (is_last && !target.is_ended()) || logs.is_stored(task).await? {
        return Ok(());
    }
    let run = find(api, run.id).await?;
    let on_server = run.on_servers.0.get(&task.server).ok_or_else(nothing)?;
    // An earlier attempt had ended before the last one was queued.
    let ended_at = if is_last { on_server.ended_at } else { Some(on_server.queued_at) };
    let is_over = |at: DateTime<Utc>| at.date_naive() < logs.kept_since();
    if let Some(ended_at) = ended_at.filter(|at| is_over(*at)) {
        return Err(over(api, ended_at));
    }
    // All of its lines may be older than its end.
    match ended_at.filter(|_| had_lines) {
        Some(ended_at) if is_over(on_server.queued_at) => Err(over(api, ended_at)),
        Some(_) => Err(RunLogError::Gap { seq: 0 }.into()),
        None => Ok(()),
    }
}

/// Of a log whose first lines are missing: they are over only if the run is older than what is kept.
pub async fn refuse_if_damaged(api: &Api, run: RunId, over: u64) -> Result<(), Problem> {
    if over == 0 {
        return Ok(());
    }
    let requested_at = find(api, run).await?.requested_at;
    if requested_at.date_naive() < api.app.run_logs.kept_since() {
        return Ok(());
    }
    Err(RunLogError::Gap { seq: 0 }.into())
}

fn over(api: &Api, ended_at: DateTime<Utc>) -> Problem {
    let logs = &api.app.run_logs;
    let days = logs.content_days();
    let last_day = logs.kept_since().pred_opt().unwrap_or_default().min(ended_at.date_naive());
    let until = last_day.checked_add_days(Days::new(days.into())).unwrap_or(last_day);
    let detail = format!("The lines of this log were kept for {days} days, until {until}.");
    Problem::new(ProblemKind::LogExpired, detail)
}

async fn find(api: &Api, run: RunId) -> Result<Run, Problem> {
    read_through(&api.app.runs, run, run.0).await?.ok_or_else(nothing)
}
