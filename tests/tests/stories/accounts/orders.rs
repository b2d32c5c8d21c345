//! A thief of the password and the owner of the mailbox do what they can, in many orders: at the end
//! nothing that the thief ever saw works, and the owner is in.

use futures_util::future::join_all;
use serde_json::json;
use tests::{Answer, Client, Installation, Person, create_workspace, long, until};

use crate::workspaces::tokens::in_days;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The owner gets a new password by mail.
    Reset,
    /// The thief asks for an address of their own.
    Change,
    /// The thief requests the erasure, and cancels it in every second order.
    Erasure,
    /// The thief signs in.
    SignIn,
    /// The thief issues two tokens, and revokes one.
    Revoke,
}

const ACTS: [Act; 5] = [Act::Reset, Act::Change, Act::Erasure, Act::SignIn, Act::Revoke];
/// So many of the 120 orders, where not all of them are asked for.
const ORDERS: usize = 24;
/// As many have their sign-ins wait for the one core that strangers have of two: none takes too long.
const AT_ONCE: usize = 8;

/// All orders, or those that a fixed seed draws.
fn orders() -> Vec<Vec<Act>> {
    let mut all = vec![vec![]];
    for act in ACTS {
        let insert = |order: &Vec<Act>| -> Vec<Vec<Act>> {
            let at = |place| {
                let mut longer = order.clone();
                longer.insert(place, act);
                longer
            };
            (0..=order.len()).map(at).collect()
        };
        all = all.iter().flat_map(insert).collect();
    }
    let mut seed: u64 = 9;
    for last in (1..all.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(seed >> 33).unwrap() % (last + 1);
        all.swap(last, other);
    }
    if !long() {
        all.truncate(ORDERS);
    }
    all
}

struct Story<'a> {
    installation: &'a Installation,
    nodes: &'a [Client; 2],
    owner: Person,
    /// The password that the thief knows.
    stolen: Person,
    workspace: String,
    thiefs_address: String,
    cancels: bool,
    sessions: Vec<String>,
    tokens: Vec<String>,
    links: Vec<String>,
}

impl Story<'_> {
    async fn act(&mut self, act: Act) {
        if act == Act::Reset {
            return self.reset().await;
        }
        // What needs a session begins with one, if the password still works.
        let Some(thief) = self.sign_in().await else { return };
        match act {
            Act::Change => {
                let body =
                    json!({ "email": self.thiefs_address, "password": self.stolen.password });
                let asked = thief.put("/v1/me/email", "*", body).await;
                if asked.status == 202 {
                    let mail = self.installation.mail(&self.thiefs_address, 1).await;
                    self.links.push(mail.token().to_owned());
                }
            }
            Act::Erasure => {
                let body = json!({ "password": self.stolen.password, "grace_days": 3 });
                thief.ask_for_erasure(body).await.expect(202);
                if self.cancels {
                    let again = self.sign_in().await.expect("the password works");
                    again.delete("/v1/me/erasure").await.expect(204);
                }
            }
            Act::Revoke => {
                // Who is being erased issues none.
                let Some(kept) = self.issue(&thief).await else { return };
                let revoked = self.issue(&thief).await.expect("another token").field("/token_id");
                thief.delete(&format!("{}/api-tokens/{revoked}", self.workspace)).await.expect(204);
                let works = self.nodes[1].bearing(&kept.field("/token"));
                works.get(&self.workspace).await.expect(200);
            }
            Act::SignIn | Act::Reset => {}
        }
    }

    async fn issue(&mut self, thief: &Client) -> Option<Answer> {
        let asks = json!({ "name": "x", "scopes": ["workspace:read"], "expires_at": in_days(30) });
        let issued = thief.post(&format!("{}/api-tokens", self.workspace), asks).await;
        if issued.status == 409 {
            assert_eq!(issued.field("/type"), "/problems/erasure-requested");
            return None;
        }
        let issued = issued.expect(201);
        self.tokens.push(issued.field("/token"));
        Some(issued)
    }

    async fn sign_in(&mut self) -> Option<Client> {
        let opened = self.stolen.try_sign_in(&self.nodes[0]).await;
        if self.stolen.password != self.owner.password {
            opened.expect(401);
            return None;
        }
        let token = opened.expect(201).field("/token");
        self.sessions.push(token.clone());
        Some(self.nodes[0].bearing(&token))
    }

    async fn reset(&mut self) {
        let asks = json!({ "email": self.owner.email });
        self.nodes[1].post("/v1/password-resets", asks).await.expect(202);
        let mail = until("the link for a password is mailed", async || {
            let mails = self.installation.mails(&self.owner.email);
            mails.into_iter().find(|mail| mail.subject == "Choose a new password")
        })
        .await;
        "only the owner knows it".clone_into(&mut self.owner.password);
        let chosen = json!({ "token": mail.token(), "password": self.owner.password });
        self.nodes[1].post("/v1/password-resets/completions", chosen).await.expect(204);
    }

    /// On both nodes.
    async fn nothing_works(&self, order: &[Act]) {
        for node in self.nodes {
            self.stolen.try_sign_in(node).await.expect(401);
            for session in &self.sessions {
                assert_eq!(node.bearing(session).get("/v1/me").await.status, 401, "{order:?}");
            }
            for token in &self.tokens {
                let answer = node.bearing(token).get(&self.workspace).await;
                assert_eq!(answer.status, 401, "a token after {order:?}");
            }
            for link in &self.links {
                let answer = node.post("/v1/email-changes", json!({ "token": link })).await;
                // 409: an erasure waits, and the link is over with it.
                assert!(matches!(answer.status, 409 | 410), "a link after {order:?}");
            }
        }
    }
}

