//! A Lethe of the demo's own: its folders, and the process that runs on them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cli::CliError;

const START_LIMIT: Duration = Duration::from_mins(3);
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// The folders of one installation.
pub struct Home {
    dir: PathBuf,
    /// What else than public addresses its servers may have.
    egress: String,
}

impl Home {
    /// PostgreSQL, which does not run as root, must be able to pass through.
    pub fn new(dir: PathBuf) -> Result<Self, CliError> {
        fs::create_dir_all(&dir)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        Ok(Self { dir, egress: String::new() })
    }

    /// A Lethe that may reach this port of this machine.
    #[must_use]
    pub fn reaching(self, port: u16) -> Self {
        Self { egress: format!("127.0.0.1/32:{port}"), ..self }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where the private PostgreSQL is.
    pub fn cluster(&self) -> PathBuf {
        self.data().join("postgres")
    }

    pub fn roots(&self) -> PathBuf {
        self.dir.join("roots")
    }

    pub fn mail(&self) -> PathBuf {
        self.data().join("mail")
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("lethe.log")
    }

    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// This programme, with this home's settings and nobody else's.
    fn command(&self, words: &[&str]) -> Result<Command, CliError> {
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("LETHE_") || name == "DATABASE_URL" {
                command.env_remove(name.as_ref());
            }
        }
        let settings = [
            ("LETHE_DATA_DIR", self.data().display().to_string()),
            ("LETHE_ROOT_DIR", self.roots().display().to_string()),
            ("LETHE_LISTEN", "127.0.0.1:0".to_owned()),
            ("LETHE_METRICS_LISTEN", "127.0.0.1:0".to_owned()),
            // The story says from where its people come.
            ("LETHE_TRUSTED_PROXIES", "1".to_owned()),
            ("LETHE_EGRESS_ALLOW", self.egress.clone()),
        ];
        command.args(words).envs(settings).current_dir(&self.dir).stdin(Stdio::null());
        command.kill_on_drop(true);
        Ok(command)
    }

    /// Runs another word of the programme to its end.
    pub async fn run(&self, words: &[&str]) -> Result<Output, CliError> {
        Ok(self.command(words)?.output().await?)
    }

    /// The same, when it must succeed; answers what it printed.
    pub async fn done(&self, words: &[&str]) -> Result<String, CliError> {
        let output = self.run(words).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or_default();
        Err(CliError::Failed(format!("lethe {}: {last}", words.join(" "))))
    }

    pub async fn serve(&self) -> Result<Node, CliError> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(&["serve"])?;
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let places = tokio::time::timeout(START_LIMIT, places(&mut child)).await;
        let places =
            places.map_err(|_| CliError::Failed("Lethe is slow to start".to_owned()))??;
        if places.contains_key("api") {
            return Ok(Node { child, places });
        }
        Err(CliError::Failed(self.last_words()))
    }

    /// The last line of the log.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().unwrap_or("Lethe did not start").to_owned()
    }
}

/// A process that serves.
pub struct Node {
    child: Child,
    places: BTreeMap<String, String>,
}

impl Node {
    pub fn api(&self) -> &str {
        self.places.get("api").map_or("", String::as_str)
    }

    pub fn places(&self) -> &BTreeMap<String, String> {
        &self.places
    }

    /// kill -9: nothing is drained, nothing is said.
    pub async fn kill(mut self) -> Result<(), CliError> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM: everything is drained.
    pub async fn stop(mut self) -> Result<(), CliError> {
        let pid = self.child.id().unwrap_or_default().to_string();
        let signalled = Command::new("kill").args(["-TERM", &pid]).status().await?;
        let ended = tokio::time::timeout(STOP_LIMIT, self.child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() && signalled.success() => Ok(()),
            Ok(Ok(status)) => Err(CliError::Failed(format!("Lethe stopped with {status}"))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(CliError::Failed("Lethe does not stop".to_owned())),
        }
    }
}

/// What it prints until it serves; the API's line comes last.
async fn places(child: &mut Child) -> Result<BTreeMap<String, String>, CliError> {
    let mut places = BTreeMap::new();
    let Some(out) = child.stdout.take() else { return Ok(places) };
    let mut lines = BufReader::new(out).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((name, place)) = line.split_once(char::is_whitespace) {
            places.insert(name.to_owned(), place.trim().to_owned());
        }
        if places.contains_key("api") {
            break;
        }
    }
    Ok(places)
}
