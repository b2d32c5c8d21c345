//! Every list of the document: page by page, in each of its orders, and no cursor in another order.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use infra::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Harness, Installation, Person, Sshd, create_workspace, until};

use super::operation::{Operation, document, operations};
use super::tenant::{Tenant, issue_token};

/// What has no pages: it is short, or cut where its description says so.
const WHOLE: &[&str] = &[
    "/v1/admin/log-lock",
    "/v1/admin/projections",
    "/v1/admin/projections/{name}/generations",
    "/v1/admin/projections/{name}/generations/{generation}/comparison",
    "/v1/admin/workspaces/{workspace_id}/owner",
    "/v1/me/consents",
    "/v1/rights",
    "/v1/roles",
    "/v1/workspaces/{workspace_id}/servers/{server_id}/metrics",
    "/v1/workspaces/{workspace_id}/succession",
];

/// None is parked here, and each workspace has an owner.
const EMPTY: &[&str] = &["/v1/admin/parked-streams", "/v1/admin/restricted-workspaces"];

/// They come by reader, and the longest restricted first.
const NOT_BY_BEGIN: &[&str] = EMPTY;

const NEWEST: &str = "&order=newest";

struct Fixture {
    ada: Tenant,
    operator: Client,
    /// All that was done before then is listed, and nothing that is done later.
    until: String,
}

impl Fixture {
    /// Two of everything that is listed.
    async fn new(installation: &Installation, client: &Client, sshd: &Sshd) -> Self {
        let ada = Tenant::settle(installation, client, "ada", sshd).await;
        let (session, at) =
            (&ada.session, format!("/v1/workspaces/{}", ada.things["workspace_id"]));
        let invites = json!({ "email": "second@example.org", "role": "viewer" });
        session.post(&format!("{at}/invitations"), invites).await.expect(201);
        issue_token(session, &at, &["runs:read"]).await;
        let server = &ada.things["server_id"];
        let body = json!({ "name": "Api", "steps": [{ "name": "one", "command": "true" }] });
        session.post(&format!("{at}/servers/{server}/deployments"), body).await.expect(201);
        create_workspace(session, "Looms").await;
        Person::named("ada").sign_in(client).await;
        let bob = Person::named("bob").settle(client, installation).await;
        installation.join(&ada.things["workspace_id"], &bob.account().await, "operator").await;
        bob.post_once(&format!("{at}/seat-leases"), json!({})).await.expect(201);
        let operator = client.bearing(&installation.operator().await);
        installation.operator_with("audit").await;
        for run in [&ada.things["run_id"], &ada.siblings["run_id"]] {
            until("the run has ended", async || {
                let shown = session.get(&format!("{at}/runs/{run}")).await.expect(200);
                let goes_on = matches!(shown.field("/state").as_str(), "queued" | "running");
                if goes_on { Err(shown.text()) } else { Ok(()) }
            })
            .await;
        }
        // Whatever was done before is in the log.
        let until = Clock::system().now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let last = json!({ "policy_version": 9 });
        let last = session.put("/v1/me/consents/product_news", "*", last).await.expect(200);
        let number = installation.position_of(&last).await.to_string();
        let saying = |by: &Client, position: &str| by.saying("Lethe-Min-Position", position);
        let ada = Tenant { session: saying(session, &last.position()), ..ada };
        Self { ada, operator: saying(&operator, &number), until }
    }

    fn caller(&self, path: &str) -> &Client {
        let of_operators = path.starts_with("/v1/admin") || path.starts_with("/v1/audit-events");
        if of_operators { &self.operator } else { &self.ada.session }
    }

    /// The operation's path with what it needs to show all that there is.
    fn path(&self, operation: &Operation) -> String {
        let path = operation.filled(|name| self.ada.things[name].clone());
        match () {
            () if path.ends_with("/members") => {
                format!("{path}?names=true&purpose=account_administration")
            }
            () if path.ends_with("/audit-events") => format!("{path}?to={}", self.until),
            () => format!("{path}?"),
        }
    }
}

/// The values of its parameter.
fn orders(operation: &Operation) -> Vec<String> {
    let parameters = operation.spec["parameters"].as_array().unwrap();
    let order = parameters.iter().find(|parameter| parameter["name"] == "order");
    let order = order.unwrap_or_else(|| panic!("{} has no order", operation.name()));
    let values = order["schema"]["enum"].as_array().unwrap().iter();
    values.map(|value| format!("&order={}", value.as_str().unwrap())).collect()
}

