//! What becomes of a task that panics: none ends without anybody who notices.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// As of a programme that has failed by a fault of its own (`EX_SOFTWARE` of sysexits.h).
pub const EXIT_CODE: i32 = 70;

/// Work has panicked. What it was about is not repeated: a panic may quote a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has panicked, which is a fault of this programme")]
pub struct Panicked;

/// Runs `work` to its end, or to its panic.
///
/// # Errors
/// It has panicked.
pub async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(forget)
}

/// Starts a task that the node cannot do without. If it panics the process ends, as if it was killed:
/// whoever started it starts it again, and other nodes go on meanwhile.
pub fn spawn<F>(name: &'static str, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(async move {
        match caught(work).await {
            Ok(output) => output,
            Err(Panicked) => end(name),
        }
    })
}

/// Starts a task that does `work` at once, and again each time that `period` is over, until nobody else has `owner`.
pub(crate) fn spawn_every<T, F>(
    name: &'static str,
    period: Duration,
    owner: &Arc<T>,
    work: impl Fn(Arc<T>) -> F + Send + Sync + 'static,
) -> JoinHandle<()>
where
    T: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let owner = Arc::downgrade(owner);
    spawn(name, async move {
        let mut every = interval(period);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let Some(owner) = owner.upgrade() else { return };
            work(owner).await;
        }
    })
}

/// As [`spawn`], for a thread: what it does from its start to its end.
pub(crate) fn run(name: &'static str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).map_err(forget).is_err() {
        end(name);
    }
}

fn forget(_: Box<dyn Any + Send>) -> Panicked {
    Panicked
}

fn end(name: &str) -> ! {
    tracing::error!(
        task = name,
        "a task has panicked that this node cannot do without: the process ends"
    );
    std::process::exit(EXIT_CODE)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::sync::Semaphore;

    use super::*;

    const CHILD: &str = "LETHE_TEST_PANICS";

    /// A process of its own: this test again, with the variable.
    fn exit_code(of: &str, name: &str) -> Option<i32> {
        let test = format!("supervise::tests::{name}");
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test])
            .env(CHILD, of)
            .output();
        ended.unwrap().status.code()
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            let _ = spawn("a task", async { panic!("of a test") }).await;
            return;
        }
        assert_eq!(exit_code("task", "a_task_that_panics_ends_the_process"), Some(EXIT_CODE));
    }

    #[test]
    fn a_thread_that_panics_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            let thread = std::thread::spawn(|| run("a thread", || panic!("of a test")));
            let _ = thread.join();
            return;
        }
        assert_eq!(exit_code("thread", "a_thread_that_panics_ends_the_process"), Some(EXIT_CODE));
    }

    #[tokio::test]
    async fn work_is_done_until_nobody_has_its_owner() {
        let owner = Arc::new(Semaphore::new(0));
        let task = spawn_every("a task", Duration::from_millis(1), &owner, |owner| async move {
            owner.add_permits(1);
        });
        owner.acquire_many(3).await.unwrap().forget();

        drop(owner);

        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_that_is_caught_ends_nothing() {
        assert_eq!(caught(async { panic!("of a test") }).await.map(|()| 1), Err(Panicked));
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
