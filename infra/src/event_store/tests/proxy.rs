//! Stands between a node and its server, and can lose answers.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A socket that leads to the server's.
pub struct Proxy {
    folder: TempDir,
    to_lose: Arc<AtomicU32>,
    pub connections: Arc<AtomicU32>,
}

impl Proxy {
    pub fn to(server: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432"))?;
        let to_lose = Arc::new(AtomicU32::new(0));
        let connections = Arc::new(AtomicU32::new(0));
        let (server, counted) = (server.to_owned(), Arc::clone(&connections));
        let losing = Arc::clone(&to_lose);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let server = UnixStream::connect(&server).await?;
                tokio::spawn(between(client, server, Arc::clone(&losing)));
            }
            io::Result::Ok(())
        });
        Ok(Self { folder, to_lose, connections })
    }

    pub fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap_or_default()
    }

    /// The next complete answers of the server to appends are lost, and with each its connection.
    pub fn lose_answers(&self, count: u32) {
        self.to_lose.store(count, Ordering::SeqCst);
    }
}

async fn between(
    client: UnixStream,
    server: UnixStream,
    to_lose: Arc<AtomicU32>,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // The set-up of a connection has statements of its own.
    let has_appended = AtomicBool::new(false);
    let asking = async {
        let mut bytes = vec![0; 65536];
        loop {
            let read = from_client.read(&mut bytes).await?;
            let request = &bytes[..read];
            if read == 0 {
                return Ok(());
            }
            if request.windows(EVENT.len()).any(|word| word == EVENT) {
                has_appended.store(true, Ordering::SeqCst);
            }
            to_server.write_all(request).await?;
        }
    };
    let answering = async {
        let mut bytes = vec![0; 65536];
        loop {
            let read = from_server.read(&mut bytes).await?;
            let answer = &bytes[..read];
            // ReadyForQuery, outside a transaction: the commit is done.
            let is_complete = answer.ends_with(b"Z\0\0\0\x05I");
            let is_lost = is_complete && has_appended.load(Ordering::SeqCst) && take_one(&to_lose);
            if read == 0 || is_lost {
                return Ok(());
            }
            to_client.write_all(answer).await?;
        }
    };
    tokio::select! {
        done = asking => done,
        done = answering => done,
    }
}

/// The type of the events of these tests.
const EVENT: &[u8] = b"car.drove";

fn take_one(from: &AtomicU32) -> bool {
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}
