mod bytes;
mod encoders;
mod escape_sequences;
mod following;
mod keeping;
mod lines;
mod mask;
mod over;
mod quota;
mod resuming;
mod sealing;
mod shared_masks;
mod writing;

use domain::{RunId, ServerId, WorkspaceId};
use prometheus::IntCounter;
use tempfile::TempDir;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::*;
use crate::ids::Ids;
use crate::keyring::{Keyring, KeyringOptions, RootFolder};
use crate::postgres::{ConnectOptions, connect, connect_one};
use test_support::{Databases, databases, until_waits_for_lock};

const BYTES_MAX: u64 = 64 * 1024 * 1024;
const DAY_BYTES_MAX: u64 = 1 << 40;

struct Harness {
    databases: Databases,
    roots: TempDir,
    clock: Clock,
    pool: Pool,
    ids: Ids,
    keyring: Keyring,
    logs: RunLogs,
}

async fn given() -> Harness {
    let databases = databases().await.unwrap();
    let roots = tempfile::tempdir().unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
    let keyring = keyring(&databases, &roots, &clock).await;
    let logs = logs(&pool, &keyring, &clock);
    Harness { databases, roots, clock, pool, ids: Ids::seeded(5), keyring, logs }
}

async fn keyring(databases: &Databases, roots: &TempDir, clock: &Clock) -> Keyring {
    let pool = connect(&databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let roots = RootFolder::open(roots.path(), None).unwrap();
    Keyring::start(pool, Arc::new(roots), KeyringOptions::default(), clock.clone()).await.unwrap()
}

fn logs(pool: &Pool, keyring: &Keyring, clock: &Clock) -> RunLogs {
    let reached = IntCounter::new("reached", "Reached.").unwrap();
    let limit = DayLimit { node: Uuid::from_u128(1), bytes: DAY_BYTES_MAX, reached };
    limited(pool, keyring, clock, limit)
}

fn limited(pool: &Pool, keyring: &Keyring, clock: &Clock, limit: DayLimit) -> RunLogs {
    let sealer = keyring.sealer.clone();
    RunLogs::new(pool.clone(), sealer, keyring.content_days, limit, clock.clone())
}

impl Harness {
    /// Another node: its keys and its wakes are its own.
    async fn node(&self) -> RunLogs {
        let keyring = keyring(&self.databases, &self.roots, &self.clock).await;
        logs(&self.pool, &keyring, &self.clock)
    }

    async fn sql(&self, text: &str, with: &[&(dyn ToSql + Sync)]) -> u64 {
        self.pool.get().await.unwrap().execute(text, with).await.unwrap()
    }

    /// As the owner of the tables: the application may not change a chunk.
    async fn as_owner(&self, text: &str) {
        let owner = connect_one(&self.databases.log_url, &ConnectOptions::default()).await.unwrap();
        owner.batch_execute(text).await.unwrap();
    }

    async fn count(&self, text: &str) -> i64 {
        self.pool.get().await.unwrap().query_one(text, &[]).await.unwrap().get(0)
    }

    /// A task that a node holds under fence 1.
    async fn task(&self) -> LogKey {
        let task = LogKey {
            workspace: WorkspaceId(self.ids.uuid()),
            run: RunId(self.ids.uuid()),
            server: ServerId(self.ids.uuid()),
            attempt: 1,
        };
        let insert = "insert into working.run_tasks
            (run_id, server_id, attempt, workspace_id, state, fence, queued_at)
            values ($1, $2, 1, $3, 'running', 1, now())";
        self.sql(insert, &[&task.run.0, &task.server.0, &task.workspace.0]).await;
        task
    }

    /// Another node takes the task.
    async fn fence(&self, task: &LogKey, fence: i64) {
        let update = "update working.run_tasks set fence = $2 where run_id = $1";
        assert_eq!(self.sql(update, &[&task.run.0, &fence]).await, 1);
    }

    async fn writer(&self, task: &LogKey) -> Writer {
        let resume = self.logs.resume(task).await.unwrap();
        self.logs.writer(*task, 1, &Masks::default(), BYTES_MAX, &resume)
    }

    /// A log of so many lines, in chunks of three.
    async fn log(&self, task: &LogKey, lines: u64) -> Vec<String> {
        let mut writer = self.writer(task).await;
        let (mut texts, mut offset) = (Vec::new(), 0);
        for number in 1..=lines {
            let text = format!("line {number} of the log\n");
            writer.out(offset, text.as_bytes()).await.unwrap();
            offset += text.len() as u64;
            texts.push(text);
            if number % 3 == 0 {
                writer.flush().await.unwrap();
            }
        }
        writer.finish().await.unwrap();
        texts
    }
}

async fn all(logs: &RunLogs, task: &LogKey) -> Vec<LogLine> {
    all_of(logs, task, LogPart::All).await
}

async fn all_of(logs: &RunLogs, task: &LogKey, part: LogPart) -> Vec<LogLine> {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let page = logs.read(task, part, after, 1_000).await.unwrap();
        lines.extend(page.lines);
        next = page.next;
    }
    lines
}

fn of(lines: &[LogLine], stream: Stream) -> Vec<u8> {
    let own = lines.iter().filter(|line| line.stream == stream);
    own.flat_map(|line| line.bytes.clone()).collect()
}

/// The same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// The text in pieces, some of them of one byte.
    fn split<'a>(&mut self, text: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = *self.one_of(&[1, 2, 7, 40, 400]);
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
