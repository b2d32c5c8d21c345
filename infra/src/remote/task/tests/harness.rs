//! An sshd of the test, and connections to it.

use std::path::PathBuf;

use domain::server::{ConnectFailure, KeyAlgorithm};
use domain::{RunId, ServerId};
use tokio::time::{Duration, timeout};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::*;
pub(super) use super::tails::{Tail, tail};
use crate::ids::Ids;
use crate::remote::{
    Address, Connection, Egress, HostKey, Identity, Remote, RemoteError, RemoteOptions,
};
use test_support::sshd::{Process, Sshd, SshdOptions, processes};
pub(super) use test_support::until;

pub(super) const LONG: Duration = Duration::from_mins(1);
/// No test reaches it.
pub(super) const HOUR: u32 = 3600;

/// A busy machine reaches none of these.
pub(super) const PATIENT: RemoteOptions = RemoteOptions {
    resolve_within: LONG,
    connect_within: LONG,
    identify_within: LONG,
    exchange_within: LONG,
    authenticate_within: LONG,
    open_within: LONG,
    keepalive_every: LONG,
};

pub(in crate::remote) struct SshHarness {
    pub sshd: Sshd,
    identity: Identity,
    remote: Remote,
}

impl SshHarness {
    pub fn start() -> Self {
        Self::with(&SshdOptions::default())
    }

    pub fn with(options: &SshdOptions) -> Self {
        let sshd = Sshd::start_with(options).unwrap();
        let identity = Identity::generate().unwrap();
        sshd.authorize(&identity.public_line()).unwrap();
        let egress = Egress::parse("127.0.0.1/32:*").unwrap();
        Self { sshd, identity, remote: Remote::new(egress, PATIENT) }
    }

    pub async fn connect(&self) -> Connection {
        let address = Address::new("127.0.0.1", self.sshd.port());
        let fingerprint = self.sshd.host_key_fingerprint().unwrap().parse().unwrap();
        let pinned = HostKey { algorithm: KeyAlgorithm::Ed25519, fingerprint };
        self.remote.connect(&address, self.sshd.user(), pinned, &self.identity).await.unwrap()
    }

    pub fn folder(&self, task: &TaskId) -> PathBuf {
        self.sshd.home().join(".lethe/runs").join(task.to_string())
    }

    /// Waits until only these processes run: those of a closed channel end a moment later.
    pub async fn until_only(&self, expected: usize) {
        let what = format!("{expected} processes");
        let counted = async || {
            let running = self.sshd.processes().unwrap();
            if running.len() == expected { Ok(()) } else { Err(running) }
        };
        until(&what, counted).await;
    }
}

/// The running processes with the task's mark.
pub(super) fn marked(task: &TaskId) -> Vec<Process> {
    processes(&format!("LETHE_RUN={task}")).unwrap()
}

pub(super) fn task() -> TaskId {
    let ids = Ids::system();
    TaskId { run: RunId(ids.uuid()), attempt: 1, server: ServerId(Uuid::nil()) }
}

pub(super) async fn launch(connection: &Connection, command: &str) -> TaskId {
    launch_with(connection, command, &[]).await
}

pub(super) async fn launch_with(
    connection: &Connection,
    command: &str,
    environment: &[(&str, &str)],
) -> TaskId {
    let task = task();
    let owned =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()));
    let environment: Vec<_> = environment.iter().map(owned).collect();
    let launch = Launch { task, command, environment: &environment, timeout_seconds: HOUR };
    assert_eq!(start(connection, &launch).await, Ok(Started::Launched));
    task
}

/// Waits until the command does not run any more; never returns `Running`. A lost connection is an error.
pub(super) async fn wait(connection: &Connection, task: &TaskId) -> Result<TaskState, TaskError> {
    loop {
        match probe(connection, task).await? {
            TaskState::Running => {}
            other @ (TaskState::Missing | TaskState::Ended(_) | TaskState::Vanished { .. }) => {
                return Ok(other);
            }
        }
        match watch(connection, task, None).await?.next().await {
            Watched::Ended | Watched::Chunk(_) => {}
            Watched::Lost => return Err(RemoteError::Lost(ConnectFailure::Command).into()),
        }
    }
}

pub(super) async fn end(connection: &Connection, task: &TaskId) -> End {
    let found = timeout(LONG, wait(connection, task)).await.expect("it did not end");
    match found.unwrap() {
        TaskState::Ended(end) => end,
        other @ (TaskState::Missing | TaskState::Running | TaskState::Vanished { .. }) => {
            panic!("{other:?}")
        }
    }
}

/// Kills it, and whether it had to be forced. Nothing of it is left.
pub(super) async fn kill_all(connection: &Connection, task: &TaskId, grace: Duration) -> bool {
    let killed = kill(connection, task, grace, StopCause::Cancel).await.unwrap();
    assert!(killed.proven, "{killed:?}");
    killed.forced
}

/// An end of its own, after this many bytes of output.
pub(super) fn ended(ending: Ending, out_bytes: u64, err_bytes: u64) -> End {
    End { ending, out_bytes, err_bytes, stopped: None, written: Some([out_bytes, err_bytes]) }
}

/// Both outputs, up to the lengths that the end names.
pub(super) async fn outputs(connection: &Connection, task: &TaskId, end: &End) -> [Vec<u8>; 2] {
    let mut read = [Vec::new(), Vec::new()];
    let mut tail = tail(connection, task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut read, end.out_bytes, end.err_bytes).await.unwrap();
    read
}

/// Reads until both outputs have these lengths, and checks that they have no gap.
pub(super) async fn read_on(
    tail: &mut Tail,
    read: &mut [Vec<u8>; 2],
    out_bytes: u64,
    err_bytes: u64,
) -> Result<(), TaskError> {
    while (read[0].len() as u64) < out_bytes || (read[1].len() as u64) < err_bytes {
        let chunk = timeout(LONG, tail.next()).await.expect("nothing came")?;
        let into = match chunk.output {
            Output::Out => &mut read[0],
            Output::Err => &mut read[1],
        };
        assert_eq!(chunk.offset, into.len() as u64);
        into.extend_from_slice(&chunk.bytes);
    }
    Ok(())
}

/// Runs it to its end.
pub(super) async fn run(connection: &Connection, command: &str) -> (Ending, String, String) {
    let task = launch(connection, command).await;
    let end = end(connection, &task).await;
    let [out, err] = outputs(connection, &task, &end).await;
    (end.ending, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}
