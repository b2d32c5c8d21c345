//! Random secrets, as the encoders that commands use write them, split anywhere: none is stored, and
//! all else is. 300 secrets; 20,000 with `LETHE_LONG=1`.

mod decoders;
mod encoders;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use decoders::{DECODERS, rot13};
use domain::{RunId, RunSecretsId, ServerId, WorkspaceId};
use encoders::encoded;
use infra::clock::Clock;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, Pool, connect};
use infra::residue::{Canaries, Report};
use infra::run_log::{DayLimit, LogKey, LogPart, RunLogs};
use test_support::{Databases, databases};
use uuid::Uuid;

/// Of one run.
const SECRETS: usize = 25;
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn text(&mut self, of: &[char], bytes: usize) -> String {
        (0..bytes).map(|_| self.one_of(of)).collect()
    }

    /// Letters of a password, words, letters of the world, or what encoders have to escape.
    fn secret(&mut self) -> String {
        let printable: Vec<char> = ('!'..='~').collect();
        let length = 12 + self.below(36);
        match self.below(4) {
            0 => self.text(&printable, length),
            1 => {
                let count = 3 + self.below(10);
                let words = (0..count).map(|_| {
                    let length = 4 + self.below(10);
                    self.text(&printable, length)
                });
                words.collect::<Vec<_>>().join(" ")
            }
            2 => self.text(&['a', 'Z', '7', '-', 'é', 'ß', '€', '漢', '😀'], length),
            _ => self.text(
                &['$', '\'', '"', '\\', '&', '<', '>', '`', '!', '~', ':', '=', '/', 'a', 'b'],
                length,
            ),
        }
    }

    /// A line that no secret is in, with colours.
    fn noise(&mut self) -> String {
        let letters: Vec<char> = ('a'..='z').chain('0'..='9').chain([' ', '.', '\'']).collect();
        let mut line = String::from("# ");
        for _ in 0..=self.below(4) {
            let length = self.below(30);
            line += &self.text(&letters, length);
            line += self.one_of(&["", "\u{1b}[01;31m\u{1b}[K", "\u{1b}[m", "\u{1b}(B", "\\"]);
        }
        line + "\n"
    }

    fn split<'a>(&mut self, text: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = self.one_of(&[1, 7, 40, 400, 4_000]);
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

struct Logs {
    _databases: Databases,
    _roots: tempfile::TempDir,
    pool: Pool,
    all: RunLogs,
}

impl Logs {
    async fn new() -> Self {
        let databases = databases().await.unwrap();
        let roots = tempfile::tempdir().unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        let keys = connect(&databases.keyring_url, &ConnectOptions::app()).await.unwrap();
        let folder = Arc::new(RootFolder::open(roots.path(), None).unwrap());
        let options = KeyringOptions::default();
        let keyring = Keyring::start(keys, folder, options, Clock::system()).await.unwrap();
        let (sealer, days) = (keyring.sealer.clone(), keyring.content_days);
        let reached = Metrics::new().unwrap().run_log_quota_reached;
        let limit = DayLimit { node: Uuid::from_u128(1), bytes: u64::MAX, reached };
        let logs = RunLogs::new(pool.clone(), sealer, days, limit, Clock::system());
        Self { _databases: databases, _roots: roots, pool, all: logs }
    }

    /// What is stored of a command's output.
    async fn stored(&self, number: u128, secrets: &[String], pieces: &[&[u8]]) -> Vec<u8> {
        let id = Uuid::from_u128(number);
        let (run, server, workspace) = (RunId(id), ServerId(id), WorkspaceId(id));
        let insert = "insert into working.run_tasks
            (run_id, server_id, attempt, workspace_id, state, fence, queued_at)
            values ($1, $2, 1, $3, 'running', 1, now())";
        let client = self.pool.get().await.unwrap();
        client.execute(insert, &[&run.0, &server.0, &workspace.0]).await.unwrap();
        drop(client);

        let log = LogKey { workspace, run, server, attempt: 1 };
        let values = secrets.iter().map(|secret| secret.clone().into()).collect();
        let masks = self.all.masks(RunSecretsId(id), values).await.unwrap();
        let resume = self.all.resume(&log).await.unwrap();
        let mut writer = self.all.writer(log, 1, &masks, LOG_BYTES_MAX, &resume);
        let mut offset = 0;
        for piece in pieces {
            writer.out(offset, piece).await.unwrap();
            offset += piece.len() as u64;
        }
        writer.finish().await.unwrap();

        let mut stored = Vec::new();
        loop {
            let from = stored.len() as u64;
            let news = self.all.read_range(&log, LogPart::Out, from, LOG_BYTES_MAX).await.unwrap();
            if news.is_empty() {
                return stored;
            }
            stored.extend(news);
        }
    }
}

