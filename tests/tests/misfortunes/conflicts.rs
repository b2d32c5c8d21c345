//! Many at once: each lands once or is refused, and none is lost or doubled.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Client, Installation, Person, TestServer, until};
use uuid::Uuid;

const AT_ONCE: usize = 64;
/// After a first conflict the commands of one node run one after another, so only two of them compete
/// at a time, one of each node. If all 64 competed 33 times, about half of them would land.
const LANDED_MIN: usize = 60;

struct TwoServers {
    installation: Installation,
    nodes: [TestServer; 2],
    operator: Client,
}

impl TwoServers {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let nodes = [installation.node().await, installation.node().await];
        let operator = nodes[0].client().bearing(&installation.operator().await);
        Self { installation, nodes, operator }
    }

    /// The same session on the node whose turn it is.
    fn node(&self, turn: usize, like: Option<&Client>) -> Client {
        let client = self.nodes[turn % 2].client();
        like.and_then(Client::token).map_or_else(|| client.clone(), |token| client.bearing(token))
    }

    /// Sends 64 requests at once, over both nodes.
    async fn at_once<A: Future<Output = Answer>>(
        &self,
        like: Option<&Client>,
        ask: impl Fn(usize, Client) -> A,
    ) -> Vec<Answer> {
        join_all((0..AT_ONCE).map(|turn| ask(turn, self.node(turn, like)))).await
    }

    /// How many appends of both nodes met another version than they expected.
    async fn conflicts(&self) -> f64 {
        let mut sum = 0.0;
        for node in &self.nodes {
            let text = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
            let mut lines = text.lines();
            let count = lines.find_map(|line| line.strip_prefix("lethe_append_conflicts_total "));
            sum += count.expect("the metric").parse::<f64>().unwrap();
        }
        sum
    }

    /// Every event of a type in the audit trail: at most 199, so that it ends where the log ends.
    async fn trail(&self, event_type: &str) -> Vec<Value> {
        let path = format!("/v1/audit-events?limit=200&type={event_type}");
        let found = self.operator.get_read(&path).await.expect(200).json();
        found["items"].as_array().unwrap().clone()
    }
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

/// The requests that landed. Each has a position of its own.
fn landed(answers: &[Answer]) -> BTreeSet<Uuid> {
    let landed = answers.iter().filter(|answer| answer.status < 300);
    let positions: BTreeSet<String> = landed.clone().map(Answer::position).collect();
    let requests: BTreeSet<Uuid> = landed.map(Answer::request).collect();
    assert_eq!(positions.len(), requests.len(), "two answers name one position");
    requests
}

