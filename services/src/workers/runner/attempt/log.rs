//! What is read of a command's output, and what is left of it at the end.

use std::time::{Duration, Instant};

use domain::run::{Digest, LogSeal, StreamSeal};
use infra::remote::Connection;
use infra::remote::task::{self, Chunk, Output, Tail, TaskState};
use infra::run_log::{StreamSummary, Summary, Writer};

use super::super::given::Given;
use super::{Attempt, Halt};

/// What nothing more is said for so long has said all.
const QUIET: Duration = Duration::from_secs(1);
/// What a command has left running may write on for ever: no more of it is read.
const NOISE: Duration = Duration::from_secs(20);

/// The output of a command on its way into its log.
pub(super) struct Reading {
    tail: Tail,
    writer: Writer,
    out: u64,
    err: u64,
}

impl Reading {
    /// Goes on where the log ends.
    pub async fn begin(
        attempt: &Attempt,
        connection: &Connection,
        given: &Given,
    ) -> Result<Self, Halt> {
        let logs = &attempt.app.run_logs;
        let resume = logs.resume(&attempt.log).await?;
        let fence = i64::try_from(attempt.task.lease.fence).unwrap_or(i64::MAX);
        let bytes_max = u64::from(attempt.app.config.run_log_bytes_max);
        let writer = logs.writer(attempt.log, fence, &given.masks, bytes_max, &resume);
        let (out, err) = (resume.out_offset, resume.err_offset);
        let tail = task::tail(connection, &attempt.id, out, err).await?;
        Ok(Self { tail, writer, out, err })
    }

    /// What came next, and what is due. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<(), Halt> {
        let due = self.writer.due();
        let flush = async {
            match due {
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

    /// As long as something comes, but not for ever.
    pub async fn until_quiet(&mut self) -> Result<(), Halt> {
        let since = Instant::now();
        while since.elapsed() < NOISE {
            match tokio::time::timeout(QUIET, self.next()).await {
                Ok(Ok(())) => {}
                Ok(Err(halt)) => return Err(halt),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether more will come is not known.
    async fn pause(mut self) -> Result<(), Halt> {
        Ok(self.writer.pause().await?)
    }

    pub async fn finish(mut self) -> Result<(), Halt> {
        Ok(self.writer.finish().await?)
    }
}

impl Attempt {
    /// Reads what there is of a command that nobody knows the end of, and seals its log.
    pub(super) async fn rest_of_log(
        &self,
        connection: &Connection,
        given: &Given,
        found: TaskState,
    ) -> Result<LogSeal, Halt> {
        if found != TaskState::Missing {
            match Reading::begin(self, connection, given).await {
                Ok(mut reading) => {
                    let read = reading.until_quiet().await;
                    reading.pause().await?;
                    if matches!(read, Err(Halt::Gone | Halt::Erased | Halt::Ours(_))) {
                        read?;
                    }
                }
                Err(Halt::Server(_)) => {}
                Err(halt) => return Err(halt),
            }
        }
        self.stored_log().await
    }

    /// The log as it is kept; its end was not read.
    pub(super) async fn stored_log(&self) -> Result<LogSeal, Halt> {
        Ok(LogSeal { truncated: true, ..self.sealed_log().await? })
    }

    pub(super) async fn sealed_log(&self) -> Result<LogSeal, Halt> {
        let summary = self.app.run_logs.seal(&self.log).await?;
        self.app.metrics.run_log_bytes.inc_by(summary.bytes);
        Ok(seal(&summary))
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
