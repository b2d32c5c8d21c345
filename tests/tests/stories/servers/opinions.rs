//! A node that does not reach a server asks another one before it says so.

use serde_json::json;
use tests::{Harness, Sshd, TestServer, until};
use tokio_postgres::Client;

use super::watching::{SETTINGS, reach};
use super::{count, set_up_with, until_event};

/// Gives the server to the other node, which keeps it: neither has more than its share.
async fn hand_over(log: &Client) {
    let hand_over = "update working.server_monitors m set fence = m.fence + 1, node = n.node
        from working.live_nodes n where n.part = 'monitors' and n.node <> m.node";
    until("the other node lives", async || {
        let moved = log.execute(hand_over, &[]).await.unwrap();
        if moved == 1 { Ok(()) } else { Err(moved) }
    })
    .await;
}

async fn until_opinion(node: &TestServer, outcome: &str) {
    let series = format!("\nlethe_server_opinions_total{{outcome=\"{outcome}\"}} ");
    until(&format!("another node has {outcome}"), async || {
        let text = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
        let is_counted = text.contains(&series);
        if is_counted { Ok(()) } else { Err(node.log_text()) }
    })
    .await;
}

/// The server, watched by a second node that may not connect to it, and the first one, which may.
async fn cut_off() -> (Harness, TestServer, Sshd, String) {
    let (harness, sshd) = (set_up_with(&SETTINGS).await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    reach(&harness, &server, "reachable").await;
    let second = harness.installation.node_with(&[("egress_allow", "")]).await;
    hand_over(&harness.installation.log().await).await;
    (harness, second, sshd, server)
}

#[tokio::test]
async fn a_node_that_is_cut_off_makes_no_server_unreachable_that_another_node_reaches() {
    let (harness, second, sshd, server) = cut_off().await;

    until_opinion(&second, "disagreed").await;

    assert_eq!(count(&harness, "server.unreachable").await, 0);
    reach(&harness, &server, "reachable").await;
    sshd.stop().unwrap();
    until_event(&harness, "server.unreachable").await;
    until_opinion(&second, "agreed").await;
    let unreachable = reach(&harness, &server, "unreachable").await;
    assert_eq!(unreachable["cause"], json!("address"), "as the node that watches it has found");
}

#[tokio::test]
async fn a_node_that_is_left_alone_says_by_itself_what_it_does_not_reach() {
    let (harness, second, _sshd, server) = cut_off().await;
    until_opinion(&second, "disagreed").await;
    let Harness { installation, node, ada, path } = harness;
    node.kill();
    let ada = second.client().bearing(ada.token().unwrap());
    let harness = Harness { installation, node: second, ada, path };

    let unreachable = reach(&harness, &server, "unreachable").await;

    assert_eq!(unreachable["cause"], json!("address"));
}
