//! A node under a limit of open descriptors: it raises what it may, says what is too little, and keeps some for itself.

use std::io;
use std::process::{Command, Stdio};

use tests::{ClosedPort, Installation, LIMIT, TestServer, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::command_line::printed;

/// The programme under a soft and a hard limit.
fn limited(installation: &Installation, soft_hard: &str, subcommand: &str) -> Command {
    let lethe = installation.command();
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={soft_hard}")).arg(lethe.get_program()).arg(subcommand);
    limited.env_clear().current_dir(installation.folder());
    limited.envs(lethe.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

async fn node(installation: &Installation, soft_hard: &str) -> TestServer {
    TestServer::start(limited(installation, soft_hard, "serve")).await
}

/// A figure of the node's metrics, over a connection of its own.
async fn figure(node: &TestServer, name: &str) -> u64 {
    let answer = async { reqwest::get(node.metrics()).await.unwrap().text().await.unwrap() };
    let text = timeout(LIMIT, answer).await.expect("the metrics are answered");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

/// The connection stays open after the answer.
async fn ask(at: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: lethe\r\n\r\n").await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    assert_eq!(&head, b"HTTP/1.1 200");
    Ok(stream)
}

#[tokio::test]
async fn a_node_has_more_connections_than_the_soft_limit_that_it_began_with() {
    let installation = Installation::new().await;
    let node = node(&installation, "256:4096").await;
    let at = node.api().trim_start_matches("http://");

    let mut held = Vec::new();
    for nth in 0..300 {
        let answered = timeout(LIMIT, ask(at)).await;
        held.push(answered.unwrap_or_else(|_| panic!("{nth} are answered")).unwrap());
    }

    assert_eq!(figure(&node, "process_max_fds").await, 4096);
    assert!(figure(&node, "process_open_fds").await > 300);
    assert_eq!(node.places()["files"], "at most 4096 open, connections among them");
    assert_eq!(node.places().get("warning"), None);
    assert_eq!(held.len(), 300);
}

/// A quarter of the limit is theirs, where the node needs more than it has.
#[tokio::test]
async fn clients_that_keep_their_connections_leave_descriptors_to_the_node() {
    const LEFT_TO_CLIENTS: u64 = 64;
    let installation = Installation::with(&[("workers", "2")]).await;
    let node = node(&installation, "256:256").await;
    let warning = &node.places()["warning"];
    assert!(warning.starts_with("only 256 descriptors may be open"), "{warning}");
    let before = figure(&node, "process_open_fds").await;
    assert!(before < 128, "{before} descriptors are open");
    let at = node.api().trim_start_matches("http://").to_owned();

    let mut clients = JoinSet::new();
    for _ in 0..250 {
        let at = at.clone();
        clients.spawn(async move { ask(&at).await });
    }
    let mut held = Vec::new();
    until("as many are answered as may be", async || {
        held.extend(std::iter::from_fn(|| clients.try_join_next()));
        held.len() as u64 >= LEFT_TO_CLIENTS
    })
    .await;

    // The others connect meanwhile, and wait.
    for _ in 0..20 {
        let open = figure(&node, "process_open_fds").await;
        assert!(open < 128 + LEFT_TO_CLIENTS, "{open} descriptors are open");
    }
    drop((held, clients));
    node.client().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn the_doctor_judges_the_node_that_runs_and_else_the_limits_that_it_has_itself() {
    let installation = Installation::new().await;
    assert!(installation.run(&["migrate"]).await.status.success());
    let said = async |soft_hard: &str, at: &str| {
        let mut doctor = limited(&installation, soft_hard, "doctor");
        doctor.env("LETHE_METRICS_LISTEN", at).stdin(Stdio::null());
        printed(&tokio::process::Command::from(doctor).output().await.unwrap()).1
    };
    let nobody = ClosedPort::new();
    let at = nobody.address().to_string();

    let short = said("256:256", &at).await;
    let whose = "a node with this command's limits";
    assert!(short.contains(&format!("WRONG  {whose}: only 256 descriptors may be")), "{short}");
    let enough = said("256:4096", &at).await;
    assert!(enough.contains(&format!("ok     {whose} may have 4096 descriptors open")), "{enough}");

    for (limits, verdict) in [("256:256", "WRONG  "), ("256:4096", "ok     ")] {
        let node = node(&installation, limits).await;
        let at = node.metrics().trim_start_matches("http://").trim_end_matches("/metrics");
        // The command's own limits are the other way round.
        let own = if limits == "256:256" { "256:4096" } else { "256:256" };
        let said = said(own, at).await;
        assert!(said.contains(&format!("{verdict}the node at {at}")), "{said}");
        assert!(!said.contains(whose), "{said}");
        assert!(node.stop().await.success());
    }
}
