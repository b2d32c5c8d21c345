//! The story of an account through HTTP, each part in its own database.

mod addresses;
mod audit;
mod consents;
mod erasure;
mod look_alikes;
mod orders;
mod parked;
mod passwords;
mod problems;
mod properties;
mod queues;
mod registration;
mod repeated;
mod sent_again;
mod sessions;
mod strangers;
mod unverified;

use tests::{Client, Installation, Person, TestServer};

/// One node, and somebody who has settled there.
struct AccountHarness {
    installation: Installation,
    node: TestServer,
    /// Nobody in particular.
    anybody: Client,
    ada: Person,
    /// Ada, signed in.
    signed_in: Client,
}

impl AccountHarness {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let node = installation.node().await;
        let anybody = node.client();
        let ada = Person::named("ada");
        let signed_in = ada.settle(&anybody, &installation).await;
        Self { installation, node, anybody, ada, signed_in }
    }

    /// An operator's client.
    async fn operator(&self, scope: &str) -> Client {
        let arguments = ["token", "create", "--scope", scope];
        let made = self.installation.run(&arguments).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout).unwrap();
        self.anybody.bearing(token.trim())
    }
}

/// What `GET` answers once the read side has come to a position that this client was given.
async fn read_at(client: &Client, path: &str, position: &str) -> tests::Answer {
    client.get_at(path, position).await.expect(200)
}

/// The types of the events that sessions were closed for; `None` for a cause that is no event.
pub async fn causes_of_closing(installation: &Installation) -> Vec<Option<String>> {
    let causes = "select e.event_type from (
            select cause from working.closings
            union all
            select causation from event_log.events where event_type = 'session.closed') closed
        left join event_log.events e on e.event_id = closed.cause";
    let rows = installation.log().await.query(causes, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
