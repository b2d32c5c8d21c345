//! What a position tells whoever it is given to: nothing. It is good for being sent back.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tests::{Answer, Client, Harness, create_workspace};

use super::tokens::issue_token;

const AWAITED: &str = "Lethe-Min-Position";

async fn rename(by: &Client, workspace: &str, name: &str) -> Answer {
    by.patch(workspace, "*", json!({ "name": name })).await.expect(200)
}

/// The number in a token, under its mask.
fn masked(token: &str) -> u64 {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    u64::from_be_bytes(bytes[16..].try_into().unwrap())
}

#[tokio::test]
async fn two_who_write_in_turns_learn_nothing_of_each_other() {
    let harness = Harness::new().await;
    let eve = harness.person("eve").await;
    let hers = create_workspace(&eve, "Looms").await;

    let mut given = vec![];
    for turn in 0..6 {
        let renamed = rename(&harness.ada, &harness.path, &format!("Engines {turn}")).await;
        let position = u64::try_from(harness.installation.position_of(&renamed).await).unwrap();
        given.push((renamed.position(), position));
        for more in 0..turn {
            rename(&eve, &hers, &format!("Looms {turn} {more}")).await;
        }
    }

    let tokens: BTreeSet<&str> = given.iter().map(|(token, _)| token.as_str()).collect();
    assert_eq!(tokens.len(), given.len());
    for (number, (token, position)) in given.iter().enumerate() {
        for (other, elsewhere) in &given[..number] {
            let (one, two) = (masked(token), masked(other));
            assert_ne!(one ^ two, position ^ elsewhere, "two positions under one mask");
            assert_ne!(one.abs_diff(two), position.abs_diff(*elsewhere), "a difference is shown");
        }
    }
}

#[tokio::test]
async fn a_position_is_read_on_every_node_and_refused_to_everybody_else() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let (bob, eve) = (harness.member("bob", "admin").await, harness.person("eve").await);
    let rights = ["workspace:manage", "servers:read"];
    let (_, token) = issue_token(&harness, &harness.ada, &rights).await;
    let (ada, servers, own) = (&harness.ada, harness.at("servers"), "/v1/workspaces");
    let servers = servers.as_str();

    let renamed = rename(ada, &harness.path, "Looms").await;
    let (given, to_token) =
        (renamed.position(), rename(&token, &harness.path, "Mills").await.position());
    let (given, to_token) = (given.as_str(), to_token.as_str());

    let there = second.client().bearing(ada.token().unwrap());
    for path in [servers, own] {
        there.get_at(path, given).await.expect(200);
    }
    token.get_at(servers, to_token).await.expect(200);
    let damaged = format!("{}{}", if given.starts_with('A') { "B" } else { "A" }, &given[1..]);
    let number = harness.installation.position_of(&renamed).await.to_string();
    let both = format!("{given}, {to_token}");
    // As one of an earlier day: nobody can tell whose it was.
    for (by, path, shown) in [
        (&bob, servers, given),
        (&eve, own, given),
        (&token, servers, given),
        (ada, servers, to_token),
        (ada, own, damaged.as_str()),
        (ada, servers, both.as_str()),
    ] {
        let refused = by.saying(AWAITED, shown).get(path).await.expect(400);
        assert_eq!(refused.field("/type"), "/problems/position-expired", "{shown}");
    }
    for shown in [number.as_str(), "soon", "", " , ,"] {
        let refused = ada.saying(AWAITED, shown).get(own).await.expect(400);
        assert_eq!(refused.field("/type"), "/problems/bad-header", "{shown}");
        assert_eq!(refused.field("/errors/0/header"), AWAITED);
    }
    ada.get_at(own, &format!(", {given},, ")).await.expect(200);
}

#[tokio::test]
async fn a_read_waits_for_every_position_that_it_is_sent() {
    let harness = Harness::new().await;
    let (ada, path) = (&harness.ada, "/v1/workspaces");
    let first = rename(ada, &harness.path, "Looms").await.position();
    ada.get_at(path, &first).await.expect(200);
    let mut log = harness.installation.log().await;
    let held = log.transaction().await.unwrap();
    held.batch_execute("lock table read_models.workspaces_v3 in share mode").await.unwrap();

    let last = rename(ada, &harness.path, "Mills").await.position();

    let of_first = ada.saying(AWAITED, &first);
    of_first.get(path).await.expect(200);
    let both = ada.saying(AWAITED, &format!("{last}, {first}"));
    for waiting in [&both, &of_first.saying(AWAITED, &last)] {
        let refused = waiting.get(path).await.expect(503);
        assert_eq!(refused.field("/type"), "/problems/not-yet");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    held.rollback().await.unwrap();
    assert_eq!(both.get_read(path).await.expect(200).field("/items/0/name"), "Mills");
}

#[tokio::test]
async fn operators_are_given_the_numbers_of_the_log() {
    let harness = Harness::new().await;
    let (operator, trail) = (harness.operator().await, "/v1/audit-events");
    let limit = format!("/v1/admin/workspaces/{}/seat-limit", harness.workspace_id());

    let set = operator.put(&limit, "*", json!({ "limit": 7 })).await.expect(200);

    assert_eq!(set.position(), harness.installation.position_of(&set).await.to_string());
    operator.get_at(trail, &set.position()).await.expect(200);
    let far = operator.saying(AWAITED, "9000000000").get(trail).await.expect(503);
    assert_eq!(far.field("/type"), "/problems/not-yet");
    let token = rename(&harness.ada, &harness.path, "Looms").await.position();
    for shown in [token.as_str(), "-1", "soon"] {
        let refused = operator.saying(AWAITED, shown).get(trail).await.expect(400);
        assert_eq!(refused.field("/errors/0/header"), AWAITED, "{shown}");
    }
}
