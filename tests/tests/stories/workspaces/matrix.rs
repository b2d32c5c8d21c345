//! Every route of a workspace, asked in every role: the table of rights is what happens.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client};

use super::{Stage, account};

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

async fn ask(stage: &Stage, client: &Client, route: &Route) -> Answer {
    let path = format!("{}{}", stage.path, route.below);
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
    let stage = Stage::set().await;
    let eve = stage.colleague("eve", "viewer").await;
    stage.invite("dan@example.org", "viewer").await;
    let open = stage.ada.get(&stage.at("invitations")).await.expect(200);
    let (token, bearer) = stage.token(&stage.ada, &["workspace:read", "members:read"]).await;
    let eve_id = account(&eve).await;
    let routes = routes(&eve_id, &open.field("/items/0/invitation_id"), &token);
    let table = stage.ada.get("/v1/roles").await.expect(200).json();
    let stranger = stage.person("mallory").await;

    for role in ["owner", "admin", "operator", "viewer", "billing", "auditor"] {
        let member = match role {
            "owner" => stage.ada.clone(),
            role => stage.colleague(&format!("the.{role}"), role).await,
        };
        let rights = rights(&table, role);
        for route in &routes {
            let answer = ask(&stage, &member, route).await;
            let may = rights.iter().any(|right| right == route.right);
            let told = format!("{role} {} {}: {}", route.method, route.below, answer.text());
            assert_eq!(answer.status != 403, may, "{told}");
            assert!(answer.status < 500 && answer.status != 404, "{told}");
        }
    }
    let nothing = stranger.get("/v1/nothing").await.expect(404).text();
    for route in &routes {
        let may = ["workspace:read", "members:read"].contains(&route.right);
        let of_token = ask(&stage, &bearer, route).await;
        assert_eq!(of_token.status != 403, may, "{} {}", route.method, route.below);
        assert_eq!(ask(&stage, &stranger, route).await.expect(404).text(), nothing);
        ask(&stage, &stage.node.client(), route).await.expect(401);
    }
}
