//! Reads a command's output into its log, and seals the log.

use std::pin::pin;

use domain::run::LogSeal;
use infra::remote::Connection;
use infra::remote::task::{
    self, Chunk, End, Killed, Output, StopCause, TaskId, TaskState, Watch, Watched,
};
use infra::run_log::{Cut, Summary, Writer};
use tokio::time::{Instant, sleep_until};

use super::super::inputs::RunInputs;
use super::kill::kill;
use super::{Attempt, AttemptError};

/// Copies the output of a command into its log.
pub(super) struct OutputReader {
    id: TaskId,
    connection: Connection,
    watch: Option<Watch>,
    /// The watch brings the output, and not only the end.
    has_output: bool,
    /// The command does not run any more, or nobody watches it on this connection.
    is_over: bool,
    writer: Writer,
    /// Read, and not given to the writer.
    unwritten: Option<Chunk>,
    /// Up to which offsets the outputs are read.
    out: u64,
    err: u64,
    /// More than this is not kept of an output.
    bytes_max: u64,
}

/// What has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Output,
    /// The command does not run any more.
    Ended,
    /// That says nothing about the command.
    ConnectionLost,
}

impl OutputReader {
    /// Continues at the offset where the log ends.
    pub async fn begin(
        attempt: &Attempt,
        connection: Connection,
        inputs: &RunInputs,
    ) -> Result<Self, AttemptError> {
        let logs = &attempt.app.run_logs;
        let resume = logs.resume(&attempt.log).await?;
        let fence = i64::try_from(attempt.task.lease.fence).unwrap_or(i64::MAX);
        let bytes_max = u64::from(attempt.app.config.run_log_bytes_max);
        Ok(Self {
            id: attempt.id,
            connection,
            watch: None,
            has_output: false,
            is_over: false,
            writer: logs.writer(attempt.log, fence, &inputs.masks, bytes_max, &resume),
            unwritten: None,
            out: resume.out_offset,
            err: resume.err_offset,
            bytes_max,
        })
    }

    /// Reads the next output, or writes the lines that are due. Cancel safe.
    pub async fn next(&mut self) -> Result<Seen, AttemptError> {
        if self.unwritten.is_none() {
            self.watch().await?;
            let due = self.writer.due();
            let watched = tokio::select! {
                watched = next_of(&mut self.watch) => watched,
                () = until(due) => {
                    self.writer.flush().await?;
                    return Ok(Seen::Output);
                }
            };
            let seen = match watched {
                Watched::Chunk(chunk) => {
                    self.unwritten = Some(chunk);
                    Seen::Output
                }
                Watched::Ended => Seen::Ended,
                Watched::Lost => Seen::ConnectionLost,
            };
            if seen != Seen::Output {
                (self.watch, self.is_over) = (None, true);
                return Ok(seen);
            }
        }
        self.write().await?;
        Ok(Seen::Output)
    }

    /// Of a log that takes no more, only the end is watched for.
    async fn watch(&mut self) -> Result<(), AttemptError> {
        let wants_output = !self.writer.is_full();
        if self.is_over || (self.watch.is_some() && self.has_output == wants_output) {
            return Ok(());
        }
        if let Some(watch) = self.watch.take() {
            watch.close().await;
        }
        let offsets = wants_output.then_some((self.out, self.err));
        self.watch = Some(task::watch(&self.connection, &self.id, offsets).await?);
        self.has_output = wants_output;
        Ok(())
    }

    /// The command runs after all.
    pub const fn watch_on(&mut self) {
        self.is_over = false;
    }

    /// Bytes that were written before are written once.
    async fn write(&mut self) -> Result<(), AttemptError> {
        let Some(Chunk { output, offset, bytes }) = &self.unwritten else { return Ok(()) };
        let until = offset + bytes.len() as u64;
        match output {
            Output::Out => {
                self.writer.out(*offset, bytes).await?;
                self.out = until;
            }
            Output::Err => {
                self.writer.err(*offset, bytes).await?;
                self.err = until;
            }
        }
        self.unwritten = None;
        Ok(())
    }

