//! What a server is like for runs, asked before one is started there or after one could not be.

use super::super::{Connection, Limits, RemoteError};
use super::answer::{Answer, Preflight};
use super::script::Script;
use super::{ANSWER_BYTES_MAX, ANSWER_WITHIN};

/// Looks at what a server is like for runs, in one command of about half a second. It leaves the
/// empty folder `.lethe/runs` in the home. `sudo -n true` is among what it tries, of which a server may
/// keep a record: do not ask before each run.
///
/// Where [`super::start`] has failed with [`super::TaskError::Unsupported`] or
/// [`super::TaskError::Answer`], [`Preflight::blocker`] names the cause. It names none where the server
/// is fit by now. A login that runs another command, or none, is one whose `Shell` is not so.
///
/// # Errors
/// As [`Connection::exec`]: the connection was lost, or the server let no command begin.
pub async fn preflight(connection: &Connection) -> Result<Preflight, RemoteError> {
    let script = Script::preflight();
    let limits = Limits { within: ANSWER_WITHIN, bytes_max: ANSWER_BYTES_MAX };
    let done = connection.exec(&script.command, &script.stdin, limits).await?;
    let answer = Answer::of(&done.out).and_then(|answer| answer.preflight());
    Ok(answer.unwrap_or_else(|_| Preflight::without_answer()))
}
