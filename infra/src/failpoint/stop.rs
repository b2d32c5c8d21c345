//! Which failpoint is set, how often each was reached, and the end of the process.

use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::Failpoint;

const SETTING: &str = "LETHE_FAILPOINT";
/// A file. At the failpoint the thread waits until it is there: meanwhile others go on.
const HOLD_UNTIL: &str = "LETHE_FAILPOINT_HOLD_UNTIL";
const LOOK_EVERY: Duration = Duration::from_millis(5);

static SET: OnceLock<Set> = OnceLock::new();
static REACHED: [AtomicU64; Failpoint::ALL.len()] =
    [const { AtomicU64::new(0) }; Failpoint::ALL.len()];

struct Set {
    point: Failpoint,
    /// The process stops when the failpoint is reached for this time.
    time: u64,
}

/// Reads `LETHE_FAILPOINT`, which is `name` or `name:n` to stop at the n-th time. Without it nothing
/// stops.
///
/// # Errors
/// There is no such failpoint: the text has the list of all names.
pub fn read_setting() -> Result<(), String> {
    let Ok(text) = std::env::var(SETTING) else { return Ok(()) };
    let set = parse(&text)?;
    SET.set(set).map_err(|_| format!("{SETTING} was read already"))
}

fn parse(text: &str) -> Result<Set, String> {
    let (name, time) = text.split_once(':').unwrap_or((text, "1"));
    let Some(point) = Failpoint::ALL.iter().find(|point| point.as_str() == name) else {
        let names: Vec<_> = Failpoint::ALL.iter().map(|point| point.as_str()).collect();
        return Err(format!("{SETTING}: there is no failpoint {name}: {}", names.join(", ")));
    };
    let time = time.parse().ok().filter(|time| *time > 0);
    let time = time.ok_or_else(|| format!("{SETTING}: after {name}: give a number from 1"))?;
    Ok(Set { point: *point, time })
}

/// Counts, and stops the process if it is to stop here.
pub fn reached(point: Failpoint) {
    let Some(count) = REACHED.get(point as usize) else { return };
    let time = count.fetch_add(1, Ordering::SeqCst) + 1;
    if SET.get().is_some_and(|set| set.point == point && set.time == time) {
        stop(point, time);
    }
}

/// The step is reached once `future` waits, and every task that it has woken has run.
pub async fn reached_during<F: Future>(point: Failpoint, future: F) -> F::Output {
    let mut future = pin!(future);
    // Twice: the first pass hands the request over, the second lets the connection write it.
    for _ in 0..2 {
        tokio::select! {
            biased;
            output = &mut future => return output,
            () = tokio::task::yield_now() => {}
        }
    }
    reached(point);
    future.await
}

/// SIGKILL to itself, once the file of the setting is there: unlike an abort it runs no handler and leaves no core, as `kill -9` and the
/// kernel's out-of-memory killer do. The signal is delivered before the call returns.
fn stop(point: Failpoint, time: u64) -> ! {
    let mut line = format!("failpoint {} reached, time {time}; of all:", point.as_str());
    for (point, count) in Failpoint::ALL.iter().zip(&REACHED) {
        let count = count.load(Ordering::SeqCst);
        if count > 0 {
            let _ = write!(line, " {}={count}", point.as_str());
        }
    }
    let _ = writeln!(std::io::stderr(), "{line}");
    if let Some(file) = std::env::var_os(HOLD_UNTIL) {
        while !Path::new(&file).exists() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
