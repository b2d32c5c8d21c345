//! Every operation of a workspace, asked in every role and with every scope of a token: the table of
//! rights is what happens.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Installation, Person, Sshd};

use super::operation::{Operation, filled, operations_of_workspaces};
use super::tenant::{Tenant, Things, issue_token};

const WORKSPACE: &str = "/v1/workspaces/{workspace_id}";

/// A version that no workspace reaches here, so that little of what is allowed is done.
const NEVER: &str = "\"999999\"";

/// Which right each operation needs. A second row of an operation is a case with another query.
const NEEDS: &[(&str, &str)] = &[
    ("GET ", "workspace:read"),
    ("PATCH ", "workspace:manage"),
    ("GET /deletion", "workspace:read"),
    ("POST /deletion", "workspace:delete"),
    ("POST /deletion/hasten", "workspace:delete"),
    ("DELETE /deletion", "workspace:delete"),
    ("GET /succession", "members:read"),
    ("PUT /succession", "members:manage"),
    ("DELETE /succession", "members:manage"),
    ("GET /audit-events", "audit:read"),
    ("GET /members", "members:read"),
    ("GET /members?as_of=2026-01-01T00:00:00Z", "members:read"),
    ("GET /members?names=true&purpose=account_administration", "members:manage"),
    ("GET /members/{account_id}", "members:read"),
    ("PUT /members/{account_id}", "members:manage"),
    ("DELETE /members/{account_id}", "members:manage"),
    ("GET /invitations", "members:read"),
    ("POST /invitations", "members:manage"),
    ("GET /invitations/{invitation_id}", "members:read"),
    ("DELETE /invitations/{invitation_id}", "members:manage"),
    ("POST /service-accounts", "members:manage"),
    ("GET /api-tokens", "tokens:manage"),
    ("POST /api-tokens", "tokens:manage"),
    ("GET /api-tokens/{token_id}", "tokens:manage"),
    ("PATCH /api-tokens/{token_id}", "tokens:manage"),
    ("POST /api-tokens/{token_id}/rotate", "tokens:manage"),
    ("DELETE /api-tokens/{token_id}", "tokens:manage"),
    ("GET /seats", "seats:read"),
    ("POST /seat-leases", "seats:lease"),
    ("POST /seat-leases/{lease_id}/renew", "seats:lease"),
    ("POST /seat-leases/{lease_id}/take-over", "seats:lease"),
    ("GET /seat-leases/{lease_id}", "seats:read"),
    ("DELETE /seat-leases/{lease_id}", "seats:lease"),
    ("GET /servers", "servers:read"),
    ("POST /servers", "servers:manage"),
    ("GET /servers/{server_id}", "servers:read"),
    ("PATCH /servers/{server_id}", "servers:manage"),
    ("DELETE /servers/{server_id}", "servers:manage"),
    ("PUT /servers/{server_id}/address", "servers:manage"),
    ("POST /servers/{server_id}/check", "servers:use"),
    ("POST /servers/{server_id}/host-key/approve", "servers:manage"),
    ("PUT /servers/{server_id}/credential", "servers:manage"),
    ("GET /servers/{server_id}/deployments", "servers:read"),
    ("POST /servers/{server_id}/deployments", "servers:manage"),
    ("GET /servers/{server_id}/deployments/{deployment_id}", "servers:read"),
    ("PUT /servers/{server_id}/deployments/{deployment_id}", "servers:manage"),
    ("DELETE /servers/{server_id}/deployments/{deployment_id}", "servers:manage"),
    (
        "GET /servers/{server_id}/metrics?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&step=60",
        "servers:read",
    ),
    ("GET /runs", "runs:read"),
    ("POST /runs", "runs:start"),
    ("GET /runs/{run_id}", "runs:read"),
    ("POST /runs/{run_id}/cancel", "runs:start"),
    ("POST /runs/{run_id}/retry", "runs:start"),
    ("POST /runs/{run_id}/servers/{server_id}/give-up", "runs:start"),
    ("GET /runs/{run_id}/servers/{server_id}/log", "logs:read"),
];

