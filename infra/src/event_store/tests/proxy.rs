//! Stands between a node and its server, and can lose an answer.

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
    cut: Arc<AtomicBool>,
    pub connections: Arc<AtomicU32>,
}

impl Proxy {
    pub fn to(server: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432"))?;
        let cut = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicU32::new(0));
        let (server, counted) = (server.to_owned(), Arc::clone(&connections));
        let flag = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let server = UnixStream::connect(&server).await?;
                tokio::spawn(between(client, server, Arc::clone(&flag)));
            }
            io::Result::Ok(())
        });
        Ok(Self { folder, cut, connections })
    }

    pub fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap_or_default()
    }

    /// The next complete answer of the server is lost, and with it the connection.
    pub fn lose_the_next_answer(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

async fn between(client: UnixStream, server: UnixStream, cut: Arc<AtomicBool>) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let answering = async {
        let mut bytes = vec![0; 65536];
        loop {
            let read = from_server.read(&mut bytes).await?;
            let answer = &bytes[..read];
            // ReadyForQuery, outside a transaction: the commit is done.
            if read == 0 || (answer.ends_with(b"Z\0\0\0\x05I") && cut.swap(false, Ordering::SeqCst))
            {
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
