//! Chunks as rows of `PostgreSQL`.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::RunLogError;
use super::chunk::{Kept, LogKey};
use super::lines::Place;
use crate::postgres::Pool;
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const WRITE: &str = include_str!("write.sql");
const WRITTEN: &str = "select from working.run_log_chunks \
    where run_id = $1 and server_id = $2 and attempt = $3 \
    and seq = $4 and day = $5 and sealed = $6";
const LAST: &str = include_str!("last.sql");
const READ_LINES: &str = include_str!("read_lines.sql");
const READ_CHUNKS: &str = include_str!("read_chunks.sql");
const READ_OUT: &str = include_str!("read_out.sql");
const READ_ERR: &str = include_str!("read_err.sql");
const READ_ALL: &str = include_str!("read_all.sql");
const DELETE: &str = "delete from working.run_log_chunks \
    where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.run_log_chunks",
    delete: DeleteRows::InBatches(include_str!("delete_of_workspace.sql")),
};

/// The size of one read: a number of chunks, or the chunks that begin within a number of bytes.
const PAGE_CHUNKS: i64 = 64;
const PAGE_BYTES: i64 = 512 * 1024;

/// Which lines a byte range counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogPart {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Every line in order, Lethe's own included.
    All,
}

/// A sealed chunk.
#[derive(Debug)]
pub(super) struct Sealed {
    pub seq: u64,
    pub before: Kept,
    pub after: Kept,
    pub at: DateTime<Utc>,
    pub envelope: Vec<u8>,
}

/// From where a log is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadFrom {
    /// After this line.
    Line(u64),
    /// After this chunk; `None`: from the first.
    Chunk(Option<u64>),
    /// A range of bytes, the end excluded.
    Byte(LogPart, u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// Another node has the task, or has written this chunk.
    Fenced,
}

pub(super) async fn write(
    pool: &Pool,
    task: &LogKey,
    fence: i64,
    chunk: &Sealed,
) -> Result<Written, RunLogError> {
    let Sealed { seq, before, after, at, envelope } = chunk;
    let (run, server, attempt, workspace) = key(task)?;
    let (seq, day) = (signed(*seq)?, at.date_naive());
    let (first, last) = (signed(before.lines + 1)?, signed(after.lines)?);
    let length = |before: u64, after: u64| {
        i32::try_from(after.saturating_sub(before)).map_err(|_| RunLogError::Number)
    };
    let out = length(before.out_bytes, after.out_bytes)?;
    let err = length(before.err_bytes, after.err_bytes)?;
    let all = length(before.bytes, after.bytes)?;
    let (out_end, err_end) = (signed(after.out_bytes)?, signed(after.err_bytes)?);
    let all_end = signed(after.bytes)?;
    let (out_offset, out_skip) = (signed(after.out.raw)?, signed(after.out.skip)?);
    let (err_offset, err_skip) = (signed(after.err.raw)?, signed(after.err.skip)?);
    let values: [&(dyn ToSql + Sync); 22] = [
        &run,
        &server,
        &attempt,
        &workspace,
        &fence,
        &seq,
        &day,
        at,
        &first,
        &last,
        &out,
        &err,
        &all,
        &out_end,
        &err_end,
        &all_end,
        &out_offset,
        &err_offset,
        &out_skip,
        &err_skip,
        &after.truncated,
        envelope,
    ];
    let row = query_opt(pool, WRITE, &values).await?.ok_or(RunLogError::Fenced)?;
    if !column::<bool>(&row, "held")? {
        return Ok(Written::Fenced);
    }
    if column(&row, "written")? {
        return Ok(Written::Done);
    }
    // The chunk may be there: the answer to an earlier write may have been lost.
    let again: [&(dyn ToSql + Sync); 6] = [&run, &server, &attempt, &seq, &day, envelope];
    let known = query_opt(pool, WRITTEN, &again).await?;
    Ok(if known.is_some() { Written::Done } else { Written::Fenced })
}

