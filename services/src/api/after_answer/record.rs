//! Appends one after another. What the log does not take is tried again, and at last counted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, LoginRefusal};
use domain::strangers::{STRANGERS, Strangers, StrangersCommand};
use domain::{AccountId, CommandId, TenantId};
use futures_util::future::join_all;
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
/// So many counts are appended together, which is one batch or two of the log: what waits for an answer's record
/// waits no longer for them.
const COUNTS_AT_ONCE: usize = 64;

pub(super) async fn run(
    app: App,
    mut jobs: mpsc::Receiver<Job>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut recorder = Recorder::new(app);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => recorder.append(job).await,
                None => break,
            },
            _ = look.tick() => recorder.look(),
            // By turns with the jobs.
            () = std::future::ready(()), if recorder.may_append => recorder.append_some().await,
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
    /// There are such counts, and the log has not refused to take one since the last look.
    may_append: bool,
}

impl Recorder {
    fn new(app: App) -> Self {
        Self { app, counts: Counts::default(), past: Vec::new(), may_append: false }
    }

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

    /// Those that the log did not take are tried again.
    fn look(&mut self) {
        self.end_hour(self.app.clock.now());
        self.may_append = !self.past.is_empty();
    }

    /// Appends some of the counts. Those that the log does not take are tried again later.
    async fn append_some(&mut self) {
        let some = self.past.split_off(self.past.len().saturating_sub(COUNTS_AT_ONCE));
        let appends = some
            .iter()
            .map(|(request, step)| self.app.executor.execute(request, std::slice::from_ref(step)));
        let outcomes = join_all(appends).await;
        let left = self.past.len();
        for (counted, outcome) in some.into_iter().zip(outcomes) {
            match outcome {
                Err(error) if is_unreadable(&error) => {
                    tracing::warn!(%error, "refused sign-ins that were counted are not in the log");
                }
                Err(error) if !is_settled(&error) => self.past.push(counted),
                // The account is erased.
                Ok(_) | Err(_) => {}
            }
        }
        let is_taken = self.past.len() == left;
        self.may_append = is_taken && left > 0;
    }

    async fn append_all(&mut self) {
        for (of, count) in self.counts.take() {
            let counted = self.counted(of, count);
            self.past.push(counted);
        }
        self.look();
        while self.may_append {
            self.append_some().await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::tests::{Harness, register};

    #[tokio::test]
    async fn counts_of_an_hour_are_appended_in_parts_between_which_others_have_their_turn() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let ada = register(&app, "ada@example.org").await.account;
        let now = app.clock.now();
        let mut recorder = Recorder::new(app.clone());
        let sum = Sum { from: now, until: now, count: 7 };
        let nobody = AccountId(app.ids.uuid());
        let counts = (1..2 * COUNTS_AT_ONCE).map(|_| Some(nobody)).chain([Some(ada), None]);
        let counted: Vec<_> = counts.map(|of| recorder.counted(of, sum)).collect();
        recorder.past = counted;
        recorder.look();

        recorder.append_some().await;

        assert_eq!((recorder.past.len(), recorder.may_append), (COUNTS_AT_ONCE + 1, true));
        let counted = "select count(*) from event_log.events
            where event_type in ('account.logins_failed', 'strangers.sign_ins_refused')";
        let client = app.pool.get().await.unwrap();
        let row = client.query_one(counted, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
        drop(client);
        recorder.append_all().await;
        assert_eq!((recorder.past.len(), recorder.may_append), (0, false));
    }
}
