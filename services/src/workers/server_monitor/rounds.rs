//! What a node does every second about the servers that it watches: one look at what is its own,
//! and one write of what was measured, however many servers there are.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::ServerId;
use infra::monitors::{Held, Mark, Measured};
use infra::postgres::PgError;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use super::watch;
use crate::wiring::App;

/// What waits to be written while the database is away; more is lost.
const WAITING_MAX: usize = 4096;

/// What a watch has to tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Measured(Measured),
    Marked(Mark),
}

#[derive(Clone)]
pub(in crate::workers) struct Rounds(Arc<Mutex<State>>);

struct State {
    watches: HashMap<ServerId, Watch>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    /// The day up to which there are tables for sure.
    day: Option<NaiveDate>,
}

/// A task, for as long as the fence holds.
struct Watch {
    fence: i64,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rounds {
    pub(in crate::workers) fn new() -> Self {
        let (tell, told) = mpsc::channel(WAITING_MAX);
        Self(Arc::new(Mutex::new(State { watches: HashMap::new(), tell, told, day: None })))
    }

    pub(in crate::workers) async fn round(&self, app: App) -> Result<(), PgError> {
        if app.config.monitor_seconds == 0 {
            return Ok(());
        }
        let mut state = self.0.lock().await;
        let today = app.clock.now().date_naive();
        if state.day != Some(today) {
            app.monitors.extend().await?;
            state.day = Some(today);
        }
        let held = app.monitors.round().await?;
        state.follow(&app, &held);
        state.write(&app).await
    }

    /// Ends every watch, and lets the other nodes have them at once.
    pub(in crate::workers) async fn stop(&self, app: &App) {
        let mut state = self.0.lock().await;
        state.watches.clear();
        if app.config.monitor_seconds == 0 {
            return;
        }
        if let Err(error) = state.write(app).await {
            tracing::warn!(%error, "the last samples were not written");
        }
        if let Err(error) = app.monitors.leave().await {
            tracing::warn!(%error, "servers are watched by another node in some seconds");
        }
    }
}

impl State {
    fn follow(&mut self, app: &App, held: &[Held]) {
        let fences: HashMap<ServerId, i64> =
            held.iter().map(|held| (held.server, held.fence)).collect();
        self.watches.retain(|server, watch| fences.get(server) == Some(&watch.fence));
        for held in held {
            if !self.watches.contains_key(&held.server) {
                let task = tokio::spawn(watch::watch(app.clone(), *held, self.tell.clone()));
                let watch = Watch { fence: held.fence, task: task.abort_handle() };
                self.watches.insert(held.server, watch);
            }
        }
        let watched = i64::try_from(self.watches.len()).unwrap_or(i64::MAX);
        app.metrics.servers_watched.set(watched);
    }

    async fn write(&mut self, app: &App) -> Result<(), PgError> {
        let (mut measured, mut marks) = (Vec::new(), HashMap::new());
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Measured(one) => measured.push(one),
                Told::Marked(mark) => drop(marks.insert(mark.server, mark)),
            }
        }
        let marks: Vec<Mark> = marks.into_values().collect();
        app.monitors.write(&measured).await?;
        app.monitors.mark(&marks).await
    }
}