    /// Reads until the other future is done, also where no output comes any more.
    pub async fn while_reading<T>(
        &mut self,
        other: impl Future<Output = T>,
    ) -> Result<T, AttemptError> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                done = &mut other => return Ok(done),
                seen = self.next() => match seen {
                    Ok(Seen::Output | Seen::Ended | Seen::ConnectionLost) => {}
                    Err(AttemptError::Server(_)) => (self.watch, self.is_over) = (None, true),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Kills the command on this connection: the watch gives its channel to it.
    pub async fn kill(&mut self, cause: StopCause) -> Result<Killed, AttemptError> {
        if let Some(watch) = self.watch.take() {
            watch.close().await;
        }
        kill(&self.connection, &self.id, cause).await
    }

    /// The state of the command, by another connection where this one is lost.
    pub async fn probe(&mut self, attempt: &Attempt) -> Result<TaskState, AttemptError> {
        if !self.connection.is_live() {
            self.watch = None;
            self.connection = attempt.connect().await?.connection;
        }
        // A server may allow one channel at a time.
        if let Some(watch) = self.watch.take() {
            watch.close().await;
        }
        Ok(task::probe(&self.connection, &self.id).await?)
    }

    /// Reads what has not come, up to where the outputs ended. `false`: that is not known, or the files have been changed.
    /// Where they have been cut, the end of the log says so.
    pub async fn read_rest(&mut self, state: TaskState) -> Result<bool, AttemptError> {
        self.write().await?;
        let TaskState::Ended(End { out_bytes, err_bytes, written, .. }) = state else {
            if state != TaskState::Missing && !self.writer.is_full() {
                let (out, err) = (self.out, self.err);
                self.read(Output::Out, out.saturating_add(self.bytes_max)).await?;
                self.read(Output::Err, err.saturating_add(self.bytes_max)).await?;
            }
            return Ok(false);
        };
        let is_out_whole = self.read(Output::Out, out_bytes).await?;
        let is_err_whole = self.read(Output::Err, err_bytes).await?;
        let kept_out = if is_out_whole { out_bytes } else { self.out };
        let kept_err = if is_err_whole { err_bytes } else { self.err };
        let [out, err] = written.unwrap_or([out_bytes, err_bytes]);
        self.writer.note_cuts(cut(kept_out, out), cut(kept_err, err));
        let is_uncut = written.is_none_or(|written| written == [out_bytes, err_bytes]);
        Ok(is_out_whole && is_err_whole && is_uncut)
    }

    /// Reads an output up to this byte. `false`: it ends before.
    async fn read(&mut self, output: Output, to: u64) -> Result<bool, AttemptError> {
        let from = match output {
            Output::Out => self.out,
            Output::Err => self.err,
        };
        if self.writer.is_full() {
            match output {
                Output::Out => self.writer.skip_to(to, 0),
                Output::Err => self.writer.skip_to(0, to),
            }
            return Ok(true);
        }
        let mut rest = task::rest(&self.connection, &self.id, output, from, to).await?;
        while let Some(chunk) = rest.next().await? {
            self.unwritten = Some(chunk);
            self.write().await?;
            if self.writer.is_full() {
                break;
            }
        }
        Ok(rest.is_whole() || self.writer.is_full())
    }

    /// Stops without ending the log: more output may follow.
    pub async fn pause(mut self) -> Result<Connection, AttemptError> {
        self.writer.pause().await?;
        Ok(self.connection)
    }

    /// Stores the end of the log, which is to be sealed: [`Attempt::finished_log`]. Gives the connection back.
    pub async fn finish(mut self) -> Result<(Writer, Connection), AttemptError> {
        self.writer.finish().await?;
        Ok((self.writer, self.connection))
    }
}

/// `None`: the server has kept all that was written.
fn cut(kept: u64, written: u64) -> Option<Cut> {
    (kept < written).then_some(Cut { kept, written })
}

async fn next_of(watch: &mut Option<Watch>) -> Watched {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        // A timer takes a millisecond also where its time is over.
        Some(due) if due <= Instant::now() => {}
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Attempt {
    /// Reads the rest of the output of a command whose end is unknown, and seals its log.
    pub(super) async fn rest_of_log(
        &self,
        connection: Connection,
        inputs: &RunInputs,
        state: TaskState,
    ) -> Result<(LogSeal, Connection), AttemptError> {
        let mut reader = OutputReader::begin(self, connection, inputs).await?;
        match reader.read_rest(state).await {
            Ok(_) | Err(AttemptError::Server(_)) => {}
            Err(error) => return Err(error),
        }
        let connection = reader.pause().await?;
        Ok((self.stored_log().await?, connection))
    }

    /// Seals the log as far as it is stored, as truncated.
    pub(super) async fn stored_log(&self) -> Result<LogSeal, AttemptError> {
        Ok(LogSeal { truncated: true, ..self.sealed_log().await? })
    }

    pub(super) async fn sealed_log(&self) -> Result<LogSeal, AttemptError> {
        Ok(self.counted(self.app.run_logs.seal(&self.log).await?))
    }

    /// As [`Self::sealed_log`]. A log that this attempt has written from its beginning is not read back.
    pub(super) async fn finished_log(&self, writer: Writer) -> Result<LogSeal, AttemptError> {
        Ok(self.counted(writer.seal().await?))
    }

    fn counted(&self, summary: Summary) -> LogSeal {
        self.app.metrics.run_log_bytes.inc_by(summary.bytes);
        summary.into()
    }
}
