//! A workspace with people in it.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Installation, Person, TestServer, until};

pub struct House {
    pub installation: Installation,
    pub node: TestServer,
    pub workspace: String,
    /// Who owns the workspace.
    pub ada: Client,
}

impl House {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let installation = Installation::with(settings).await;
        let node = installation.node().await;
        let ada = Person::named("ada").settle(&node.client(), &installation).await;
        let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
        let workspace = made.field("/workspace_id");
        Self { installation, node, workspace, ada }
    }

    /// Somebody else in the workspace.
    pub async fn colleague(&self, word: &str, role: &str) -> Client {
        let person = Person::named(word).settle(&self.node.client(), &self.installation).await;
        self.installation.join(&self.workspace, &person.account().await, role).await;
        person
    }

    pub async fn operator(&self) -> Client {
        self.node.client().bearing(&self.installation.operator().await)
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/{rest}", self.workspace)
    }

    pub async fn ask(&self, who: &Client) -> Answer {
        self.ask_again(who, &Ids::system().uuid().to_string()).await
    }

    pub async fn ask_again(&self, who: &Client, key: &str) -> Answer {
        let call = who.call(Method::POST, &self.path("seat-leases"));
        call.header("Idempotency-Key", key).send().await
    }

    /// Leases a seat, which there is; answers the lease and its fence.
    pub async fn lease(&self, who: &Client) -> (String, u64) {
        held(&self.ask(who).await.expect(201))
    }

    pub async fn renew(&self, who: &Client, lease: &str, fence: u64) -> Answer {
        let path = self.path(&format!("seat-leases/{lease}/renew"));
        who.post(&path, json!({ "fence": fence })).await
    }

    pub async fn take_over(&self, who: &Client, lease: &str) -> Answer {
        who.post(&self.path(&format!("seat-leases/{lease}/take-over")), json!({})).await
    }

    pub async fn give_back(&self, who: &Client, lease: &str) -> Answer {
        who.delete(&self.path(&format!("seat-leases/{lease}"))).await
    }

    /// The seats as they are shown once `so` is true of them.
    pub async fn seats(&self, so: impl Fn(&Value) -> bool) -> Value {
        until("the seats are so", async || {
            let shown = self.ada.get(&self.path("seats")).await;
            (shown.status == 200).then(|| shown.json()).filter(|shown| so(shown))
        })
        .await
    }

    pub async fn set_limit(&self, operator: &Client, limit: u32) {
        let path = format!("/v1/admin/workspaces/{}/seat-limit", self.workspace);
        operator.call(Method::PUT, &path).json(json!({ "limit": limit })).send().await.expect(204);
    }

    /// The data of every event of a type.
    pub async fn told(&self, event_type: &str) -> Vec<Value> {
        let log = self.installation.log().await;
        let sql = "select data::text from event_log.events where event_type = $1 order by position";
        let rows = log.query(sql, &[&event_type]).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    pub async fn rows(&self) -> i64 {
        let count = "select count(*) from working.seat_leases";
        self.installation.log().await.query_one(count, &[]).await.unwrap().get(0)
    }
}

pub fn held(answer: &Answer) -> (String, u64) {
    let fence = answer.json()["fence"].as_u64().unwrap();
    (answer.field("/lease_id"), fence)
}

/// What kind of problem it is.
#[track_caller]
pub fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.field("/type").trim_start_matches("/problems/").to_owned()
}
