use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use test_support::may_give_away;

use crate::postgres::{
    Cluster, ClusterError, ClusterOptions, ConnectOptions, binaries, connect_one,
};

const LIMIT: Duration = Duration::from_mins(1);
const DIR: &str = "LETHE_TEST_CLUSTER";

/// The account that runs PostgreSQL must be able to enter it.
fn folder() -> TempDir {
    folder_with(0o755)
}

fn folder_with(mode: u32) -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempdir().unwrap()
}

async fn start(dir: &Path) -> Result<Cluster, ClusterError> {
    let bin = binaries::find(Some(&dir.join("data"))).unwrap();
    Cluster::start(&bin, dir, ClusterOptions::default()).await
}

async fn write_a_row(cluster: &Cluster) {
    let client = client(cluster).await;
    client.batch_execute("create table kept (n int); insert into kept values (7)").await.unwrap();
}

async fn read_the_row(cluster: &Cluster) -> i32 {
    client(cluster).await.query_one("select n from kept", &[]).await.unwrap().get(0)
}

async fn client(cluster: &Cluster) -> tokio_postgres::Client {
    connect_one(&cluster.url("postgres"), &ConnectOptions::default()).await.unwrap()
}

fn server_pid(dir: &Path) -> String {
    let file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_second_start_finds_the_data_of_the_first() {
    let folder = folder();
    let dir = folder.path().join("postgres");
    let first = start(&dir).await.unwrap();
    write_a_row(&first).await;
    first.stop(LIMIT).await.unwrap();

    let second = start(&dir).await.unwrap();

    assert_eq!(read_the_row(&second).await, 7);
    second.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn two_starts_on_one_folder_are_refused() {
    let folder = folder();
    let first = start(folder.path()).await.unwrap();

    let second = start(folder.path()).await;

    assert!(matches!(second, Err(ClusterError::InUse(_))), "{second:?}");
    first.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_folder_with_a_long_path_still_has_a_socket() {
    let folder = folder();
    let dir = folder.path().join("long".repeat(30));
    let cluster = start(&dir).await.unwrap();

    write_a_row(&cluster).await;

    assert!(cluster.url("postgres").len() < 107, "{}", cluster.url("postgres"));
    cluster.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_noticed() {
    let folder = folder();
    let cluster = start(folder.path()).await.unwrap();
    let pid = server_pid(folder.path());

    assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());

    tokio::time::timeout(LIMIT, cluster.ended()).await.unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("data.init")).unwrap();
    std::fs::write(folder.path().join("data.init/PG_VERSION"), "1\n").unwrap();

    let cluster = start(folder.path()).await.unwrap();

    write_a_row(&cluster).await;
    cluster.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn kill_9_of_the_parent_stops_the_server_and_loses_nothing() {
    let folder = folder();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--ignored", "--exact"])
        .arg("postgres::tests::cluster::the_parent_that_is_killed")
        .env(DIR, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("started")));
    let pid = server_pid(folder.path());

    parent.kill().unwrap();
    parent.wait().unwrap();

    let end = ["60", "tail", "--pid", &pid, "-f", "/dev/null"];
    assert!(Command::new("timeout").args(end).status().unwrap().success(), "{pid} still runs");
    let log = std::fs::read_to_string(folder.path().join("postgres.log")).unwrap();
    assert!(log.contains("fast shutdown request"), "{log}");
    let second = start(folder.path()).await.unwrap();
    assert_eq!(read_the_row(&second).await, 7);
    second.stop(LIMIT).await.unwrap();
}

#[tokio::test]
#[ignore = "the process that the test above starts and kills"]
async fn the_parent_that_is_killed() {
    let dir = std::env::var_os(DIR).expect("the folder, from the test that starts this process");
    let cluster = start(Path::new(&dir)).await.unwrap();
    write_a_row(&cluster).await;
    println!("started");
    cluster.ended().await;
}

#[tokio::test]
async fn a_start_waits_for_a_server_that_still_stops() {
    let folder = folder();
    let first = start(folder.path()).await.unwrap();
    write_a_row(&first).await;
    // Dropped, not stopped: the server has only been asked to end.
    drop(first);

    let second = start(folder.path()).await.unwrap();

    assert_eq!(read_the_row(&second).await, 7);
    second.stop(LIMIT).await.unwrap();
}

/// Owner, group and mode.
fn whose(path: &Path) -> (u32, u32, u32) {
    let found = std::fs::metadata(path).unwrap();
    (found.uid(), found.gid(), found.mode())
}

/// Of a service that is stopped: an operator's `sudo lethe doctor` must not lock it out.
#[tokio::test]
async fn the_folder_of_another_user_is_refused_and_stays_that_users() {
    if !may_give_away() {
        return;
    }
    let folder = folder();
    let dir = folder.path().join("postgres");
    std::fs::create_dir_all(dir.join("data")).unwrap();
    for path in [dir.join("data"), dir.clone()] {
        std::os::unix::fs::chown(&path, Some(4_321), Some(4_322)).unwrap();
    }
    let before = whose(&dir);

    let refused = start(&dir).await;

    assert!(
        matches!(&refused, Err(ClusterError::Foreign { owner, .. }) if owner == "user 4321"),
        "{refused:?}"
    );
    assert_eq!(whose(&dir), before);
    assert!(!dir.join("lethe.lock").exists());
}

#[tokio::test]
async fn a_folder_that_the_servers_account_cannot_reach_is_refused_and_not_made() {
    if !may_give_away() {
        return;
    }
    let closed = folder_with(0o700);
    let dir = closed.path().join("postgres");

    let refused = start(&dir).await;

    assert!(matches!(refused, Err(ClusterError::Barred(_))), "{refused:?}");
    assert!(!dir.exists());
}
