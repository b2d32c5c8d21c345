use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::time::SystemTime;

use futures_util::future::join_all;
use tempfile::{TempDir, tempdir};
use test_support::until;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::*;

const LONG: Duration = Duration::from_mins(1);
const ANSWER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const IN_HOSTS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// The type of records with an IPv4 address (RFC 1035, 3.2.2).
const A: [u8; 2] = [0, 1];

/// Counts how often it was asked for the IPv4 address of each name. It answers [`ANSWER`], nothing to names that begin with
/// `silent`, and that there is none for those with `none`.
struct NameServer {
    asked: Arc<Mutex<HashMap<String, usize>>>,
    task: AbortHandle,
    folder: TempDir,
    port: u16,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let task = tokio::spawn(answer(socket, Arc::clone(&asked))).abort_handle();
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("servers"), "nameserver 127.0.0.1\n").unwrap();
        let name_server = Self { asked, task, folder, port };
        name_server.write_hosts("192.0.2.7 db.internal DB2 # not this\n", 1);
        name_server
    }

    /// `at`: seconds since 1970, since two writes may come within one tick of the file system.
    fn write_hosts(&self, text: &str, at: u64) {
        let path = self.folder.path().join("hosts");
        fs::write(&path, text).unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    }

    fn resolver(&self, within: Duration) -> Resolver {
        let [servers, hosts] = ["servers", "hosts"].map(|name| self.folder.path().join(name));
        Resolver::of(SystemFiles { servers, hosts, port: self.port }, within)
    }

    fn names_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    async fn until_asked(&self, count: usize) {
        until("the look-ups", async || {
            let asked = self.names_asked();
            if asked == count { Ok(()) } else { Err(asked) }
        })
        .await;
    }

    fn times_asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(socket: UdpSocket, asked: Arc<Mutex<HashMap<String, usize>>>) {
    let mut query = [0; 1024];
    loop {
        let (length, from) = socket.recv_from(&mut query).await.unwrap();
        let (name, question) = question(&query[12..length]);
        let is_first_kind = question.ends_with(&[A, [0, 1]].concat());
        if is_first_kind {
            *asked.lock().unwrap().entry(name.clone()).or_default() += 1;
        }
        if name.starts_with("silent") {
            continue;
        }
        // A response, recursion available, and its code (RFC 1035, 4.1.1).
        let code = if name.starts_with("none") { 3 } else { 0 };
        let is_answered = u8::from(code == 0 && is_first_kind);
        let mut reply =
            [&query[..2], &[0x81, 0x80 | code, 0, 1, 0, is_answered, 0, 0, 0, 0]].concat();
        reply.extend(question);
        if is_answered == 1 {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1]);
        }
        socket.send_to(&reply, from).await.unwrap();
    }
}