/// Which values a text holds, as they are and in any way in which they may be written.
fn found(values: &[String], text: &[u8]) -> BTreeSet<usize> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let canaries = Canaries::new(&values).unwrap();
    let mut report = Report::default();
    for (name, decode) in DECODERS {
        canaries.search(Path::new(name), decode(text).as_slice(), &mut report).unwrap();
    }
    report.finds.iter().map(|find| find.canary).collect()
}

/// Both halves of the longer ones: a part of a secret is not stored either.
fn halves(secrets: &[String]) -> Vec<String> {
    let long = secrets.iter().map(|secret| secret.chars().collect::<Vec<char>>());
    let long = long.filter(|letters| letters.len() >= 24);
    let halves = long.flat_map(|letters| {
        let (one, two) = letters.split_at(letters.len() / 2);
        [one.iter().collect::<String>(), two.iter().collect()]
    });
    halves.map(|half| half.trim().to_owned()).collect()
}

fn noise_of(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"# ")).collect()
}

#[tokio::test]
async fn no_secret_that_a_command_prints_in_any_encoding_is_stored() {
    let batches = if tests::long() { 800 } else { 12 };
    let since = Instant::now();
    let logs = Logs::new().await;
    let mut random = Random(20_000);
    let (mut printed, mut bytes) = (0, 0);
    for batch in 0..batches {
        let secrets: Vec<String> = (0..SECRETS).map(|_| random.secret()).collect();
        let texts = encoded(&mut random, &secrets);
        let mut output = Vec::new();
        for text in texts.iter().flat_map(|(_, texts)| texts) {
            output.extend(random.noise().bytes());
            output.extend(text);
            output.push(b'\n');
            printed += 1;
        }
        // The search finds each secret in what each encoder wrote.
        if batch == 0 {
            for (encoder, texts) in &texts {
                let all = found(&secrets, &texts.join(&b"\n\n"[..]));
                assert_eq!(all.len(), SECRETS, "{encoder} is not searched for");
            }
        }

        let stored = logs.stored(batch, &secrets, &random.split(&output)).await;

        bytes += stored.len();
        assert_eq!(found(&secrets, &stored), [].into(), "batch {batch}");
        assert_eq!(found(&halves(&secrets), &stored), [].into(), "halves, batch {batch}");
        assert!(noise_of(&stored) == noise_of(&output), "batch {batch}: other lines have changed");
    }
    let (secrets, took) = (SECRETS * usize::try_from(batches).unwrap(), since.elapsed());
    println!("{secrets} secrets, printed {printed} times; {bytes} bytes stored; {took:.1?}");
}

#[tokio::test]
async fn what_no_mask_knows_is_stored_and_the_search_finds_it() {
    let logs = Logs::new().await;
    let mut random = Random(13);
    let mut secrets: Vec<String> = (0..SECRETS).map(|_| random.secret()).collect();
    for secret in &mut secrets {
        secret.push_str("WithLetters");
    }
    let turned: Vec<Vec<u8>> = secrets.iter().map(|secret| rot13(secret.as_bytes())).collect();
    let output = turned.join(&b"\n"[..]);

    let stored = logs.stored(1, &secrets, &random.split(&output)).await;

    assert_eq!(found(&secrets, &rot13(&stored)).len(), SECRETS);
}