/// What no token does, whatever its scopes.
const IN_PERSON: &[&str] = &[
    "POST /runs/{run_id}/servers/{server_id}/give-up",
    "POST /servers/{server_id}/host-key/approve",
];

/// Somebody who asks, with what they may do, and a lease that is theirs if they may have one.
struct Asker {
    name: String,
    client: Client,
    rights: BTreeSet<String>,
    is_token: bool,
    lease: Option<String>,
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The rights of a role, out of `GET /v1/roles`.
fn rights_of(table: &Value, role: &str) -> BTreeSet<String> {
    let roles = table["items"].as_array().unwrap();
    texts(&roles.iter().find(|shown| shown["role"] == role).unwrap()["rights"])
}

/// The rights that can be scopes of tokens, out of `GET /v1/rights`.
fn scopes(table: &Value) -> BTreeSet<String> {
    let rights = table["items"].as_array().unwrap().iter();
    let rights = rights.filter(|right| right["tokens"] == true);
    rights.map(|right| right["right"].as_str().unwrap().to_owned()).collect()
}

async fn send(by: &Client, row: &str, things: &Things, lease: Option<&String>) -> Answer {
    let (method, below) = row.split_once(' ').unwrap();
    let path = filled(&format!("{WORKSPACE}{below}"), |name| match (name, lease) {
        ("lease_id", Some(own)) => own.clone(),
        _ => things[name].clone(),
    });
    let method: Method = method.parse().unwrap();
    let call = by.call(method.clone(), &path).header("If-Match", NEVER);
    if method == Method::GET {
        return call.send().await;
    }
    // No body has such a field: a caller who has the right gets an error about it.
    call.json(json!({ "no_such_field": true })).send().await
}

struct Fixture {
    _sshd: Sshd,
    _node: tests::TestServer,
    installation: Installation,
    client: Client,
    ada: Tenant,
    roles: Value,
    scopes: BTreeSet<String>,
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
        let client = node.client();
        let ada = Tenant::settle(&installation, &client, "ada", &sshd).await;
        let roles = client.get("/v1/roles").await.expect(200).json();
        let scopes = scopes(&client.get("/v1/rights").await.expect(200).json());
        Self { _sshd: sshd, _node: node, installation, client, ada, roles, scopes }
    }

    fn workspace(&self) -> String {
        format!("/v1/workspaces/{}", self.ada.things["workspace_id"])
    }

    /// Somebody who has joined in this role, with a seat if the role may have one.
    async fn member(&self, word: &str, role: &str) -> (String, Asker) {
        let client = Person::named(word).settle(&self.client, &self.installation).await;
        let account = client.account().await;
        self.installation.join(&self.ada.things["workspace_id"], &account, role).await;
        let rights = rights_of(&self.roles, role);
        let mut lease = None;
        if rights.contains("seats:lease") {
            let path = format!("{}/seat-leases", self.workspace());
            lease = Some(client.post_once(&path, json!({})).await.expect(201).field("/lease_id"));
        }
        (account, Asker { name: role.to_owned(), client, rights, is_token: false, lease })
    }

    /// A token of these scopes that acts for its issuer.
    async fn token(&self, issuer: &Client, scopes: &BTreeSet<String>) -> Client {
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let (_, secret) = issue_token(issuer, &self.workspace(), &scopes).await;
        self.client.bearing(&secret)
    }

