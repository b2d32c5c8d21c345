//! A closed session is refused on every node within a second.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tests::{Client, Installation, Person, TestServer, until};

const LIMIT: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(10);
/// Sessions closed in each of the three ways.
const SESSIONS: usize = 17;

/// One session, as two nodes see it.
struct Session {
    id: String,
    here: Client,
    there: Client,
}

impl Session {
    async fn open(person: &Person, nodes: &[TestServer; 2]) -> Self {
        let opened = person.try_sign_in(&nodes[0].client()).await.expect(201);
        let token = opened.field("/token");
        let [here, there] = [0, 1].map(|node| nodes[node].client().bearing(&token));
        Self { id: opened.field("/session_id"), here, there }
    }

    /// Asks both nodes all the time until the limit would have been broken; answers when the last
    /// request was sent that was served.
    async fn last_served(&self, closed: Instant) -> Duration {
        let watch = async |node: &Client| {
            let mut last = closed;
            let mut ticks = tokio::time::interval(EVERY);
            loop {
                ticks.tick().await;
                let sent = Instant::now();
                match node.get("/v1/me/consents").await.status {
                    200 => {
                        let open = sent.saturating_duration_since(closed);
                        assert!(open < 5 * LIMIT, "the session is not closed");
                        last = sent;
                    }
                    // Refused once is refused for good: a cache may not bring it back.
                    401 if closed.elapsed() > LIMIT + LIMIT / 5 => return last,
                    // 503: a busy machine was late to learn what is closed, and serves nobody until it knows.
                    401 | 503 => {}
                    other => panic!("{other}"),
                }
            }
        };
        let (here, there) = tokio::join!(watch(&self.here), watch(&self.there));
        here.max(there).saturating_duration_since(closed)
    }
}

async fn open(
    person: &Person,
    nodes: &[TestServer; 2],
    installation: &Installation,
) -> Vec<Session> {
    person.settle(&nodes[0].client(), installation).await;
    join_all((0..SESSIONS).map(|_| Session::open(person, nodes))).await
}

/// Both nodes have just served every session: whatever they cache, they have.
async fn warm(sessions: &[Session]) {
    let asked = sessions.iter().flat_map(|session| [&session.here, &session.there]);
    let served = asked.map(async |node| {
        until("served", async || (node.get("/v1/me/consents").await.status == 200).then_some(()))
            .await;
    });
    join_all(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_is_refused_on_two_nodes_within_a_second() {
    let _alone = tests::alone().await;
    let installation = Installation::new().await;
    let nodes = [installation.node().await, installation.node().await];
    let [ada, bob, cleo] = ["ada", "bob", "cleo"].map(Person::named);
    let (adas, bobs, cleos) = tokio::join!(
        open(&ada, &nodes, &installation),
        open(&bob, &nodes, &installation),
        open(&cleo, &nodes, &installation),
    );
    let mut took = Vec::new();

    // One by one, some here and some there.
    let keeper = ada.sign_in(&nodes[1].client()).await;
    warm(&adas).await;
    let closings = adas.iter().map(async |session| {
        keeper.delete(&format!("/v1/me/sessions/{}", session.id)).await.expect(204);
        session.last_served(Instant::now()).await
    });
    took.extend(join_all(closings).await);

    // All the others, by a new password.
    let keeper = bob.sign_in(&nodes[1].client()).await;
    warm(&bobs).await;
    let change = json!({ "current": bob.password, "new": "another password of bob" });
    keeper.put("/v1/me/password", "*", change).await.expect(204);
    let closed = Instant::now();
    took.extend(join_all(bobs.iter().map(|session| session.last_served(closed))).await);
    keeper.get("/v1/me/consents").await.expect(200);

    // All of them, by a request to be forgotten.
    let keeper = cleo.sign_in(&nodes[0].client()).await;
    warm(&cleos).await;
    let ask = json!({ "password": cleo.password, "grace_days": 7 });
    keeper.ask_for_erasure(ask).await.expect(202);
    let closed = Instant::now();
    took.extend(join_all(cleos.iter().map(|session| session.last_served(closed))).await);
    keeper.get("/v1/me").await.expect(401);

    took.sort();
    let (half, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{} sessions on two nodes: last served {half:?} (p50), {most:?} (max)", took.len());
    assert!(took.len() >= 50);
    assert!(most <= LIMIT, "{took:?}");
}
