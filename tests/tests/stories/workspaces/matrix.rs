//! Every route of a workspace, requested in every role: the table of rights is what happens.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Harness};

use super::tokens::issue_token;

/// A version that no workspace reaches here, so that nothing that is allowed is done.
const NEVER: &str = "\"999999\"";

struct Route {
    method: Method,
    below: String,
    right: &'static str,
}

fn routes(member: &str, invitation: &str, token: &str) -> Vec<Route> {
    let route = |method, below: &str, right| Route { method, below: below.to_owned(), right };
    vec![
        route(Method::GET, "", "workspace:read"),
        route(Method::PATCH, "", "workspace:manage"),
        route(Method::DELETE, "", "workspace:delete"),
        route(Method::DELETE, "/deletion", "workspace:delete"),
        route(Method::GET, "/members", "members:read"),
        route(Method::GET, "/members?as_of=2026-01-01T00:00:00Z", "members:read"),
        route(Method::GET, "/members?names=true&purpose=account_administration", "members:manage"),
        route(Method::PUT, &format!("/members/{member}"), "members:manage"),
        route(Method::DELETE, &format!("/members/{member}"), "members:manage"),
        route(Method::GET, "/invitations", "members:read"),
        route(Method::POST, "/invitations", "members:manage"),
        route(Method::DELETE, &format!("/invitations/{invitation}"), "members:manage"),
        route(Method::GET, "/api-tokens", "tokens:manage"),
        route(Method::POST, "/api-tokens", "tokens:manage"),
        route(Method::DELETE, &format!("/api-tokens/{token}"), "tokens:manage"),
    ]
}

async fn ask(harness: &Harness, client: &Client, route: &Route) -> Answer {
    let path = format!("{}{}", harness.path, route.below);
    let call = client.call(route.method.clone(), &path).header("If-Match", NEVER);
    call.json(json!({})).send().await
}

fn rights(table: &Value, role: &str) -> Vec<String> {
    let roles = table["roles"].as_array().unwrap();
    let found = roles.iter().find(|shown| shown["role"] == role).unwrap();
    let rights = found["rights"].as_array().unwrap().iter();
    rights.map(|right| right.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_role_may_do_just_what_the_table_says() {
    let harness = Harness::new().await;
    let eve = harness.invited("eve", "viewer").await;
    harness.invite("dan@example.org", "viewer").await;
    let open = harness.ada.get(&harness.at("invitations")).await.expect(200);
    let scopes = ["workspace:read", "members:read"];
    let (token, bearer) = issue_token(&harness, &harness.ada, &scopes).await;
    let eve_id = eve.account().await;
    let routes = routes(&eve_id, &open.field("/items/0/invitation_id"), &token);
    let table = harness.ada.get("/v1/roles").await.expect(200).json();
    let stranger = harness.person("mallory").await;

    for role in ["owner", "admin", "operator", "viewer", "billing", "auditor"] {
        let member = match role {
            "owner" => harness.ada.clone(),
            role => harness.invited(&format!("the.{role}"), role).await,
        };
        let rights = rights(&table, role);
        for route in &routes {
            let answer = ask(&harness, &member, route).await;
            let may = rights.iter().any(|right| right == route.right);
            let case = format!("{role} {} {}: {}", route.method, route.below, answer.text());
            assert_eq!(answer.status != 403, may, "{case}");
            assert!(answer.status < 500 && answer.status != 404, "{case}");
        }
    }
    let nothing = stranger.get("/v1/nothing").await.expect(404).text();
    for route in &routes {
        let may = ["workspace:read", "members:read"].contains(&route.right);
        let of_token = ask(&harness, &bearer, route).await;
        assert_eq!(of_token.status != 403, may, "{} {}", route.method, route.below);
        assert_eq!(ask(&harness, &stranger, route).await.expect(404).text(), nothing);
        ask(&harness, &harness.node.client(), route).await.expect(401);
    }
}