    /// Every role, and tokens: one of each scope alone, one of all but each, and one whose member has
    /// lost most rights since.
    async fn askers(&self) -> Vec<Asker> {
        let owner = Asker {
            name: "owner".to_owned(),
            client: self.ada.session.clone(),
            rights: rights_of(&self.roles, "owner"),
            is_token: false,
            lease: None,
        };
        let mut askers = vec![owner];
        for role in ["admin", "operator", "viewer", "billing", "auditor"] {
            askers.push(self.member(role, role).await.1);
        }
        let all = self.scopes.clone();
        for scope in &all {
            let alone = BTreeSet::from([scope.clone()]);
            let mut others = all.clone();
            others.remove(scope);
            for (name, rights) in
                [(format!("only {scope}"), alone), (format!("no {scope}"), others)]
            {
                let client = self.token(&self.ada.session, &rights).await;
                askers.push(Asker { name, client, rights, is_token: true, lease: None });
            }
        }
        let (account, admin) = self.member("lowered", "admin").await;
        let wide: BTreeSet<String> = all.intersection(&admin.rights).cloned().collect();
        let client = self.token(&admin.client, &wide).await;
        let place = format!("{}/members/{account}", self.workspace());
        let lowered = json!({ "role": "viewer" });
        self.ada.session.put(&place, "*", lowered).await.expect(200);
        let viewer = rights_of(&self.roles, "viewer");
        let rights = wide.intersection(&viewer).cloned().collect();
        let name = "a token of an admin who is a viewer now".to_owned();
        askers.push(Asker { name, client, rights, is_token: true, lease: None });
        askers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_right_of_an_operation_may_ask_for_it_and_nobody_else() {
    let given = Fixture::new().await;
    let operations = operations_of_workspaces(&given.client).await;
    let below = |path: &str| path.strip_prefix(WORKSPACE).unwrap().to_owned();
    let found: BTreeSet<String> = operations
        .iter()
        .map(|operation| format!("{} {}", operation.method, below(&operation.path)))
        .collect();
    let known: BTreeSet<String> =
        NEEDS.iter().map(|(row, _)| row.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(found, known, "each operation of the document has its right in NEEDS");
    let mut seen = BTreeSet::new();
    for (row, right) in NEEDS {
        let row = row.split('?').next().unwrap();
        // What a parameter opens besides needs another right.
        if !seen.insert(row) {
            continue;
        }
        let is_it = |it: &&Operation| format!("{} {}", it.method, below(&it.path)) == row;
        let shown = &operations.iter().find(is_it).unwrap().spec["security"];
        let by_token = given.scopes.contains(*right) && !IN_PERSON.contains(&row);
        let mut documented = vec![json!({ "session": [] }), json!({ "cookie": [] })];
        documented.extend(by_token.then(|| json!({ "token": [right] })));
        assert_eq!(*shown, Value::Array(documented), "{row}");
    }
    let askers = given.askers().await;
    let (_, stranger) = given.installation.stranger().await;
    let (stranger, nobody) = (given.client.bearing(&stranger), given.client.clone());
    let nothing = stranger.get("/v1/nothing").await.expect(404).text();

    let (mut passed, mut refused) = (0, 0);
    for (row, right) in NEEDS {
        let things = &given.ada.things;
        let answers =
            askers.iter().map(|asker| send(&asker.client, row, things, asker.lease.as_ref()));
        for (asker, answer) in askers.iter().zip(join_all(answers).await) {
            let case = format!("{}: {row}: {} {}", asker.name, answer.status, answer.text());
            let may = asker.rights.contains(*right);
            if may && !(asker.is_token && IN_PERSON.contains(row)) {
                let absent = *row == "GET /deletion" && answer.status == 404;
                assert!(absent || !matches!(answer.status, 401 | 403 | 404 | 500..), "{case}");
                assert!(absent || !row.starts_with("GET") || answer.status == 200, "{case}");
                passed += 1;
            } else {
                assert_eq!(answer.status, 403, "{case}");
                refused += 1;
            }
        }
        let answer = send(&stranger, row, things, None).await;
        assert_eq!((answer.status, answer.text()), (404, nothing.clone()), "{row}");
        assert_eq!(send(&nobody, row, things, None).await.status, 401, "{row}");
    }
    println!("{} askers: {passed} requests passed, {refused} were refused", askers.len());
    assert!(passed >= 550 && refused >= 800, "{passed} passed, {refused} were refused");
}
