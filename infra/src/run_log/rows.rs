//! Chunks as rows of `PostgreSQL`.

use chrono::{DateTime, NaiveDate, Utc};
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
const FIRST: &str = include_str!("first.sql");
const NEWEST: &str = include_str!("newest.sql");
const READ_LINES: &str = include_str!("read_lines.sql");
const READ_CHUNKS: &str = include_str!("read_chunks.sql");
const READ_COUNTS: &str = include_str!("read_counts.sql");
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
/// Chunks whose counts are read at once.
const PAGE_COUNTS: i64 = 4096;

type Values<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];

/// Which lines are read, or counted by a byte range.
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
    /// After this line, of the chunks of the day `since` and later that have one of these lines.
    Line { part: LogPart, after: u64, since: NaiveDate },
    /// After this chunk; `None`: from the first.
    Chunk(Option<u64>),
    /// A range of bytes, the end excluded, of the chunks of the day `since` and later.
    Byte { part: LogPart, from: u64, until: u64, since: NaiveDate },
}

/// Chunks in order.
#[derive(Debug)]
pub(super) struct ChunkPage {
    pub rows: Vec<Sealed>,
    /// None follows them.
    pub is_last: bool,
}

/// The numbers of chunks in order, and the counts before and after each.
#[derive(Debug)]
pub(super) struct CountsPage {
    pub rows: Vec<(u64, Kept, Kept)>,
    /// None follows them.
    pub is_last: bool,
}

/// Where what is stored of a log begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstChunk {
    pub seq: u64,
    /// The counts before it.
    pub before: Kept,
    pub at: DateTime<Utc>,
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

/// The first chunk that was stored on the day `since` or later.
pub(super) async fn first(
    pool: &Pool,
    task: &LogKey,
    since: NaiveDate,
) -> Result<Option<FirstChunk>, RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    let row = query_opt(pool, FIRST, &[&run, &server, &attempt, &workspace, &since]).await?;
    let Some(row) = row else { return Ok(None) };
    let (seq, before, _) = kept(&row)?;
    Ok(Some(FirstChunk { seq, before, at: column(&row, "at")? }))
}

/// The next chunks; none at the end.
pub(super) async fn read(
    pool: &Pool,
    task: &LogKey,
    from: ReadFrom,
) -> Result<ChunkPage, RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    let rows = match from {
        ReadFrom::Line { part, after, since } => {
            let (after, part) = (signed(after)?, part_name(part));
            let values: Values<'_, 9> = [
                &run,
                &server,
                &attempt,
                &workspace,
                &after,
                &PAGE_CHUNKS,
                &PAGE_BYTES,
                &part,
                &since,
            ];
            query(pool, READ_LINES, &values).await?
        }
        ReadFrom::Chunk(seq) => {
            let seq = seq.map_or(Ok(-1), signed)?;
            let values: Values<'_, 7> =
                [&run, &server, &attempt, &workspace, &seq, &PAGE_CHUNKS, &PAGE_BYTES];
            query(pool, READ_CHUNKS, &values).await?
        }
        ReadFrom::Byte { part, from, until, since } => {
            let (from, until) = (signed(from)?, signed(until)?);
            let values: Values<'_, 9> = [
                &run,
                &server,
                &attempt,
                &workspace,
                &from,
                &PAGE_CHUNKS,
                &PAGE_BYTES,
                &until,
                &since,
            ];
            query(pool, read_bytes(part), &values).await?
        }
    };
    let rows: Vec<Sealed> = rows.iter().map(sealed).collect::<Result<_, _>>()?;
    let bytes: u64 = rows.iter().map(|row| row.after.bytes - row.before.bytes).sum();
    let chunks = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let is_last = chunks < PAGE_CHUNKS && signed(bytes)? < PAGE_BYTES;
    Ok(ChunkPage { rows, is_last })
}

/// The counts of the chunks after this one, which stay closed; `None`: from the first.
pub(super) async fn counts(
    pool: &Pool,
    task: &LogKey,
    after: Option<u64>,
) -> Result<CountsPage, RunLogError> {
    let (run, server, attempt, workspace) = key(task)?;
    let after = after.map_or(Ok(-1), signed)?;
    let values: Values<'_, 6> = [&run, &server, &attempt, &workspace, &after, &PAGE_COUNTS];
    let rows = query(pool, READ_COUNTS, &values).await?;
    let rows: Vec<_> = rows.iter().map(kept).collect::<Result<_, _>>()?;
    let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < PAGE_COUNTS);
    Ok(CountsPage { rows, is_last })
}

const fn part_name(part: LogPart) -> &'static str {
    match part {
        LogPart::Out => "out",
        LogPart::Err => "err",
        LogPart::All => "all",
    }
}

const fn read_bytes(part: LogPart) -> &'static str {
    match part {
        LogPart::Out => READ_OUT,
        LogPart::Err => READ_ERR,
        LogPart::All => READ_ALL,
    }
}

/// Of each log the newest line that was stored on the day `since` or later, and the newest version of its
/// run; 0 where there is none.
pub(super) async fn newest(
    pool: &Pool,
    tasks: &[LogKey],
    since: NaiveDate,
) -> Result<Vec<(u64, i64)>, RunLogError> {
    let keys = tasks.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<Uuid> = keys.iter().map(|(run, ..)| *run).collect();
    let servers: Vec<Uuid> = keys.iter().map(|(_, server, ..)| *server).collect();
    let attempts: Vec<i32> = keys.iter().map(|(_, _, attempt, _)| *attempt).collect();
    let rows = query(pool, NEWEST, &[&runs, &servers, &attempts, &since]).await?;
    rows.iter().map(|row| Ok((count(row, "last_line")?, column(row, "version")?))).collect()
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
