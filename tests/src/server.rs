//! A process of the programme that serves: where it is, and the ways to end it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::Client;

/// On a loaded machine initdb alone takes seconds.
const START_LIMIT: Duration = Duration::from_mins(3);

/// Where the API is: whoever reads it knows that everything is ready.
const LAST_LINE: &str = "api";

/// What a node logs of a client's answer. No test is met by one.
const NOT_DOCUMENTED: &str = "an answer that the document does not have";

static STARTED: AtomicU32 = AtomicU32::new(1);

pub struct TestServer {
    child: Child,
    places: BTreeMap<String, String>,
    log: PathBuf,
}

impl TestServer {
    pub async fn start(command: Command) -> Self {
        Self::start_until(LAST_LINE, command).await
    }

    /// The same, of a process whose last line begins with another word: one without an API.
    pub async fn start_until(last: &str, command: Command) -> Self {
        match Self::read_until(last, command).await {
            Ok(server) => server,
            Err(log) => panic!("Lethe ended while it started:\n{log}"),
        }
    }

    /// Starts it and reads where it is from what it prints; the API's line comes last. The error is
    /// what it logged when it refused to serve.
    pub async fn try_start(command: Command) -> Result<Self, String> {
        Self::read_until(LAST_LINE, command).await
    }

    async fn read_until(last: &str, mut command: Command) -> Result<Self, String> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = command.get_current_dir().map(PathBuf::from).unwrap_or_default();
        let log = folder.join(format!("lethe-{number}.log"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(appended(&log));
        let mut child = command.spawn().unwrap();
        let lines = read(&mut child, &log.with_extension("out"));
        let mut server = Self { child, places: BTreeMap::new(), log };
        match tokio::time::timeout(START_LIMIT, server.listen(last, lines)).await {
            Ok(true) => Ok(server),
            Ok(false) => Err(server.log_text()),
            Err(_) => panic!("not ready within {START_LIMIT:?}:\n{}", server.log_text()),
        }
    }

    async fn listen(&mut self, last: &str, mut lines: mpsc::UnboundedReceiver<String>) -> bool {
        while let Some(line) = lines.recv().await {
            let Some((name, place)) = line.split_once(char::is_whitespace) else { continue };
            self.places.insert(name.to_owned(), place.trim().to_owned());
            if name == last {
                return true;
            }
        }
        false
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn api(&self) -> &str {
        &self.places["api"]
    }

    /// The full address of the metrics.
    pub fn metrics(&self) -> &str {
        &self.places["metrics"]
    }

    /// What makes it unready, with reasons: the API says only which part it is.
    pub async fn readiness(&self) -> Value {
        let at = self.metrics().replace("/metrics", "/readyz");
        let text = reqwest::get(at).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub fn places(&self) -> &BTreeMap<String, String> {
        &self.places
    }

    pub fn client(&self) -> Client {
        Client::new(self.api())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it logs; what it prints stands beside, ending in `out`.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it logged so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// kill -9: nothing is drained, nothing is said.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        crate::until("Lethe ends", async || self.child.try_wait().unwrap()).await
    }

    /// SIGTERM, and waits until it has drained.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn end(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
        if !std::thread::panicking() {
            let log = self.log_text();
            let foreign: Vec<&str> = log.lines().filter(|it| it.contains(NOT_DOCUMENTED)).collect();
            assert!(foreign.is_empty(), "{}", foreign.join("\n"));
        }
    }
}

/// Reads to the end, whether or not anybody still listens: a full pipe would stop Lethe.
fn read(child: &mut Child, copy: &Path) -> mpsc::UnboundedReceiver<String> {
    let (tell, lines) = mpsc::unbounded_channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut copy = appended(copy);
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let _ = writeln!(copy, "{line}");
            let _ = tell.send(line);
        }
    });
    lines
}

fn appended(path: &Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}