fn is_paged(operation: &Operation) -> bool {
    let parameters = operation.spec["parameters"].as_array().into_iter().flatten();
    let names: BTreeSet<&str> = parameters.filter_map(|it| it["name"].as_str()).collect();
    names.contains("limit") && names.contains("cursor")
}

fn lists(document: &Value) -> Vec<Operation> {
    let mut found = operations(document);
    found.retain(|operation| {
        let schema =
            &operation.spec["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let schema = schema.as_str().and_then(|at| document.pointer(at.trim_start_matches('#')));
        operation.method == Method::GET
            && schema.is_some_and(|schema| schema["properties"]["items"].is_object())
    });
    found
}

/// What does not change by itself of a thing that is listed.
fn identity(item: &Value) -> Value {
    let fields = item.as_object().unwrap().iter();
    let own = fields.filter(|(name, _)| {
        name.ends_with("_id") || matches!(name.as_str(), "name" | "attempted_at" | "position")
    });
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn items(by: &Client, path: &str) -> (Vec<Value>, Option<String>) {
    let page = until("it is listed", async || {
        let answer = by.get(path).await;
        if answer.status == 503 { Err(answer.text()) } else { Ok(answer) }
    })
    .await;
    let page = page.expect(200).json();
    let items = page["items"].as_array().unwrap().iter().map(identity).collect();
    (items, page["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn every_list_comes_page_by_page_in_each_of_its_orders() {
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
    let given = Fixture::new(&installation, &client, &sshd).await;
    let lists = lists(&document(&client).await);
    let (mut paged, mut in_orders) = (0, 0);
    for operation in &lists {
        let name = operation.path.as_str();
        assert_eq!(is_paged(operation), !WHOLE.contains(&name), "{name} has limit and cursor");
        if WHOLE.contains(&name) {
            continue;
        }
        let is_by_begin = orders(operation).iter().any(|order| order == NEWEST);
        assert_eq!(is_by_begin, !NOT_BY_BEGIN.contains(&name), "{name} comes in the order newest");
        let (by, path) = (given.caller(name), given.path(operation));
        let mut seen: Vec<(BTreeSet<String>, Vec<Value>, String)> = Vec::new();
        for order in orders(operation) {
            let (whole, end) = items(by, &format!("{path}&limit=200{order}")).await;
            assert_eq!(end, None, "{name}");
            assert!(whole.len() >= 2 || EMPTY.contains(&name), "{name}: {whole:?}");
            let (mut found, mut next, mut first) = (vec![], String::new(), None);
            while found.len() <= whole.len() {
                let (page, cursor) = items(by, &format!("{path}&limit=1{order}{next}")).await;
                found.extend(page);
                let Some(cursor) = cursor else { break };
                next = format!("&cursor={cursor}");
                first.get_or_insert(next.clone());
            }
            assert_eq!(found, whole, "{name} {order}");
            let as_a_set = whole.iter().map(Value::to_string).collect();
            seen.push((as_a_set, whole, first.unwrap_or_default()));
            in_orders += 1;
        }
        // The same things in each order, and no cursor of another.
        for pair in seen.windows(2) {
            assert_eq!(pair[0].0, pair[1].0, "{name}");
            let others = &orders(operation)[0];
            if pair[1].2.is_empty() {
                continue;
            }
            let refused = by.get(&format!("{path}&limit=1{others}{}", pair[1].2)).await;
            assert_eq!(refused.expect(400).field("/type"), "/problems/bad-cursor", "{name}");
        }
        let whole = |order: &str| {
            let at = orders(operation).iter().position(|it| it == order)?;
            Some(&seen[at].1)
        };
        if let Some((newest, oldest)) = whole(NEWEST).zip(whole("&order=oldest")) {
            let reversed: Vec<&Value> = oldest.iter().rev().collect();
            assert_eq!(newest.iter().collect::<Vec<_>>(), reversed, "{name}");
        }
        paged += 1;
    }
    assert!(paged >= 14 && in_orders >= 32, "{paged} lists, in {in_orders} orders");
}

#[tokio::test]
async fn lists_are_sorted_by_name_and_filtered_by_what_their_users_know() {
    let harness = Harness::with(&[("egress_allow", "192.0.2.0/24:22")]).await;
    let (ada, bob) = (&harness.ada, harness.member("bob", "viewer").await);
    for (name, port) in [("Web", 22), ("api", 22), ("db", 22), ("web-2", 22)] {
        let body = json!({ "name": name, "host": "192.0.2.7", "port": port, "user": "deploy" });
        harness.try_register_server(body).await.expect(201);
    }
    create_workspace(ada, "aleph").await;
    ada.get(&create_workspace(ada, "Beth").await).await.expect(200);
    let names = async |by: &Client, path: &str, wanted: &[&str]| {
        until("all are listed", async || {
            let page = by.get(path).await.expect(200).json();
            let items = page["items"].as_array().unwrap().iter();
            let names: Vec<_> =
                items.map(|item| item["name"].as_str().unwrap().to_owned()).collect();
            if names == wanted { Ok(()) } else { Err(names) }
        })
        .await;
    };

    let servers = harness.at("servers");
    names(ada, &format!("{servers}?order=name"), &["api", "db", "Web", "web-2"]).await;
    names(ada, &format!("{servers}?order=oldest"), &["Web", "api", "db", "web-2"]).await;
    names(ada, &format!("{servers}?name=WEB"), &["web-2", "Web"]).await;
    names(ada, &format!("{servers}?name=e&order=name&limit=1"), &["Web"]).await;
    names(ada, &format!("{servers}?reach=unknown&order=name&limit=2"), &["api", "db"]).await;
    names(ada, &format!("{servers}?reach=reachable"), &[]).await;
    names(ada, "/v1/workspaces?order=name", &["aleph", "Beth", "Engines"]).await;
    names(ada, "/v1/workspaces?order=oldest&role=owner", &["Engines", "aleph", "Beth"]).await;
    names(&bob, "/v1/workspaces?role=owner", &[]).await;
    names(&bob, "/v1/workspaces?role=viewer", &["Engines"]).await;

    names(ada, "/v1/workspaces?name=E&order=oldest", &["Engines", "aleph", "Beth"]).await;
    names(ada, "/v1/workspaces?name=BET", &["Beth"]).await;
    let opened = harness.at("members?names=true&purpose=account_administration");
    names(ada, &format!("{opened}&name=BOB"), &["bob of Example"]).await;
    names(ada, &format!("{opened}&order=newest"), &["bob of Example", "ada of Example"]).await;
    names(ada, &format!("{opened}&order=oldest"), &["ada of Example", "bob of Example"]).await;

    let count = async |path: &str| {
        ada.get(path).await.expect(200).json()["items"].as_array().unwrap().len()
    };
    for list in ["/v1/me/sessions", "/v1/me/sign-ins"] {
        let all = until("it is listed", async || {
            let all = count(list).await;
            (all > 0).then_some(all)
        })
        .await;
        assert_eq!(count(&format!("{list}?from=2026-01-01T00:00:00Z")).await, all, "{list}");
        assert_eq!(count(&format!("{list}?from=2999-01-01T00:00:00Z")).await, 0, "{list}");
        assert_eq!(count(&format!("{list}?to=2026-01-01T00:00:00Z")).await, 0, "{list}");
    }
    issue_token(ada, &harness.path, &["runs:read"]).await;
    assert_eq!(count(&harness.at("api-tokens?state=live")).await, 1);
    assert_eq!(count(&harness.at("api-tokens?state=expired")).await, 0);

    let viewers = ada.get(&harness.at("members?role=viewer")).await.expect(200).json();
    let of_bob = json!({ "account_id": bob.account().await, "kind": "person", "role": "viewer" });
    assert_eq!(viewers["items"], json!([of_bob]));
    let nameless = ada.get(&harness.at("members?order=name")).await.expect(400);
    assert_eq!(nameless.field("/errors/0/parameter"), "order");
    for (path, parameter) in [
        ("servers?order=up", "order"),
        ("servers?reach=near", "reach"),
        ("servers?name=", "name"),
        ("runs?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("runs?requester_id=ada", "requester_id"),
        ("invitations?role=king", "role"),
        ("members?kind=cat", "kind"),
        ("members?name=bob", "name"),
        ("api-tokens?state=tired", "state"),
    ] {
        let refused = ada.get(&harness.at(path)).await.expect(400);
        assert_eq!(refused.field("/errors/0/parameter"), parameter, "{path}");
    }
}

#[tokio::test]
async fn a_name_is_found_whatever_a_keyboard_composes_its_letters_of() {
    let harness = Harness::with(&[("egress_allow", "192.0.2.0/24:22")]).await;
    let body = json!({ "name": "Cafe\u{301} 1", "host": "192.0.2.7", "user": "deploy" });
    harness.try_register_server(body).await.expect(201);
    for part in ["caf%C3%A9", "cafe%CC%81", "AF%C3%89%201"] {
        let path = harness.at(&format!("servers?name={part}"));
        until("it is listed", async || {
            let page = harness.ada.get(&path).await.expect(200);
            if page.json()["items"][0]["name"] == "Caf\u{e9} 1" { Ok(()) } else { Err(page.text()) }
        })
        .await;
    }
}
