//! What is appended after an answer that must not tell, by its content or its time, whether there was
//! anything to append: a sign-in that is refused, and a reset of a password.

mod counts;
mod record;

use std::time::Duration;

use actix_web::http::header;
use domain::AccountId;
use domain::privacy::{LoginIp, LoginUserAgent, Personal};
use infra::event_store::{Request, Step};
use infra::supervise;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::api::http::problem::{Problem, ProblemKind};
use crate::wiring::App;

/// More wait only while the log takes nothing.
const WAITING_MAX: usize = 1024;

/// Takes what is to be appended. Cheap to clone.
#[derive(Clone)]
pub struct AfterAnswer(mpsc::Sender<Job>);

/// Room for one append. It is taken before anything is looked up, so that whoever finds none does not learn
/// what there is.
pub struct Place(mpsc::OwnedPermit<Job>);

/// What appends, until it is stopped.
pub struct Appending {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

enum Job {
    RefusedSignIn(Box<RefusedSignIn>),
    Append(Box<(Request, Step)>),
}

/// An attempt to sign in that was refused.
pub struct RefusedSignIn {
    /// Whose address it was. `None`: nobody's.
    pub of: Option<AccountId>,
    pub ip: Personal<LoginIp>,
    pub user_agent: Personal<LoginUserAgent>,
    /// For the tenant that has the stream.
    pub request: Request,
}

impl AfterAnswer {
    pub fn start(app: &App) -> (Self, Appending) {
        let (sender, jobs) = mpsc::channel(WAITING_MAX);
        let (stop, stopped) = oneshot::channel();
        let task =
            supervise::spawn("appends after answers", record::run(app.clone(), jobs, stopped));
        (Self(sender), Appending { stop, task })
    }

    /// # Errors
    /// So many wait that the log seems to take nothing.
    pub fn place(&self) -> Result<Place, Problem> {
        let place = self.0.clone().try_reserve_owned();
        place
            .map(Place)
            .map_err(|_| Problem::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, 1))
    }
}

impl Place {
    pub fn refused_sign_in(self, refused: RefusedSignIn) {
        self.0.send(Job::RefusedSignIn(Box::new(refused)));
    }

    /// What is refused is left out.
    pub fn append(self, request: Request, step: Step) {
        self.0.send(Job::Append(Box::new((request, step))));
    }
}

impl Appending {
    /// Appends what waits, and what was only counted so far. Call it when no request is served any more.
    pub async fn stop(self, limit: Duration) {
        // It has ended already where nobody can send to it.
        let _ = self.stop.send(());
        if tokio::time::timeout(limit, self.task).await.is_err() {
            tracing::warn!(
                "refused sign-ins that were only counted, or resets of passwords, are not in the log"
            );
        }
    }
}
