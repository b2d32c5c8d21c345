//! A real `PgBouncer` in transaction mode, before the test server.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use infra::postgres::{ConnectOptions, connect_one};
use tempfile::TempDir;
use test_support::{server_folder, until};
use tokio::sync::OnceCell;

use crate::programme;

/// One for all tests of a process.
static POOLED: OnceCell<PgBouncer> = OnceCell::const_new();
const ROLE: &str = "create role pooled login in role lethe_app;
    alter role pooled set role = 'lethe_app';
    alter role pooled set statement_timeout = '30s';
    alter role pooled set lock_timeout = '10s';
    alter role pooled set idle_in_transaction_session_timeout = '30s';
    alter role pooled set jit = 'off'";
/// It ends with this process, however that ends.
const SUPERVISE: &str =
    r#"exec 3<&0; "$@" 3<&- & child=$!; { read -r _ <&3; kill -9 $child; } & wait $child"#;

/// The socket's name ends with it.
const PORT: u16 = 6432;

pub struct PgBouncer {
    child: Child,
    /// Of the server that it is before.
    server: PathBuf,
    user: String,
    /// Of its socket: no other test can take that.
    folder: TempDir,
}

impl PgBouncer {
    /// Before the server whose socket is in `server`, to which everybody is `user`. It keeps so many
    /// prepared statements of a client; 0: none, like a version before 1.21.
    pub async fn start(server: &Path, user: &str, prepared_max: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's account may not be able to enter the folder of the sources.
        let copy = folder.path().join("tool");
        let copied = Command::new("cp").arg("-rL").arg(tool()).arg(&copy).status().unwrap();
        assert!(copied.success(), "PgBouncer is missing: .ci/tools pgbouncer gets it");
        let child = run(folder.path(), server, user, prepared_max);
        let (server, user) = (server.to_owned(), user.to_owned());
        let started = Self { child, server, user, folder };
        started.answers().await;
        started
    }

    /// Whoever is connected is cut off.
    pub async fn restart(&mut self, prepared_max: u32) {
        self.end();
        self.child = run(self.folder.path(), &self.server, &self.user, prepared_max);
        self.answers().await;
    }

    async fn answers(&self) {
        let options = ConnectOptions { proxied: true, ..ConnectOptions::default() };
        let url = self.url("postgres");
        until("PgBouncer answers", async || connect_one(&url, &options).await.map(drop)).await;
    }

    /// A database of the server, through it.
    pub fn url(&self, database: &str) -> String {
        let (folder, user) = (self.folder.path().display(), &self.user);
        format!("host='{folder}' port={PORT} user={user} dbname={database}")
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn run(folder: &Path, server: &Path, user: &str, prepared_max: u32) -> Child {
    // It refuses to run as root, and only the server's account may enter its folder.
    let owner = std::fs::metadata(server).unwrap();
    let config = format!(
        "[databases]\n* = host={} user={user}\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
         unix_socket_dir = {}\nauth_type = any\npool_mode = transaction\n\
         default_pool_size = 8\nmax_client_conn = 2000\nserver_login_retry = 0.1\n\
         max_prepared_statements = {prepared_max}\n",
        server.display(),
        folder.display()
    );
    let (file, copy) = (folder.join("pgbouncer.ini"), folder.join("tool"));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISE, "pgbouncer"]).arg(loader(&copy));
    command.args(["--library-path", &libraries(&copy)]);
    command.arg(copy.join("usr/sbin/pgbouncer")).arg(&file);
    for path in [folder, &file] {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    if std::fs::metadata("/proc/self").unwrap().uid() != owner.uid() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir(folder).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.end();
    }
}

fn tool() -> PathBuf {
    programme::tools().join("pgbouncer")
}

/// With `LETHE_POOLED=1` the nodes of most installations reach the events' database through `PgBouncer`.
pub fn is_pooled() -> bool {
    std::env::var_os("LETHE_POOLED").is_some()
}

/// Where [`is_pooled`]: the database of this URL through one `PgBouncer` of the test process.
pub async fn before(url: &str) -> Option<String> {
    if !is_pooled() {
        return None;
    }
    let pool = POOLED.get_or_init(async || {
        let admin = connect_one(url, &ConnectOptions::default()).await.unwrap();
        admin.batch_execute(ROLE).await.unwrap();
        PgBouncer::start(&server_folder().await.unwrap(), "pooled", 200).await
    });
    Some(pool.await.url(&database_of(url)))
}

/// The name in a URL of the test server.
pub fn database_of(url: &str) -> String {
    url.rsplit("dbname=").next().unwrap().replace('\'', "")
}

/// It is of a newer Debian than this machine may be, and comes with its own C library.
fn loader(tool: &Path) -> PathBuf {
    let folders = ["usr/lib64", "usr/lib"].map(|folder| tool.join(folder));
    let mut files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let is_loader = |path: &PathBuf| path.display().to_string().contains("/ld-linux");
    files.find_map(|file| Some(file.ok()?.path()).filter(is_loader)).expect("a loader")
}

fn libraries(tool: &Path) -> String {
    let folders = std::fs::read_dir(tool.join("usr/lib")).unwrap();
    let mut folders = folders.map(|entry| entry.unwrap().path());
    let found = folders.find(|path| path.display().to_string().ends_with("-linux-gnu"));
    found.expect("libraries").display().to_string()
}
