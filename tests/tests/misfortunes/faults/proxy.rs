//! A port that forwards to another one. After so many bytes a connection is cut, or nothing more of the server comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Lethe,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Both sides see the connection close.
    Cut,
    /// Neither side learns that the bytes are thrown away.
    Swallow,
}

/// It is done once, to the connection on which the byte after these passes. Those of all connections count.
#[derive(Clone, Copy, Debug)]
pub struct HarmPlan {
    pub harm: Harm,
    pub of: Sender,
    pub after: usize,
}

pub struct FaultyProxy {
    port: u16,
    state: Arc<State>,
}

struct State {
    plan: Mutex<Option<HarmPlan>>,
    has_happened: AtomicBool,
    cuts: watch::Sender<()>,
}

impl FaultyProxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            plan: Mutex::new(None),
            has_happened: AtomicBool::new(false),
            cuts: watch::Sender::new(()),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, port, Arc::clone(&shared)));
            }
        });
        Self { port: own, state }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn arm(&self, plan: HarmPlan) {
        self.state.has_happened.store(false, Ordering::Relaxed);
        *self.state.plan.lock().unwrap() = Some(plan);
    }

    /// Whatever was planned and has not happened does not happen any more.
    pub fn disarm(&self) {
        *self.state.plan.lock().unwrap() = None;
    }

    pub fn has_happened(&self) -> bool {
        self.state.has_happened.load(Ordering::Relaxed)
    }

    /// Cuts every connection that there is.
    pub fn cut(&self) {
        self.state.cuts.send_replace(());
    }
}

impl State {
    /// How many of these bytes pass, and what is done then.
    fn pass(&self, of: Sender, bytes: usize) -> (usize, Option<Harm>) {
        let mut armed = self.plan.lock().unwrap();
        let Some(plan) = (*armed).filter(|plan| plan.of == of) else { return (bytes, None) };
        if plan.after >= bytes {
            *armed = Some(HarmPlan { after: plan.after - bytes, ..plan });
            return (bytes, None);
        }
        *armed = None;
        self.has_happened.store(true, Ordering::Relaxed);
        (plan.after, Some(plan.harm))
    }
}

async fn forward(near: TcpStream, port: u16, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    tokio::select! {
        () = carry(from_near, to_far, Sender::Lethe, &state) => {}
        () = carry(from_far, to_near, Sender::Server, &state) => {}
        _ = cuts.changed() => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, of: Sender, state: &State) {
    let (mut bytes, mut is_silent) = (vec![0; 65536], false);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if is_silent {
            continue;
        }
        let (passing, harm) = state.pass(of, read);
        if to.write_all(&bytes[..passing]).await.is_err() {
            return;
        }
        match harm {
            None => {}
            Some(Harm::Cut) => return,
            Some(Harm::Swallow) => is_silent = true,
        }
    }
    if is_silent {
        std::future::pending::<()>().await;
    }
}

/// Says 100 bytes to whoever comes.
async fn speaker() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                near.write_all(&[7; 100]).await.unwrap();
                let _ = near.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_is_cut_or_goes_silent_after_so_many_bytes_and_the_next_one_passes() {
    let proxy = FaultyProxy::to(speaker().await).await;
    for harm in [Harm::Cut, Harm::Swallow] {
        proxy.arm(HarmPlan { harm, of: Sender::Server, after: 40 });
        assert!(!proxy.has_happened());
        let mut first = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        first.read_exact(&mut [0; 40]).await.unwrap();
        assert!(proxy.has_happened());

        let mut second = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        second.read_exact(&mut [0; 100]).await.unwrap();

        if harm == Harm::Swallow {
            assert!(first.try_read(&mut [0]).is_err(), "nothing comes, and nothing is closed");
            proxy.cut();
        }
        assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0);
    }
}
