//! Through HTTP, on two nodes: the head of a request is admitted on one, and its body comes while the other
//! takes away what the caller acts with.

#![allow(
    clippy::struct_field_names,
    clippy::disallowed_methods,
    reason = "a test against the real clock"
)]

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Call, Client, Person, RunHarness, TestServer, long};

const RACES: usize = 60;
const RACES_LONG: usize = 1000;
/// One of the two is sent so many short reads later than the other, at most.
const APART_MAX: usize = 4;

const REVOCATIONS: [&str; 4] = ["token", "member", "role", "session"];
const WRITES: [&str; 6] = ["run", "credential", "address", "deployment", "lease", "server"];

struct Races {
    harness: RunHarness,
    here: TestServer,
    there: TestServer,
    /// A server on which nothing runs, since its address changes.
    other: String,
    bob: Person,
}

/// Somebody who acts, and how the log calls them.
struct Actor {
    client: Client,
    account: String,
    /// The token, or the account.
    actor: String,
}

impl Races {
    async fn new() -> Self {
        let settings = [("servers_max", "2000"), ("seat_limit_default", "2000")];
        let (harness, here) = RunHarness::with(&settings).await;
        let there = harness.installation.node().await;
        let operator = here.client().bearing(&harness.installation.operator().await);
        let limit = format!("/v1/admin/workspaces/{}/seat-limit", id_of(&harness.workspace));
        operator.put(&limit, "*", json!({ "limit": 2000 })).await.expect(200);
        let place = json!({ "name": "db", "host": "127.0.0.1", "port": 22, "user": "deploy" });
        let made = harness.post("servers", place).await.expect(201);
        let other = made.header("location").unwrap().to_owned();
        let bob = Person::named("bob");
        let settled = bob.settle(&here.client(), &harness.installation).await;
        let workspace = id_of(&harness.workspace).to_owned();
        harness.installation.join(&workspace, &settled.account().await, "admin").await;
        Self { harness, here, there, other, bob }
    }

    /// An admin, whom node `there` knows.
    async fn actor(&self, revocation: &str, number: usize) -> Actor {
        let installation = &self.harness.installation;
        if revocation == "session" {
            let client = self.bob.sign_in(&self.there.client()).await;
            let account = client.account().await;
            self.lease(&client).await;
            return Actor { client, actor: account.clone(), account };
        }
        let actor = Person::named(&format!("actor-{number}"));
        let client = actor.settle(&self.there.client(), installation).await;
        let account = client.account().await;
        installation.join(id_of(&self.harness.workspace), &account, "admin").await;
        self.lease(&client).await;
        if revocation != "token" {
            return Actor { client, actor: account.clone(), account };
        }
        let token = json!({
            "name": "ci", "expires_at": chrono::Utc::now() + chrono::TimeDelta::days(1),
            "scopes": ["runs:start", "runs:read", "servers:read", "servers:manage", "seats:lease",
                "seats:read", "workspace:read"],
        });
        let made = client.post(&self.harness.path("api-tokens"), token).await.expect(201);
        let client = self.there.client().bearing(&made.field("/token"));
        Actor { client, actor: made.field("/token_id"), account }
    }

    /// Unless there is a lease already.
    async fn lease(&self, client: &Client) {
        let leased = client.post_once(&self.harness.path("seat-leases"), json!({})).await;
        assert!(matches!(leased.status, 201 | 409), "{}", leased.text());
    }

    /// On node `here`, by Ada; a session is closed by itself.
    async fn revoke(&self, revocation: &str, actor: &Actor) -> Answer {
        let ada = &self.harness.ada;
        let at = |rest: String| self.harness.path(&rest);
        let member = || at(format!("members/{}", actor.account));
        let any = |call: Call| call.header("If-Match", "*");
        match revocation {
            "token" => {
                let path = at(format!("api-tokens/{}", actor.actor));
                any(ada.call(Method::DELETE, &path)).send().await
            }
            "member" => any(ada.call(Method::DELETE, &member())).send().await,
            "role" => {
                let lowers = any(ada.call(Method::PUT, &member()));
                lowers.json(json!({ "role": "viewer" })).send().await
            }
            _ => {
                let own = actor.client.at(self.here.client().base());
                own.delete("/v1/me/sessions/current").await
            }
        }
        .expect(if revocation == "role" { 200 } else { 204 })
    }

