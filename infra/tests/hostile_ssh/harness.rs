//! A runtime for the hostile servers, one for the clients, and counts of what is left.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::server::ConnectFailure;
use futures_util::future::join_all;
use infra::remote::{
    Address, Egress, HostKey, Identity, Limits, Remote, RemoteError, RemoteOptions,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::wire::{host_pair, public_key};

/// The limit that a test is about; it outlasts half a second.
const SHORT: Duration = Duration::from_millis(600);
/// The others. A loaded machine adds less to a limit.
const LONG: Duration = Duration::from_mins(1);
const CONNECTIONS: usize = 200;
const WARM_UP: usize = 5;
const AT_ONCE: usize = 50;
const GROWTH_MAX: u64 = 32 * 1024 * 1024;

/// Sockets and memory are the process's: one measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

pub struct Harness {
    _alone: MutexGuard<'static, ()>,
    pub ours: Runtime,
    theirs: Option<Runtime>,
    sockets: usize,
    tasks: usize,
}

#[derive(Clone)]
pub struct Client {
    pub remote: Remote,
    pub address: Address,
    pub pinned: HostKey,
    pub identity: Identity,
    within: Duration,
}

pub type Visit = Pin<Box<dyn Future<Output = RemoteError> + Send>>;

impl Harness {
    pub fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (ours, theirs) = (runtime(), runtime());
        let tasks = ours.metrics().num_alive_tasks();
        Self { _alone: alone, ours, theirs: Some(theirs), sockets: sockets(), tasks }
    }

    /// A server that does `harm` to each of its clients.
    pub fn server<H, F>(&self, harm: H, expected: Option<&RemoteError>) -> Client
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.server_of(harm, options(expected), limit(ConnectFailure::Command, expected))
    }

    /// The same, for a client that soon gives up a server from which nothing comes.
    pub fn server_watched<H, F>(&self, harm: H) -> Client
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.server_of(harm, RemoteOptions { keepalive_every: SHORT, ..options(None) }, LONG)
    }

    fn server_of<H, F>(&self, harm: H, options: RemoteOptions, within: Duration) -> Client
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let theirs = self.theirs.as_ref().unwrap();
        let listener = theirs.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        theirs.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(harm(stream));
            }
        });
        let egress = Egress::parse("127.0.0.1/32:*").unwrap();
        Client {
            remote: Remote::new(egress, options),
            address: Address::new("127.0.0.1", port),
            pinned: public_key(&host_pair()),
            identity: Identity::generate().unwrap(),
            within,
        }
    }

    pub fn tasks(&self) -> usize {
        self.ours.metrics().num_alive_tasks() - self.tasks
    }

    pub fn sockets(&self) -> usize {
        sockets() - self.sockets
    }

    /// Nothing of us is left, and once the servers are gone no socket at all.
    pub fn assert_nothing_is_left(mut self) {
        self.until("the end of our tasks", || self.tasks() == 0);
        self.theirs.take().unwrap().shutdown_timeout(Duration::from_secs(5));
        self.until("the end of the sockets", || sockets() <= self.sockets);
    }

    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.ours.block_on(test_support::until(what, async || holds()));
    }
}

/// 200 visits to a server that does `harm`, each of which ends as `expected` and in its time.
pub fn storm<H, F>(harm: H, visit: fn(Client) -> Visit, expected: &RemoteError)
where
    H: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let harness = Harness::new();
    let client = harness.server(harm, Some(expected));
    let wave = |count| {
        let visits = (0..count).map(|_| async {
            let started = Instant::now();
            let error = visit(client.clone()).await;
            (error, started.elapsed())
        });
        harness.ours.block_on(join_all(visits))
    };
    // The first take what the process keeps: stacks, buffers, tables.
    let mut ends = wave(WARM_UP);
    harness.until("the end of the first", || harness.tasks() == 0);
    let memory = Memory::now();
    ends.extend((0..CONNECTIONS / AT_ONCE).flat_map(|_| wave(AT_ONCE)));
    harness.until("the end of the last", || harness.tasks() == 0);
    let growth = memory.growth();
    assert_eq!(ends.len(), WARM_UP + CONNECTIONS);
    for (error, _) in &ends {
        assert_eq!(error, expected);
    }
    let fastest = ends.iter().map(|(_, took)| *took).min().unwrap();
    let slowest = ends.iter().map(|(_, took)| *took).max().unwrap();
    // No other limit was reached, so it was the one that the test is about.
    assert!(slowest < LONG, "{slowest:?}");
    if matches!(expected, RemoteError::TimedOut(_)) {
        assert!(fastest >= SHORT, "{fastest:?}");
    }
    report(slowest, growth);
    assert!(growth < GROWTH_MAX, "{growth} bytes");
    harness.assert_nothing_is_left();
}

/// For `--nocapture`.
pub fn report(took: Duration, growth: u64) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let (took, growth) = (took.as_millis(), growth / 1024);
    println!("{name}: at most {took} ms, memory grew by {growth} KiB");
}

pub fn observe(client: Client) -> Visit {
    Box::pin(async move { client.remote.observe(&client.address).await.unwrap_err() })
}

pub fn connect(client: Client) -> Visit {
    Box::pin(async move {
        let Client { remote, address, pinned, identity, .. } = client;
        remote.connect(&address, "ada", pinned, &identity).await.unwrap_err()
    })
}

pub fn exec(client: Client) -> Visit {
    exec_with(client, b"", 1 << 30)
}

pub fn exec_a_little(client: Client) -> Visit {
    exec_with(client, b"", 100_000)
}

pub fn exec_with_input(client: Client) -> Visit {
    const INPUT: &[u8] = &[7; 1 << 18];
    exec_with(client, INPUT, 1 << 30)
}

fn exec_with(client: Client, stdin: &'static [u8], bytes_max: usize) -> Visit {
    Box::pin(async move {
        let Client { remote, address, pinned, identity, within } = client;
        let connection = remote.connect(&address, "ada", pinned, &identity).await.unwrap();
        let limits = Limits { within, bytes_max };
        let error = connection.exec("true", stdin, limits).await.unwrap_err();
        assert!(!connection.is_live());
        error
    })
}

fn limit(stage: ConnectFailure, expected: Option<&RemoteError>) -> Duration {
    if expected == Some(&RemoteError::TimedOut(stage)) { SHORT } else { LONG }
}

fn options(expected: Option<&RemoteError>) -> RemoteOptions {
    RemoteOptions {
        resolve_within: LONG,
        connect_within: LONG,
        identify_within: limit(ConnectFailure::Identification, expected),
        exchange_within: limit(ConnectFailure::Identification, expected),
        authenticate_within: limit(ConnectFailure::Authentication, expected),
        open_within: limit(ConnectFailure::Command, expected),
        keepalive_every: LONG,
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub fn sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    open.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// The process's resident memory, and its highest mark since.
pub struct Memory(u64);

impl Memory {
    pub fn now() -> Self {
        // 5: the mark starts again (proc(5), clear_refs).
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        Self(status("VmRSS:"))
    }

    pub fn growth(&self) -> u64 {
        status("VmHWM:").saturating_sub(self.0)
    }
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
