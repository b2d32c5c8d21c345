//! A server with a workspace of Ada's: where most stories begin.

mod blind;
mod runs;
mod seats;
mod servers;

use serde_json::{Value, json};

use crate::{Client, Installation, Person, TestServer};

pub use blind::BlindSshd;
pub use runs::RunHarness;
pub use seats::{lease_of, problem};
pub use servers::{move_server, register_machine, register_server, results};

pub struct Harness {
    pub installation: Installation,
    pub node: TestServer,
    /// Who owns the workspace.
    pub ada: Client,
    /// The path of the workspace.
    pub path: String,
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(Installation::with(settings).await).await
    }

    pub async fn on(installation: Installation) -> Self {
        let node = installation.node().await;
        let ada = Person::named("ada").settle(&node.client(), &installation).await;
        let path = create_workspace(&ada, "Engines").await;
        Self { installation, node, ada, path }
    }

    /// A path below the workspace's.
    pub fn at(&self, below: &str) -> String {
        format!("{}/{below}", self.path)
    }

    pub fn workspace_id(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// The workspace's.
    pub async fn etag(&self) -> String {
        self.etag_of(&self.path).await
    }

    pub async fn etag_of(&self, path: &str) -> String {
        self.ada.get(path).await.expect(200).etag()
    }

    /// Somebody who is not in the workspace.
    pub async fn person(&self, name: &str) -> Client {
        Person::named(name).settle(&self.node.client(), &self.installation).await
    }

    /// Somebody who has joined, past the invitation and its mail.
    pub async fn member(&self, name: &str, role: &str) -> Client {
        let person = self.person(name).await;
        self.installation.join(self.workspace_id(), &person.account().await, role).await;
        person
    }

    /// Ada invites the address; answers the secret of the mailed link.
    pub async fn invite(&self, email: &str, role: &str) -> String {
        let before = self.installation.mails(email);
        let body = json!({ "email": email, "role": role });
        self.ada.post(&self.at("invitations"), body).await.expect(201);
        self.installation.mailbox().another(email, &before).await.token().to_owned()
    }

    /// Somebody who was invited by mail, and has joined.
    pub async fn invited(&self, name: &str, role: &str) -> Client {
        let person = self.person(name).await;
        let token = self.invite(&Person::named(name).email, role).await;
        let body = json!({ "token": token });
        person.post("/v1/invitations/accept", body).await.expect(200);
        person
    }

    pub async fn operator(&self) -> Client {
        self.node.client().bearing(&self.installation.operator().await)
    }

    pub async fn set_seat_limit(&self, operator: &Client, limit: u32) {
        let path = format!("/v1/admin/workspaces/{}/seat-limit", self.workspace_id());
        operator.put(&path, "*", json!({ "limit": limit })).await.expect(200);
    }

    /// The data of every event of a type, in the order of the log.
    pub async fn events(&self, event_type: &str) -> Vec<Value> {
        self.installation.events(event_type).await
    }
}

/// Answers the path of a new workspace.
pub async fn create_workspace(owner: &Client, name: &str) -> String {
    let made = owner.post("/v1/workspaces", json!({ "name": name })).await.expect(201);
    made.header("location").unwrap().to_owned()
}
