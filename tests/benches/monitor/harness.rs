//! One sshd that has every address of 127.0.0.0/8, and a server at each of the first ones.

use std::net::Ipv4Addr;
use std::ops::Range;

use futures_util::{StreamExt, stream};
use infra::remote::Identity;
use reqwest::Method;
use serde_json::json;
use tests::{Client, Installation, Person, Sshd, SshdOptions, TestServer, create_workspace, until};

const AT_ONCE: usize = 8;
const SAMPLES: &str = "select count(*) from working.server_samples";
const REACHABLE: &str =
    "select count(distinct stream_id) from event_log.events where event_type = 'server.reachable'";
const UNREACHABLE: &str =
    "select count(*) from event_log.events where event_type = 'server.unreachable'";

pub struct Harness {
    pub node: TestServer,
    ada: Client,
    workspace: String,
    password: String,
    sshd: Sshd,
    identity: Identity,
    log: tokio_postgres::Client,
}

/// For at most so many servers.
pub async fn installation(servers_max: usize) -> Installation {
    let servers_max = servers_max.max(1000).to_string();
    Installation::with(&[
        ("egress_allow", "127.0.0.0/8:*"),
        ("log", "warn"),
        ("servers_max", &*servers_max),
        ("ssh_connect_seconds", "20"),
    ])
    .await
}

impl Harness {
    pub async fn on(installation: &Installation) -> Self {
        let node = installation.node().await;
        let person = Person::named("ada");
        let ada = person.settle(&node.client(), installation).await;
        let workspace = create_workspace(&ada, "Engines").await;
        // It takes 16 addresses at most, or all: then nobody is let in from another machine.
        let sshd = Sshd::start_with(&SshdOptions {
            config: "AllowUsers *@127.*".to_owned(),
            listen: Ipv4Addr::UNSPECIFIED,
            ..SshdOptions::default()
        });
        let (sshd, identity) = (sshd.unwrap(), Identity::generate().unwrap());
        sshd.authorize(&identity.public_line()).unwrap();
        let log = installation.log().await;
        let password = person.password;
        Self { node, ada, workspace, password, sshd, identity, log }
    }

    pub async fn close(self) {
        self.node.stop().await;
    }

    /// Registers the servers of these numbers, and waits until all up to there are reached.
    pub async fn watch(&self, servers: Range<usize>) {
        let all = i64::try_from(servers.end).unwrap();
        stream::iter(servers).for_each_concurrent(AT_ONCE, |number| self.register(number)).await;
        until("all servers are reached", async || {
            let reached = self.count(REACHABLE).await;
            if reached == all { Ok(()) } else { Err(reached) }
        })
        .await;
    }

    pub async fn samples(&self) -> i64 {
        self.count(SAMPLES).await
    }

    /// How often a server was lost.
    pub async fn losses(&self) -> i64 {
        self.count(UNREACHABLE).await
    }

    async fn count(&self, sql: &str) -> i64 {
        self.log.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// At an address of its own; approves its key and gives it the credential.
    async fn register(&self, number: usize) {
        let Self { ada, workspace, sshd, .. } = self;
        let place = json!({
            "name": format!("web {number}"),
            "host": address(number).to_string(),
            "port": sshd.port(),
            "user": sshd.user(),
        });
        let made = ada.post_once(&format!("{workspace}/servers"), place).await.expect(201);
        let server = made.header("location").unwrap().to_owned();
        let checked = ada.post(&format!("{server}/check"), json!({})).await.expect(200);
        let approves = json!({
            "fingerprint": checked.field("/host_key/seen"), "password": self.password
        });
        let approve = ada.call(Method::POST, &format!("{server}/host-key/approve"));
        let approve = approve.header("If-Match", &checked.etag()).json(approves);
        let etag = approve.send().await.expect(200).etag();
        let attaches = json!({ "private_key": self.identity.to_pem().as_str() });
        ada.put(&format!("{server}/credential"), &etag, attaches).await.expect(200);
    }
}

/// All of 127.0.0.0/8 are this machine's.
fn address(number: usize) -> Ipv4Addr {
    let part = |of: usize| u8::try_from(of).unwrap();
    Ipv4Addr::new(127, 1, part(number / 250), part(1 + number % 250))
}