async fn play(
    installation: &Installation,
    nodes: &[Client; 2],
    (number, order): (usize, Vec<Act>),
) -> [usize; 3] {
    let owner = Person::named(&format!("owner{number}"));
    let settled = owner.settle(&nodes[0], installation).await;
    let workspace = create_workspace(&settled, "Engines").await;
    let mut story = Story {
        installation,
        nodes,
        stolen: owner.clone(),
        owner,
        workspace,
        thiefs_address: format!("thief{number}@elsewhere.example"),
        cancels: number.is_multiple_of(2),
        sessions: vec![],
        tokens: vec![],
        links: vec![],
    };
    for act in &order {
        story.act(*act).await;
    }
    story.nothing_works(&order).await;

    let back = story.owner.sign_in(&nodes[1]).await;
    if back.get("/v1/me/erasure").await.status == 200 {
        back.delete("/v1/me/erasure").await.expect(204);
    }
    story.nothing_works(&order).await;
    for link in &story.links {
        nodes[0].post("/v1/email-changes", json!({ "token": link })).await.expect(410);
    }
    let me = back.get("/v1/me").await.expect(200);
    assert_eq!(me.field("/email"), story.owner.email, "{order:?}");
    [story.sessions.len(), story.tokens.len(), story.links.len()]
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_the_owner_of_the_mailbox_ends_with_the_account_and_the_thief_with_nothing()
{
    let installation = Installation::new().await;
    let servers = [installation.node().await, installation.node().await];
    let nodes = servers.each_ref().map(tests::TestServer::client);

    let orders = orders();
    let count = orders.len();
    let mut seen = Vec::new();
    for some in orders.into_iter().enumerate().collect::<Vec<_>>().chunks(AT_ONCE) {
        let played = some.iter().map(|order| play(&installation, &nodes, order.clone()));
        seen.extend(join_all(played).await);
    }

    // Controls: the thief saw secrets of each kind.
    let sum = |kind: usize| seen.iter().map(|seen| seen[kind]).sum::<usize>();
    let [sessions, tokens, links] = [sum(0), sum(1), sum(2)];
    println!("{count} orders: {sessions} sessions, {tokens} tokens and {links} links of a thief");
    assert!(sessions >= count && tokens >= count / 4 && links >= 5);
}
