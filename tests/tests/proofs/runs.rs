//! Many runs on a real sshd, many at once: every state right, every log whole. With `LETHE_LONG=1`
//! there are 200 of them, of up to 10 MB.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tests::RunHarness;

const AT_ONCE: usize = 20;
const LIMIT: Duration = Duration::from_mins(15);

struct Plan {
    lines: u64,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Exit(u64),
    Signal(u64),
}

/// Every exit code has its turn, signals come in between, and a few outputs are large.
fn plans(count: u64, lines_max: u64) -> Vec<Plan> {
    let signals = [1, 2, 3, 6, 9, 14, 15];
    (0..count)
        .map(|number| Plan {
            lines: match number % 20 {
                0 => lines_max,
                1 => lines_max / 10,
                few => 1 + few * few,
            },
            end: match usize::try_from(number / 10).unwrap() {
                turn if number % 10 == 9 => End::Signal(signals[turn % signals.len()]),
                _ => End::Exit(number * 255 / (count - 1)),
            },
        })
        .collect()
}

/// What the command writes: line n holds n, and is one of 50 bytes.
fn output(lines: u64) -> Vec<u8> {
    (1..=lines).flat_map(|line| format!("{line:049}\n").into_bytes()).collect()
}

impl Plan {
    fn command(&self) -> String {
        let lines = format!(
            "awk 'BEGIN {{ for (n = 1; n <= {}; n++) printf \"%049d\\n\", n }}'",
            self.lines
        );
        match self.end {
            End::Exit(code) => format!("{lines}; echo over >&2; exit {code}"),
            End::Signal(number) => format!("{lines}; echo over >&2; kill -{number} $$"),
        }
    }

    fn ending(&self) -> Value {
        match self.end {
            End::Exit(0) => json!({ "kind": "succeeded" }),
            End::Exit(code) => {
                json!({ "kind": "failed", "failure": { "kind": "exit", "code": code } })
            }
            End::Signal(number) => {
                json!({ "kind": "failed", "failure": { "kind": "signal", "number": number } })
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

async fn check(harness: &RunHarness, plan: &Plan) -> u64 {
    let run = harness.start(&plan.command()).await;
    let shown = harness.ended(&run, LIMIT).await;
    let on = &shown["servers"][0];
    assert_eq!(on["ending"], plan.ending(), "{shown}");
    let (expected, log) = (output(plan.lines), &on["log"]);
    assert_eq!(log["truncated"], false);
    assert_eq!(log["lines"], plan.lines + 1);
    assert_eq!(log["out"]["lines"], plan.lines);
    assert_eq!(log["out"]["sha256"], sha256(&expected));
    assert_eq!(log["err"]["sha256"], sha256(b"over\n"));
    let read = harness.bytes(&run, "out").await;
    assert_eq!(sha256(&read), sha256(&expected), "{} of {} bytes", read.len(), expected.len());
    if plan.lines < 5000 {
        let lines = harness.lines(&run).await;
        assert!(lines.iter().enumerate().all(|(at, line)| line["n"] == at + 1), "a gap");
        assert_eq!(u64::try_from(lines.len()).unwrap(), plan.lines + 1);
    }
    read.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_is_right_and_every_log_is_whole() {
    let _alone = tests::alone().await;
    let (count, lines_max) = if tests::long() { (200, 200_000) } else { (24, 20_000) };
    let at_once = AT_ONCE.to_string();
    let (harness, _node) = RunHarness::with(&[("runs_per_server", &at_once)]).await;
    let started = Instant::now();

    let harness = &harness;
    let plans = plans(count, lines_max);
    let checks = plans.iter().map(|plan| check(harness, plan));
    let bytes: Vec<u64> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;

    let (runs, bytes): (usize, u64) = (bytes.len(), bytes.iter().sum());
    eprintln!("{runs} runs, {bytes} bytes of output, {:?}", started.elapsed());
}