    fn write(&self, write: &str, actor: &Actor, number: usize) -> Call {
        let at = |rest: &str| self.harness.path(rest);
        let (method, path, body) = match write {
            "run" => {
                let body = json!({ "command": "true", "server_ids": [self.harness.server] });
                (Method::POST, at("runs"), body)
            }
            "credential" => {
                (Method::PUT, format!("{}/credential", self.other), json!({ "generate": true }))
            }
            "address" => {
                let body = json!({ "host": "127.0.0.1", "port": 1024 + number % 64, "user": "x" });
                (Method::PUT, format!("{}/address", self.other), body)
            }
            "deployment" => {
                let step = json!({ "name": "pull", "command": "git pull" });
                let body = json!({ "name": format!("site {number}"), "steps": [step] });
                (Method::POST, format!("{}/deployments", self.other), body)
            }
            "lease" => (Method::POST, at("seat-leases"), json!({})),
            _ => {
                let body = json!({
                    "name": "web", "host": "127.0.0.1", "port": 2222, "user": format!("u{number}"),
                });
                (Method::POST, at("servers"), body)
            }
        };
        let call = actor.client.call(method.clone(), &path).json(body);
        if method == Method::PUT {
            call.header("If-Match", "*")
        } else {
            call.header("Idempotency-Key", &infra::ids::Ids::system().uuid().to_string())
        }
    }

    /// Answers the write, its status, and how many events of the actor are after the revocation.
    async fn race(&self, number: usize) -> (&'static str, u16, i64) {
        let revocation = REVOCATIONS[number % REVOCATIONS.len()];
        let write = WRITES[number / REVOCATIONS.len() % WRITES.len()];
        let actor = self.actor(revocation, number).await;
        if write == "lease" {
            self.release(&actor).await;
        }
        let call = self.write(write, &actor, number);
        let held = actor.client.hold(call, &self.harness.path("seats")).await;
        let (round, place) =
            (number / (REVOCATIONS.len() * WRITES.len()), number % REVOCATIONS.len());
        // Of each write in its turn, so that also a few races of it are early and late ones.
        let apart = (round * REVOCATIONS.len() + place) * 2 % (2 * APART_MAX + 1);
        let revoked = async {
            self.pass_time(apart.saturating_sub(APART_MAX)).await;
            self.revoke(revocation, &actor).await
        };
        let written = async {
            self.pass_time(APART_MAX.saturating_sub(apart)).await;
            held.send().await
        };
        let (revoked, written) = tokio::join!(revoked, written);
        let status = written.status;
        assert!(
            matches!(status, 200 | 201 | 204 | 401 | 403 | 404 | 409),
            "{write} against {revocation}: {status} {}",
            written.text()
        );
        let position = self.harness.installation.position_of(&revoked).await;
        let late = self.events_after(&actor, position).await;
        assert!(late == 0 || status < 300, "{write} against {revocation}: {}", written.text());
        (write, status, late)
    }

    async fn pass_time(&self, reads: usize) {
        for _ in 0..reads {
            self.harness.ada.get(&self.harness.workspace).await;
        }
    }

    /// The actor has no seat any more.
    async fn release(&self, actor: &Actor) {
        let seats = self.harness.get("seats").await.expect(200).json();
        let mine = seats["items"].as_array().unwrap().iter();
        for lease in mine.filter(|lease| lease["account_id"] == actor.account.as_str()) {
            let lease = lease["lease_id"].as_str().unwrap();
            let path = self.harness.path(&format!("seat-leases/{lease}"));
            self.harness.ada.delete(&path).await.expect(204);
        }
    }

    async fn events_after(&self, actor: &Actor, position: i64) -> i64 {
        let count = "select count(*) from event_log.events
            where actor = $1::text::uuid and position > $2";
        let log = self.harness.installation.log().await;
        log.query_one(count, &[&actor.actor, &position]).await.unwrap().get(0)
    }
}

fn id_of(workspace: &str) -> &str {
    workspace.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lands_after_the_answer_to_a_revocation() {
    let _alone = tests::alone().await;
    let count = if long() { RACES_LONG } else { RACES };
    let races = Races::new().await;

    let (mut late, mut statuses) = (0, BTreeMap::<(&str, u16), usize>::new());
    for number in 0..count {
        let (write, status, after) = races.race(number).await;
        late += after;
        *statuses.entry((write, status)).or_default() += 1;
    }

    println!("{count} bodies raced with a revocation: {statuses:?}, {late} events after one");
    let written = |write: &str| -> usize {
        let of = statuses.iter().filter(|((of, status), _)| *of == write && *status < 300);
        of.map(|(_, count)| count).sum()
    };
    let all: usize = WRITES.map(written).iter().sum();
    assert!(WRITES.iter().all(|write| written(write) > 0) && all < count, "no race: {statuses:?}");
    assert_eq!(late, 0);
}
