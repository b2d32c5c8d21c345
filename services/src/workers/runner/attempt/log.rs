//! Reads a command's output into its log, and seals the log.

use std::time::{Duration, Instant};

use domain::run::{Digest, LogSeal, StreamSeal};
use infra::remote::Connection;
use infra::remote::task::{self, Chunk, Output, Tail, TaskState};
use infra::run_log::{StreamSummary, Summary, Writer};

use super::super::inputs::RunInputs;
use super::{Attempt, AttemptError};

/// Output that pauses for this long counts as ended.
const QUIET: Duration = Duration::from_secs(1);
/// Background processes of a command may write for ever: reading stops after this time.
const READ_TIME_MAX: Duration = Duration::from_secs(20);

/// Copies the output of a command into its log.
pub(super) struct OutputReader {
    tail: Tail,
    writer: Writer,
    out: u64,
    err: u64,
}

impl OutputReader {
    /// Continues at the offset where the log ends.
    pub async fn begin(
        attempt: &Attempt,
        connection: &Connection,
        inputs: &RunInputs,
    ) -> Result<Self, AttemptError> {
        let logs = &attempt.app.run_logs;
        let resume = logs.resume(&attempt.log).await?;
        let fence = i64::try_from(attempt.task.lease.fence).unwrap_or(i64::MAX);
        let bytes_max = u64::from(attempt.app.config.run_log_bytes_max);
        let writer = logs.writer(attempt.log, fence, &inputs.masks, bytes_max, &resume);
        let (out, err) = (resume.out_offset, resume.err_offset);
        let tail = task::tail(connection, &attempt.id, out, err).await?;
        Ok(Self { tail, writer, out, err })
    }

    /// Reads the next output, or writes the lines that are due. Cancel safe.
    pub async fn next(&mut self) -> Result<(), AttemptError> {
        let due = self.writer.due();
        let flush = async {
            match due {
                // A timer takes a millisecond also where its time is over.
                Some(due) if due <= tokio::time::Instant::now() => {}
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let chunk = tokio::select! {
            chunk = self.tail.next() => chunk?,
            () = flush => return Ok(self.writer.flush().await?),
        };
        let Chunk { output, offset, bytes } = chunk;
        let until = offset + bytes.len() as u64;
        match output {
            Output::Out => {
                self.out = until;
                self.writer.out(offset, &bytes).await?;
            }
            Output::Err => {
                self.err = until;
                self.writer.err(offset, &bytes).await?;
            }
        }
        Ok(())
    }

    pub const fn has(&self, out_bytes: u64, err_bytes: u64) -> bool {
        self.out >= out_bytes && self.err >= err_bytes
    }

    /// Reads until the output pauses, at most [`READ_TIME_MAX`].
    pub async fn until_quiet(&mut self) -> Result<(), AttemptError> {
        let since = Instant::now();
        while since.elapsed() < READ_TIME_MAX {
            match tokio::time::timeout(QUIET, self.next()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Stops without ending the log: more output may follow.
    async fn pause(mut self) -> Result<(), AttemptError> {
        Ok(self.writer.pause().await?)
    }

    /// Stores the end of the log. It is to be sealed: [`Attempt::finished_log`].
    pub async fn finish(mut self) -> Result<Writer, AttemptError> {
        self.writer.finish().await?;
        Ok(self.writer)
    }
}

impl Attempt {
    /// Reads the rest of the output of a command whose end is unknown, and seals its log.
    pub(super) async fn rest_of_log(
        &self,
        connection: &Connection,
        inputs: &RunInputs,
        state: TaskState,
    ) -> Result<LogSeal, AttemptError> {
        if state != TaskState::Missing {
            match OutputReader::begin(self, connection, inputs).await {
                Ok(mut reader) => {
                    let read = reader.until_quiet().await;
                    reader.pause().await?;
                    if matches!(
                        read,
                        Err(AttemptError::LeaseLost
                            | AttemptError::Erased
                            | AttemptError::Internal(_))
                    ) {
                        read?;
                    }
                }
                Err(AttemptError::Server(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.stored_log().await
    }

    /// Seals the log as far as it is stored, as truncated.
    pub(super) async fn stored_log(&self) -> Result<LogSeal, AttemptError> {
        Ok(LogSeal { truncated: true, ..self.sealed_log().await? })
    }

    pub(super) async fn sealed_log(&self) -> Result<LogSeal, AttemptError> {
        Ok(self.counted(&self.app.run_logs.seal(&self.log).await?))
    }

    /// As [`Self::sealed_log`]. A log that this attempt has written from its beginning is not read back.
    pub(super) async fn finished_log(&self, writer: Writer) -> Result<LogSeal, AttemptError> {
        Ok(self.counted(&writer.seal().await?))
    }

    fn counted(&self, summary: &Summary) -> LogSeal {
        self.app.metrics.run_log_bytes.inc_by(summary.bytes);
        seal(summary)
    }
}

const fn seal(summary: &Summary) -> LogSeal {
    let Summary { out, err, lines, bytes, truncated } = *summary;
    LogSeal { out: stream(out), err: stream(err), lines, bytes, truncated }
}

const fn stream(summary: StreamSummary) -> StreamSeal {
    let StreamSummary { lines, bytes, sha256, .. } = summary;
    StreamSeal { lines, bytes, sha256: Digest(sha256) }
}
