//! Between a request for its deletion and the end of the grace, and while nobody owns it, nothing begins in a
//! workspace: it is read, and what runs, waits or has a right there is ended.

use reqwest::Method;
use serde_json::json;
use tests::{Client, Installation, Person, Sshd, TestServer, until};

use super::operation::{fresh, operations_of_workspaces};
use super::tenant::Tenant;

/// What ends something, or takes a right away.
const ENDS: [&str; 7] = [
    "DELETE /v1/workspaces/{workspace_id}/members/{account_id}",
    "DELETE /v1/workspaces/{workspace_id}/invitations/{invitation_id}",
    "DELETE /v1/workspaces/{workspace_id}/api-tokens/{token_id}",
    "DELETE /v1/workspaces/{workspace_id}/seat-leases/{lease_id}",
    "DELETE /v1/workspaces/{workspace_id}/succession",
    "POST /v1/workspaces/{workspace_id}/runs/{run_id}/cancel",
    "POST /v1/workspaces/{workspace_id}/deletion/hasten",
];
const AGREES: &str = "PUT /v1/workspaces/{workspace_id}/succession";

struct Fixture {
    _sshd: Sshd,
    installation: Installation,
    node: TestServer,
    ada: Tenant,
}

impl Fixture {
    async fn new() -> Self {
        let sshd = Sshd::start().unwrap();
        let allow = format!("127.0.0.1/32:{}", sshd.port());
        let settings = [
            ("egress_allow", allow.as_str()),
            ("monitor_seconds", "0"),
            ("seat_lease_seconds", "3600"),
        ];
        let installation = Installation::with(&settings).await;
        let node = installation.node().await;
        let ada = Tenant::settle(&installation, &node.client(), "ada", &sshd).await;
        Self { _sshd: sshd, installation, node, ada }
    }

    fn workspace(&self) -> String {
        format!("/v1/workspaces/{}", self.ada.things["workspace_id"])
    }

    async fn member(&self, name: &str, role: &str) -> Client {
        let person = Person::named(name).settle(&self.node.client(), &self.installation).await;
        let account = person.account().await;
        self.installation.join(&self.ada.things["workspace_id"], &account, role).await;
        person
    }

    /// Ada asks for each operation: all but what ends something, or is one of `besides`, is refused as `problem`.
    async fn ask_for_all(&self, problem: &str, besides: &[&str]) {
        let (ada, workspace) = (&self.ada, self.workspace());
        let (mut read, mut refused, mut passed) = (0, 0, 0);
        // What is read first is not yet ended.
        let mut operations = operations_of_workspaces(&self.node.client()).await;
        operations.sort_by_key(|operation| operation.method != Method::GET);
        for operation in operations {
            let path = operation.filled(|name| ada.things[name].clone());
            if operation.method == Method::GET {
                let answer = ada.session.get(&path).await;
                // Some need a query, and not every workspace has a deletion.
                let absent = answer.status == 404 && path.ends_with("/deletion");
                assert!(absent || matches!(answer.status, 200 | 400), "{path}: {}", answer.text());
                read += 1;
            } else if path != workspace && path != format!("{workspace}/deletion") {
                let call = ada.session.call(operation.method.clone(), &path);
                let call = call.header("If-Match", "*").header("Idempotency-Key", &fresh());
                let answer = call.json(json!({})).send().await;
                let is_refused = answer.text().contains(problem);
                let goes_on = ENDS.iter().chain(besides).any(|other| *other == operation.name());
                assert_eq!(is_refused, !goes_on, "{path}: {} {}", answer.status, answer.text());
                refused += usize::from(!goes_on);
                passed += usize::from(goes_on);
            }
        }
        assert!(read >= 14 && refused >= 18, "{read} read, {refused} refused");
        assert_eq!(passed, ENDS.len() + besides.len());
    }
}

#[tokio::test]
async fn in_the_grace_of_a_deletion_what_begins_something_is_refused_and_what_ends_something_is_not()
 {
    let given = Fixture::new().await;
    let (ada, workspace) = (&given.ada.session, given.workspace());
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let deletion = format!("{workspace}/deletion");
    let delete = ada.call(Method::POST, &deletion).header("If-Match", "*");
    delete.json(asks).send().await.expect(202);

    given.ask_for_all("/problems/workspace-deleting", &[]).await;

    ada.delete(&deletion).await.expect(204);
    ada.patch(&workspace, "*", json!({ "name": "Mills" })).await.expect(200);
}

#[tokio::test]
async fn while_nobody_owns_a_workspace_the_same_goes_on_and_an_admin_may_own_it() {
    let mut given = Fixture::new().await;
    let bob = given.member("bob", "owner").await;
    let eve = given.member("eve", "viewer").await.account().await;
    let (ada, workspace) = (given.ada.session.clone(), given.workspace());
    let own = format!("{workspace}/members/{}", ada.account().await);
    ada.put(&own, "*", json!({ "role": "admin" })).await.expect(200);
    // She is not the last to leave.
    given.ada.things.insert("account_id", eve);
    given.member("dan", "viewer").await;
    let password = Person::named("bob").password;
    let asks = json!({ "password": password, "grace_days": 0, "leave_workspaces": true });
    bob.ask_for_erasure(asks).await.expect(202);
    until("nobody owns it", async || {
        let shown = ada.get(&workspace).await.expect(200).json();
        (shown["restricted"] == true).then_some(())
    })
    .await;

    given.ask_for_all("/problems/workspace-restricted", &[AGREES]).await;

    let refused = ada.patch(&workspace, "*", json!({ "name": "Mills" })).await.expect(409);
    assert_eq!(refused.field("/type"), "/problems/workspace-restricted");
    let agrees = json!({ "password": Person::named("ada").password });
    let owned = ada.put(&format!("{workspace}/succession"), "*", agrees).await.expect(200).json();
    assert_eq!(owned, json!({ "restricted": false, "items": [] }));
    ada.patch(&workspace, "*", json!({ "name": "Mills" })).await.expect(200);
}
