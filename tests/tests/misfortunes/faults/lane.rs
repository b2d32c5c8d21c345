//! One installation with a machine of its own, and the people's way to it: it has one fault after the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Machine, MachineOptions, MachineUser};
use tests::{Answer, Client, Harness, Installation, Person, TestServer, results, until};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::proxy::FaultyProxy;
use super::record::{Entry, Hundredths, command, read};

const SETTINGS: [(&str, &str); 5] = [
    ("egress_allow", "127.0.0.1/32:*"),
    ("monitor_seconds", "0"),
    ("seat_lease_seconds", "3600"),
    ("ssh_connect_seconds", "10"),
    ("run_lost_seconds", "5"),
];
const USER: MachineUser = MachineUser::Plain;
/// A node that is stopped does not answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const BEATS_OF_DEPLOYMENT: u32 = 15;

pub struct Lane {
    pub installation: Installation,
    pub log: tokio_postgres::Client,
    pub home: Machine,
    /// Has the address of the server for a while.
    pub away: Arc<Machine>,
    pub proxy: FaultyProxy,
    pub server: String,
    pub deployment: String,
    /// When the power of the server failed.
    pub reboots: Mutex<Vec<Hundredths>>,
    name: String,
    ada: Client,
    workspace: String,
    /// Where the node is that is spoken to.
    base: Mutex<String>,
}

impl Lane {
    /// With a name that no other lane has, since all of them share `away`.
    pub async fn start(name: String, away: &Arc<Machine>) -> (Self, TestServer) {
        let installation = Installation::with(&SETTINGS).await.with_failpoints();
        let Harness { installation, node, ada, path: workspace } = Harness::on(installation).await;
        let home = Machine::start(&MachineOptions::default()).expect("another machine");
        let mut lane = Self {
            log: installation.log().await,
            proxy: FaultyProxy::to(home.port()).await,
            installation,
            home,
            away: Arc::clone(away),
            server: String::new(),
            deployment: String::new(),
            reboots: Mutex::default(),
            name,
            ada,
            workspace,
            base: Mutex::new(node.api().to_owned()),
        };
        lane.post("seat-leases", &json!({}), 201).await;
        let port = lane.proxy.port();
        let place =
            json!({ "name": "engine", "host": "127.0.0.1", "port": port, "user": USER.name() });
        lane.server = lane.post("servers", &place, 201).await.field("/server_id");
        lane.approve(&lane.home).await;
        lane.attach(&lane.home).await;
        let steps = command(&lane.group("site"), BEATS_OF_DEPLOYMENT, 0);
        let steps = json!([{ "name": "release", "command": steps }]);
        let deployments = format!("{}/deployments", lane.at_server());
        let body = json!({ "name": "site", "steps": steps });
        let made = lane.post(&deployments, &body, 201).await;
        lane.deployment = made.field("/deployment_id");
        (lane, node)
    }

    /// What no other lane has on record.
    pub fn group(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    fn prefix(&self) -> String {
        format!("{}-", self.name)
    }

    /// Of this lane, on both machines.
    pub fn record(&self) -> Vec<Entry> {
        read(&[self.home.record(), self.away.record()], &self.prefix())
    }

    /// All requests go there from now on.
    pub fn speak_to(&self, node: &TestServer) {
        node.api().clone_into(&mut self.base.lock().unwrap());
    }

    fn at_server(&self) -> String {
        format!("servers/{}", self.server)
    }

    fn call(&self, method: Method, path: &str) -> tests::Call {
        let base = self.base.lock().unwrap().clone();
        self.ada.at(&base).call(method, &format!("{}/{path}", self.workspace))
    }

    /// `None`: no node answers, or it does not know yet.
    pub async fn show(&self, run: &str) -> Option<Value> {
        let sent = self.call(Method::GET, &format!("runs/{run}")).try_send();
        let answer = timeout(ANSWERED_WITHIN, sent).await.ok()?.ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Sends it once, and again with the same key wherever it has no such answer.
    pub async fn ask(&self, method: Method, path: &str, body: &Value, statuses: &[u16]) -> Answer {
        let key = Ids::system().uuid().to_string();
        until(&format!("{method} {path} is answered with one of {statuses:?}"), async || {
            self.send(method.clone(), path, body, &key, statuses).await
        })
        .await
    }

    pub async fn post(&self, path: &str, body: &Value, status: u16) -> Answer {
        self.ask(Method::POST, path, body, &[status]).await
    }

    /// Once. Whether it has this answer.
    pub async fn try_post(&self, path: &str, body: &Value, status: u16) -> bool {
        let key = Ids::system().uuid().to_string();
        self.send(Method::POST, path, body, &key, &[status]).await.is_ok()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        key: &str,
        statuses: &[u16],
    ) -> Result<Answer, String> {
        let call = self.call(method, path);
        let call = call.header("Idempotency-Key", key).header("If-Match", "*").json(body);
        match timeout(ANSWERED_WITHIN, call.try_send()).await {
            Ok(Ok(answer)) if statuses.contains(&answer.status) => Ok(answer),
            Ok(Ok(answer)) => Err(format!("{}: {}", answer.status, answer.text())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(late) => Err(late.to_string()),
        }
    }

    /// A person approves the key that the machine shows at the address that the server has.
    pub async fn approve(&self, machine: &Machine) {
        let fingerprint = machine.host_key_fingerprint().unwrap();
        let password = Person::named("ada").password;
        let approval = json!({ "fingerprint": fingerprint, "password": password });
        let approve = format!("{}/host-key/approve", self.at_server());
        let check = format!("{}/check", self.at_server());
        until("the machine is reached, and its key is approved", async || {
            let checked = self.post(&check, &json!({}), 200).await;
            let is_reached = !checked.body.is_empty() && results(&checked.json())[1] == "ok";
            let is_approved = is_reached && self.try_post(&approve, &approval, 200).await;
            if is_approved { Ok(()) } else { Err(checked.text()) }
        })
        .await;
    }

    /// The server has another credential, which the machine lets in.
    pub async fn attach(&self, machine: &Machine) {
        let path = format!("{}/credential", self.at_server());
        let attached = self.ask(Method::PUT, &path, &json!({ "generate": true }), &[200]).await;
        machine.authorize(&attached.field("/public_line")).unwrap();
    }

    /// The server has the address of this machine, where `port` leads to.
    pub async fn move_to(&self, machine: &Machine, port: u16) {
        let path = format!("{}/address", self.at_server());
        let place = json!({ "host": "127.0.0.1", "port": port, "user": USER.name() });
        self.ask(Method::PUT, &path, &place, &[200]).await;
        self.approve(machine).await;
        self.attach(machine).await;
    }
}

/// For as long as a fault lasts.
pub async fn pause(length: Duration) {
    sleep_until(Instant::now() + length).await;
}

/// Whether it became so in time.
pub async fn becomes(within: Duration, mut look: impl AsyncFnMut() -> bool) -> bool {
    let mut ticks = interval(LOOK_EVERY);
    let so = async {
        loop {
            ticks.tick().await;
            if look().await {
                return;
            }
        }
    };
    timeout(within, so).await.is_ok()
}