/// The name of the first question, and its bytes.
fn question(rest: &[u8]) -> (String, &[u8]) {
    let (mut labels, mut at) = (Vec::new(), 0);
    while rest[at] > 0 {
        let end = at + 1 + usize::from(rest[at]);
        labels.push(String::from_utf8(rest[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    (labels.join("."), &rest[..at + 5])
}

fn host(name: &str, workspace: u128) -> Address {
    Address::new(name, 22).of_workspace(WorkspaceId(Uuid::from_u128(workspace)))
}

/// Looks up names that are never answered.
fn begin(resolver: &Resolver, count: usize, workspace: u128) -> AbortHandle {
    let look_up = |n: usize| {
        let host = host(&format!("silent-{workspace}-{n}.example"), workspace);
        let resolver = resolver.clone();
        async move { resolver.resolve(&host).await }
    };
    let look_ups: Vec<_> = (0..count).map(look_up).collect();
    tokio::spawn(join_all(look_ups)).abort_handle()
}

#[tokio::test]
async fn names_that_are_never_answered_hold_up_no_other_workspace() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(LONG);
    let look_ups = begin(&resolver, 600, 1);
    name_server.until_asked(LOOKUPS_OF_ONE_MAX).await;

    assert_eq!(resolver.resolve(&host("other.example", 2)).await, Ok(vec![ANSWER]));

    assert_eq!(name_server.names_asked(), LOOKUPS_OF_ONE_MAX + 1);
    // What is given up leaves its place.
    look_ups.abort();
    assert_eq!(resolver.resolve(&host("own.example", 1)).await, Ok(vec![ANSWER]));
    assert_eq!(resolver.0.all.available_permits(), LOOKUPS_MAX);
}

#[tokio::test]
async fn of_all_workspaces_together_some_names_are_looked_up_at_once() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(LONG);
    let look_ups: Vec<AbortHandle> = (0..20).map(|one| begin(&resolver, 20, one)).collect();
    name_server.until_asked(LOOKUPS_MAX).await;

    // Neither needs a place.
    assert_eq!(resolver.resolve(&host("192.0.2.9", 30)).await.unwrap().len(), 1);
    assert_eq!(resolver.resolve(&host("db.internal", 30)).await, Ok(vec![IN_HOSTS]));

    assert_eq!(name_server.names_asked(), LOOKUPS_MAX);
    look_ups.iter().for_each(AbortHandle::abort);
    assert_eq!(resolver.resolve(&host("other.example", 30)).await, Ok(vec![ANSWER]));
}

#[tokio::test]
async fn who_gets_no_turn_in_time_is_not_told_that_the_name_has_no_address() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(Duration::from_millis(50));
    let own = resolver.places_of(host("", 1).workspace);
    let held = own.acquire_many(u32::try_from(LOOKUPS_OF_ONE_MAX).unwrap()).await.unwrap();
    let late = resolver.resolve(&host("own.example", 1)).await;
    assert_eq!(late, Err(RemoteError::TimedOut(ConnectFailure::Address)));
    assert_eq!(name_server.names_asked(), 0);
    drop(held);
}

#[tokio::test]
async fn a_name_that_is_not_answered_and_one_without_an_address_are_one_error() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(Duration::from_secs(1));
    for name in ["silent.example", "none.example"] {
        let outcome = resolver.resolve(&host(name, 1)).await;
        assert_eq!(outcome, Err(RemoteError::Address(AddressError::NotAllowed)), "{name}");
        assert!(name_server.times_asked(name) > 0, "{name}");
    }
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_is_read_again_when_it_has_changed() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(LONG);
    for name in ["db.internal", "DB.Internal.", "db2"] {
        assert_eq!(resolver.resolve(&host(name, 1)).await, Ok(vec![IN_HOSTS]), "{name}");
    }
    assert_eq!(name_server.names_asked(), 0);

    name_server.write_hosts("192.0.2.8 db.internal\n2001:db8::8 db.internal\n", 2);

    let both: Vec<IpAddr> = ["192.0.2.8", "2001:db8::8"].map(|ip| ip.parse().unwrap()).to_vec();
    assert_eq!(resolver.resolve(&host("db.internal", 1)).await, Ok(both));
    assert_eq!(name_server.names_asked(), 0);
}

#[tokio::test]
async fn no_answer_is_kept() {
    let name_server = NameServer::start().await;
    let resolver = name_server.resolver(LONG);
    let mut before = 0;
    for _ in 0..3 {
        assert_eq!(resolver.resolve(&host("one.example", 1)).await, Ok(vec![ANSWER]));
        let now = name_server.times_asked("one.example");
        assert!(now > before, "{now}");
        before = now;
    }
}

#[tokio::test]
async fn workspaces_that_look_up_nothing_take_no_memory() {
    let resolver = NameServer::start().await.resolver(LONG);
    let held = resolver.places_of(host("", 1000).workspace);
    for workspace in 0..1000 {
        drop(resolver.places_of(host("", workspace).workspace));
    }
    // The one that is held, and the last one, which goes with the next.
    assert_eq!(resolver.0.each.lock().unwrap().len(), 2);
    drop(held);
}
