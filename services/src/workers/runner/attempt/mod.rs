//! One attempt at one task: takes it from wherever it stands to its end, or to the next node.

mod attend;
mod follow;
mod halt;
mod log;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::run::{Ending, Failure, Run, Stage, StartFailure, Target};
use infra::remote::task::TaskId;
use infra::run_log;
use infra::run_queue::Task;

pub(super) use halt::Halt;

use super::attempts::Word;
use super::{start_failure, told};
use crate::wiring::App;

const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// A server that is not reached for so long before anything was started on it has failed the run.
const START_WITHIN: Duration = Duration::from_mins(1);
/// How often what is lost is looked for, and for how long.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
const LOOK_FOR: Duration = Duration::from_hours(24);
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Attempt {
    app: App,
    task: Task,
    word: Word,
    id: TaskId,
    log: run_log::Task,
    /// A start was sent, now or before.
    launched: bool,
    /// When the server last answered.
    seen: Instant,
    /// How often the log could not be read up to its end.
    drained: u32,
}

/// What follows a turn that went well.
enum Next {
    Again,
    Done,
}

impl Attempt {
    pub fn new(app: App, task: Task, word: Word) -> Self {
        let (run, attempt, server) = (task.run, task.lease.attempt, task.lease.server);
        let now = Instant::now();
        Self {
            id: TaskId { run, attempt, server },
            log: run_log::Task { workspace: task.workspace, run, server, attempt },
            launched: task.launched,
            seen: now.checked_sub(task.unseen).unwrap_or(now),
            drained: 0,
            app,
            task,
            word,
        }
    }

    pub async fn work(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let turn = match self.turn().await {
                Err(Halt::Server(cause)) => self.bear(cause).await,
                turn => turn,
            };
            match turn {
                Ok(Next::Again) => pause = PAUSE_MIN,
                Ok(Next::Done) | Err(Halt::Gone) => return,
                Err(Halt::Erased) => return self.drop_erased().await,
                Err(halt) => {
                    self.out_of_sight();
                    let (run, server) = (self.task.run, self.task.lease.server);
                    tracing::debug!(%run, %server, %halt, "a run waits");
                    let mut cancel = self.word.cancel.clone();
                    let asked = async {
                        // One that has been asked for before changes nothing any more.
                        if *cancel.borrow() || cancel.wait_for(|asked| *asked).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    };
                    let _ = tokio::time::timeout(pause, asked).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Next, Halt> {
        let (workspace, run) = (self.task.workspace, self.task.run);
        let loaded = self.app.executor.load::<Run>(workspace.into(), run.0).await?;
        let lease = self.task.lease;
        let requested = loaded.state.requested();
        let target = requested.and_then(|run| run.targets.get(&lease.server));
        let (Some(requested), Some(target)) = (requested, target) else {
            return self.finish().await;
        };
        if target.attempt != lease.attempt {
            return self.finish().await;
        }
        match target.stage {
            Stage::Queued => self.dispatch().await,
            Stage::Dispatched if target.fence < lease.fence => self.dispatch().await,
            Stage::Dispatched | Stage::Started => self.attend(requested, target).await,
            Stage::Ended(Ending::Lost) if target.log.is_none() => {
                self.look_for(requested, target).await
            }
            Stage::Ended(_) => {
                self.put_away(None).await;
                self.finish().await
            }
        }
    }

    async fn dispatch(&self) -> Result<Next, Halt> {
        told::dispatched(&self.app, &self.task).await?;
        Ok(Next::Again)
    }

    /// The server is not reached, or does not answer as it should.
    async fn bear(&mut self, cause: StartFailure) -> Result<Next, Halt> {
        self.out_of_sight();
        let unseen = self.seen.elapsed();
        if let Some(lost) = self.task.lost {
            if lost >= LOOK_FOR {
                return self.give_up().await;
            }
            self.app.run_queue.lose(self.task.run, self.task.lease, LOOK_AGAIN).await?;
            return Ok(Next::Done);
        }
        if !self.launched {
            let over = start_failure::is_for_good(cause) || unseen >= START_WITHIN;
            return if over { self.fail(cause).await } else { Err(Halt::Server(cause)) };
        }
        if unseen < Duration::from_secs(self.app.config.run_lost_seconds.into()) {
            return Err(Halt::Server(cause));
        }
        told::ended(&self.app, &self.task, Ending::Lost, None).await?;
        self.app.run_queue.lose(self.task.run, self.task.lease, LOOK_AGAIN).await?;
        Ok(Next::Done)
    }

    /// Nothing was started, for certain.
    async fn fail(&self, cause: StartFailure) -> Result<Next, Halt> {
        let failure = Failure::NotStarted { cause };
        told::ended(&self.app, &self.task, Ending::Failed { failure }, None).await?;
        self.finish().await
    }

    /// What was lost stays so: its log is what there is of it.
    async fn give_up(&self) -> Result<Next, Halt> {
        let log = self.stored_log().await?;
        told::sealed(&self.app, &self.task, log).await?;
        self.finish().await
    }

    /// No row, no secrets: nothing is left to do here.
    async fn finish(&self) -> Result<Next, Halt> {
        self.app.run_queue.finish(self.task.run, self.task.lease).await?;
        Ok(Next::Done)
    }

    fn in_sight(&mut self) {
        self.word.reached.store(true, Ordering::Relaxed);
        self.seen = Instant::now();
    }

    fn out_of_sight(&mut self) {
        if self.word.reached.swap(false, Ordering::Relaxed) {
            self.seen = Instant::now();
        }
    }

    fn is_cancelled(&self) -> bool {
        *self.word.cancel.borrow()
    }

    /// Whether it is another node's start that this one has found.
    const fn has_taken_over(&self, target: &Target) -> bool {
        target.fence < self.task.lease.fence
    }
}