/// The number of the next chunk, and the counts before it.
pub(super) async fn last(pool: &Pool, task: &LogKey) -> Result<(u64, Kept), RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    let row = query_opt(pool, LAST, &[&run, &server, &attempt, &workspace]).await?;
    let Some(row) = row else { return Ok((0, Kept::default())) };
    let (seq, _, after) = kept(&row)?;
    Ok((seq + 1, after))
}

/// The next chunks in order; empty at the end.
pub(super) async fn read(
    pool: &Pool,
    task: &LogKey,
    from: ReadFrom,
) -> Result<Vec<Sealed>, RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    let (sql, after, until) = match from {
        ReadFrom::Line(line) => (READ_LINES, signed(line)?, None),
        ReadFrom::Chunk(seq) => (READ_CHUNKS, seq.map_or(Ok(-1), signed)?, None),
        ReadFrom::Byte(LogPart::Out, from, until) => {
            (READ_OUT, signed(from)?, Some(signed(until)?))
        }
        ReadFrom::Byte(LogPart::Err, from, until) => {
            (READ_ERR, signed(from)?, Some(signed(until)?))
        }
        ReadFrom::Byte(LogPart::All, from, until) => {
            (READ_ALL, signed(from)?, Some(signed(until)?))
        }
    };
    let mut values: Vec<&(dyn ToSql + Sync)> =
        vec![&run, &server, &attempt, &workspace, &after, &PAGE_CHUNKS, &PAGE_BYTES];
    if let Some(until) = &until {
        values.push(until);
    }
    query(pool, sql, &values).await?.iter().map(sealed).collect()
}

pub(super) async fn delete(pool: &Pool, task: &LogKey) -> Result<u64, RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    Ok(execute(pool, DELETE, &[&run, &server, &attempt, &workspace]).await?)
}

fn key(task: &LogKey) -> Result<(Uuid, Uuid, i32, Uuid), RunLogError> {
    let attempt = i32::try_from(task.attempt).map_err(|_| RunLogError::Number)?;
    Ok((task.run.0, task.server.0, attempt, task.workspace.0))
}

fn sealed(row: &Row) -> Result<Sealed, RunLogError> {
    let (seq, before, after) = kept(row)?;
    Ok(Sealed { seq, before, after, at: column(row, "at")?, envelope: column(row, "sealed")? })
}

/// The number of a row's chunk, and the counts before and after it. The row does not hold where the
/// streams continue before it.
fn kept(row: &Row) -> Result<(u64, Kept, Kept), RunLogError> {
    let after = Kept {
        lines: count(row, "last_line")?,
        out_bytes: count(row, "out_end")?,
        err_bytes: count(row, "err_end")?,
        bytes: count(row, "all_end")?,
        out: Place { raw: count(row, "out_offset")?, skip: count(row, "out_skip")? },
        err: Place { raw: count(row, "err_offset")?, skip: count(row, "err_skip")? },
        truncated: column(row, "truncated")?,
    };
    let start = |end: u64, of: &str| {
        let length = u64::try_from(column::<i32>(row, of)?).map_err(|_| RunLogError::Number)?;
        end.checked_sub(length).ok_or(RunLogError::Number)
    };
    let before = Kept {
        lines: count(row, "first_line")?.checked_sub(1).ok_or(RunLogError::Number)?,
        out_bytes: start(after.out_bytes, "out_bytes")?,
        err_bytes: start(after.err_bytes, "err_bytes")?,
        bytes: start(after.bytes, "all_bytes")?,
        ..Kept::default()
    };
    Ok((count(row, "seq")?, before, after))
}

fn count(row: &Row, name: &str) -> Result<u64, RunLogError> {
    u64::try_from(column::<i64>(row, name)?).map_err(|_| RunLogError::Number)
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    name: &str,
) -> Result<T, RunLogError> {
    row.try_get(name).map_err(|error| RunLogError::Database(error.into()))
}

fn signed(number: u64) -> Result<i64, RunLogError> {
    i64::try_from(number).map_err(|_| RunLogError::Number)
}
