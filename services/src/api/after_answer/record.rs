//! Appends one after another. What the log does not take is tried again, and at last counted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, LoginRefusal};
use domain::strangers::{STRANGERS, Strangers, StrangersCommand};
use domain::{AccountId, CommandId, TenantId};
use infra::event_store::{ExecuteError, Request, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::counts::{Counts, Of, Sum};
use super::{Job, RefusedSignIn};
use crate::wiring::App;

const LOOK_EVERY: Duration = Duration::from_secs(10);
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// As long as a failover takes.
const TRIES: u32 = 30;

pub(super) async fn run(
    app: App,
    mut jobs: mpsc::Receiver<Job>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut recorder = Recorder { app, counts: Counts::default(), past: Vec::new() };
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => recorder.append(job).await,
                None => break,
            },
            _ = look.tick() => recorder.append_past().await,
            _ = &mut stopped => break,
        }
    }
    jobs.close();
    while let Some(job) = jobs.recv().await {
        recorder.append(job).await;
    }
    recorder.append_all().await;
}

struct Recorder {
    app: App,
    counts: Counts,
    /// Counts of hours that are over, each with the command that appends it.
    past: Vec<(Request, Step)>,
}

impl Recorder {
    async fn append(&mut self, job: Job) {
        match job {
            Job::RefusedSignIn(refused) => self.refused_sign_in(*refused).await,
            Job::Append(job) => {
                let (request, step) = *job;
                if let Err(error) = again(&self.app, &request, &step).await {
                    tracing::warn!(%error, "the reset of a password was not recorded: no link was mailed");
                }
            }
        }
    }

    async fn refused_sign_in(&mut self, refused: RefusedSignIn) {
        let RefusedSignIn { of, ip, user_agent, request } = refused;
        let now = self.app.clock.now();
        self.end_hour(now);
        if !self.counts.is_one_of_few(of, now) {
            return;
        }
        let step = if let Some(account) = of {
            let reason = LoginRefusal::WrongPassword;
            Step::new::<Account>(account.0, AccountCommand::FailLogin { reason, ip, user_agent })
        } else {
            let refusal = StrangersCommand::RefuseSignIn { ip, user_agent };
            Step::new::<Strangers>(STRANGERS, refusal)
        };
        if let Err(error) = again(&self.app, &request, &step).await {
            tracing::warn!(%error, "a refused sign-in was not recorded: it is counted");
            self.counts.count(of, now);
        }
    }

    fn end_hour(&mut self, now: DateTime<Utc>) {
        for (of, count) in self.counts.take_past(now) {
            let counted = self.counted(of, count);
            self.past.push(counted);
        }
    }

    /// Those that the log does not take are tried again later.
    async fn append_past(&mut self) {
        self.end_hour(self.app.clock.now());
        for counted in std::mem::take(&mut self.past) {
            let (request, step) = &counted;
            match self.app.executor.execute(request, std::slice::from_ref(step)).await {
                Err(error) if is_unreadable(&error) => {
                    tracing::warn!(%error, "refused sign-ins that were counted are not in the log");
                }
                Err(error) if !is_settled(&error) => self.past.push(counted),
                // The account is erased.
                Ok(_) | Err(_) => {}
            }
        }
    }

    async fn append_all(&mut self) {
        for (of, count) in self.counts.take() {
            let counted = self.counted(of, count);
            self.past.push(counted);
        }
        self.append_past().await;
        if !self.past.is_empty() {
            let hours = self.past.len();
            tracing::warn!(hours, "refused sign-ins that were counted are not in the log");
        }
    }

    fn counted(&self, of: Of, Sum { from, until, count }: Sum) -> (Request, Step) {
        let (tenant, step) = if let Some(AccountId(account)) = of {
            let sum = AccountCommand::CountFailedLogins { from, until, count };
            (TenantId(account), Step::new::<Account>(account, sum))
        } else {
            let sum = StrangersCommand::CountRefusedSignIns { from, until, count };
            (TenantId(STRANGERS), Step::new::<Strangers>(STRANGERS, sum))
        };
        (Request::new(tenant, CommandId(self.app.ids.uuid())), step)
    }
}

/// Appends, also after the log has not answered for a while. What is refused is not tried again, nor what is for
/// a stream that cannot be read: others wait behind it.
async fn again(app: &App, request: &Request, step: &Step) -> Result<(), ExecuteError> {
    let mut tries = 0;
    loop {
        match app.executor.execute(request, std::slice::from_ref(step)).await {
            Err(error) if is_settled(&error) => return Ok(()),
            Err(error) if tries < TRIES && !is_unreadable(&error) => {
                tries += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            outcome => return outcome.map(drop),
        }
    }
}

/// It fails again, however often it is tried.
const fn is_unreadable(error: &ExecuteError) -> bool {
    matches!(error, ExecuteError::Load(error) if error.is_of_stream())
}

/// The account is erased, or another request came under the same key.
const fn is_settled(error: &ExecuteError) -> bool {
    matches!(error, ExecuteError::Refused(_) | ExecuteError::Fenced | ExecuteError::Reused)
}
