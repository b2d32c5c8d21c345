//! Workspaces, through HTTP.

mod deletion;
mod invitations;
mod matrix;
mod members;
mod tokens;

use serde_json::{Value, json};
use tests::{Client, Installation, Person, TestServer, until};

/// An installation on which Ada has made a workspace.
struct Stage {
    installation: Installation,
    node: TestServer,
    ada: Client,
    /// The path of the workspace.
    path: String,
}

impl Stage {
    async fn set() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let installation = Installation::with(settings).await;
        let node = installation.node().await;
        let ada = Person::named("ada").settle(&node.client(), &installation).await;
        let path = made(&ada, "Engines").await;
        Self { installation, node, ada, path }
    }

    /// Ada invites the address; answers the secret of the mailed link.
    async fn invite(&self, email: &str, role: &str) -> String {
        let sent = self.installation.mails(email).len();
        let asks = json!({ "email": email, "role": role });
        self.ada.post(&self.at("invitations"), asks).await.expect(201);
        self.installation.mail(email, sent + 1).await.token().to_owned()
    }

    /// Somebody who has joined in this role.
    async fn colleague(&self, word: &str, role: &str) -> Client {
        let colleague = self.person(word).await;
        let token = self.invite(&format!("{word}@example.org"), role).await;
        let joins = json!({ "token": token });
        colleague.post("/v1/invitations/accept", joins).await.expect(200);
        colleague
    }

    async fn person(&self, word: &str) -> Client {
        Person::named(word).settle(&self.node.client(), &self.installation).await
    }

    fn at(&self, below: &str) -> String {
        format!("{}/{below}", self.path)
    }

    async fn etag(&self) -> String {
        self.ada.get(&self.path).await.expect(200).etag()
    }
}

/// Answers the path of a new workspace.
async fn made(owner: &Client, name: &str) -> String {
    let made = owner.post("/v1/workspaces", json!({ "name": name })).await.expect(201);
    made.header("location").unwrap().to_owned()
}

async fn account(client: &Client) -> String {
    let me = until("the account is there", async || {
        let me = client.get("/v1/me").await;
        (me.status == 200).then_some(me)
    });
    me.await.field("/account_id")
}

#[tokio::test]
async fn a_workspace_is_its_owners_and_looks_to_others_as_if_it_were_not_there() {
    let stage = Stage::set().await;
    let eve = stage.person("eve").await;

    let shown = stage.ada.get(&stage.path).await.expect(200).json();
    assert_eq!((&shown["name"], &shown["role"]), (&json!("Engines"), &json!("owner")));
    let hers = eve.get(&stage.path).await.expect(404).json();
    let nobodys = "/v1/workspaces/00000000-0000-7000-8000-000000000000";
    assert_eq!(hers, eve.get(nobodys).await.expect(404).json());
    stage.node.client().get(&stage.path).await.expect(401);
}

#[tokio::test]
async fn a_workspace_is_renamed_by_whoever_read_its_last_version() {
    let stage = Stage::set().await;
    let etag = stage.etag().await;

    let renamed = stage.ada.patch(&stage.path, &etag, json!({ "name": "Looms" })).await.expect(204);
    let late = stage.ada.patch(&stage.path, &etag, json!({ "name": "Mills" })).await.expect(412);

    assert_eq!(late.etag(), renamed.etag());
    assert_eq!(stage.ada.get(&stage.path).await.expect(200).field("/name"), "Looms");
    let bare = stage.ada.call(reqwest::Method::PATCH, &stage.path).json(json!({ "name": "Mills" }));
    bare.send().await.expect(428);
    let empty = stage.ada.patch(&stage.path, "*", json!({ "name": " " })).await.expect(422);
    assert_eq!(empty.field("/errors/0/pointer"), "/name");
}

#[tokio::test]
async fn ones_workspaces_are_listed_page_by_page_and_nobody_elses() {
    let stage = Stage::set().await;
    let eve = stage.person("eve").await;
    made(&stage.ada, "Looms").await;
    let third = stage.ada.post("/v1/workspaces", json!({ "name": "Mills" })).await.expect(201);
    let least = third.position().to_string();
    let ada = stage.ada.saying("Lethe-Min-Position", &least);

    let mut names = Vec::new();
    let mut path = "/v1/workspaces?limit=2".to_owned();
    loop {
        let page = ada.get(&path).await.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        names.extend(items.map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/workspaces?limit=2&cursor={next}");
    }

    names.sort();
    assert_eq!(names, ["Engines", "Looms", "Mills"]);
    let none = eve.saying("Lethe-Min-Position", &least).get("/v1/workspaces").await.expect(200);
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn roles_and_their_rights_are_data() {
    let stage = Stage::set().await;

    let table = stage.node.client().get("/v1/roles").await.expect(200).json();

    let rights = |role: &str| {
        let roles = table["roles"].as_array().unwrap().clone();
        let found = roles.into_iter().find(|shown| shown["role"] == role).unwrap();
        found["rights"].as_array().unwrap().clone()
    };
    assert_eq!(rights("owner").len(), table["rights"].as_array().unwrap().len());
    assert!(!rights("viewer").contains(&json!("runs:start")));
    let of_tokens: Vec<&Value> = table["rights"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|right| right["tokens"] == false)
        .collect();
    assert_eq!(of_tokens.len(), 3);
}