fn requests_of(events: &[Value]) -> BTreeSet<Uuid> {
    events.iter().map(|event| event["request_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_registrations_of_one_address_one_lands() {
    let _alone = tests::alone().await;
    let servers = TwoServers::new().await;
    let ada = Person::named("ada");

    let answers = servers.at_once(None, async |turn, client| {
        let client = client.saying("Idempotency-Key", &format!("registration-{turn:04}"));
        ada.try_register(&client).await
    });
    let answers = answers.await;

    assert_eq!(statuses(&answers), [&[201][..], &[409; AT_ONCE - 1]].concat());
    let registered = servers.trail("account.registered").await;
    assert_eq!(requests_of(&registered), landed(&answers));
    // And it is one that can be used.
    ada.verify(&servers.node(1, None), &servers.installation).await;
    ada.sign_in(&servers.node(0, None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_commands_at_one_version_one_lands() {
    let _alone = tests::alone().await;
    let servers = TwoServers::new().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&servers.node(0, None), &servers.installation).await;
    // The sign-in itself is an event of the account: the version that stands is the one that lands.
    let etag = until("caught up", async || {
        let me = signed_in.get("/v1/me").await;
        let etag = me.header("etag")?.to_owned();
        let first = signed_in.patch("/v1/me", &etag, json!({ "name": "first" })).await;
        (first.status == 200).then(|| first.etag())
    });
    let etag = etag.await;

    let answers = servers.at_once(Some(&signed_in), async |turn, client| {
        client.patch("/v1/me", &etag, json!({ "name": format!("name {turn}") })).await
    });
    let answers = answers.await;

    assert_eq!(statuses(&answers), [&[200][..], &[412; AT_ONCE - 1]].concat());
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    let me = signed_in.get_at("/v1/me", &answers[winner].position()).await.expect(200);
    assert_eq!(me.field("/name"), format!("name {winner}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_commands_on_one_account_each_lands_once_or_is_refused() {
    let _alone = tests::alone().await;
    let servers = TwoServers::new().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&servers.node(0, None), &servers.installation).await;

    let give = async |turn: usize, client: Client| {
        let given = json!({ "policy_version": turn + 1 });
        client.put("/v1/me/consents/product_news", "*", given).await
    };
    let before = servers.conflicts().await;
    let answers = servers.at_once(Some(&signed_in), give).await;
    let conflicts = servers.conflicts().await - before;
    assert!(conflicts > 0.0, "no two commands met");

    let mut landed = landed(&answers);
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    println!("{done} of {AT_ONCE} landed after {conflicts} conflicts, {:?}", statuses(&answers));
    assert!(done >= LANDED_MIN, "{done} landed: those of one node do not wait for each other");
    // A command that lost every try of its own is refused: the client may send it again.
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        let refused = refused.clone().expect(503);
        assert_eq!(refused.field("/type"), "/problems/unavailable");
    }
    assert_eq!(landed.len(), done);
    assert_eq!(requests_of(&servers.trail("account.consent_given").await), landed);

    // What was refused was not done: alone, it is.
    for (turn, _) in answers.iter().enumerate().filter(|(_, answer)| answer.status == 503) {
        landed.insert(give(turn, servers.node(turn, Some(&signed_in))).await.expect(200).request());
    }
    assert_eq!(landed.len(), AT_ONCE);
    assert_eq!(requests_of(&servers.trail("account.consent_given").await), landed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_64_times_at_once_is_one_event_and_one_answer() {
    let _alone = tests::alone().await;
    let servers = TwoServers::new().await;
    let (ada, key) = (Person::named("ada"), "0123456789abcdef-ada");
    let keyed =
        async |_, client: Client| ada.try_register(&client.saying("Idempotency-Key", key)).await;
    let answers = servers.at_once(None, keyed).await;

    let mut answers = served(answers);
    answers.push(keyed(0, servers.node(0, None)).await);
    same(&answers, 201);
    assert_eq!(servers.trail("account.registered").await.len(), 1);

    let other = json!({ "email": ada.email, "name": "Another", "password": ada.password });
    let again = servers.node(1, None).saying("Idempotency-Key", key);
    again.post("/v1/accounts", other).await.expect(422);

    // And of somebody who is signed in.
    let signed_in = ada.sign_in(&servers.node(0, None)).await;
    let answers = servers.at_once(Some(&signed_in), async |_, client| {
        let client = client.saying("Idempotency-Key", key);
        client.post("/v1/me/email-verification", json!({})).await
    });
    let answers = served(answers.await);
    same(&answers, 202);
    assert_eq!(servers.trail("account.verification_requested").await.len(), 1);
    servers.installation.mail(&ada.email, 2).await;
}

/// Without those that came while their node was serving the same request.
fn served(answers: Vec<Answer>) -> Vec<Answer> {
    let waits = |it: &Answer| it.status == 409 && it.field("/type") == "/problems/in-flight";
    answers.into_iter().filter(|answer| !waits(answer)).collect()
}

fn same(answers: &[Answer], status: u16) {
    let first = answers[0].clone().expect(status);
    for answer in answers {
        assert_eq!((answer.status, &answer.body), (status, &first.body), "{}", answer.text());
        assert_eq!(answer.header("lethe-position"), first.header("lethe-position"));
        assert_eq!(answer.header("etag"), first.header("etag"));
    }
}
