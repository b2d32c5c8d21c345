//! Kills while people and workspaces are erased, and a search for what is left of them.

use infra::residue::Canaries;
use reqwest::Method;
use serde_json::json;
use tests::{Installation, Person, Place, TestServer, create_workspace};

use super::checks::projections_equal_their_replay;
use super::crash::{Kill, Report};
use super::requests::Request;

const ERASING: [&str; 6] = [
    "erasure.entered",
    "erasure.requested",
    "erasure.fenced",
    "erasure.keys_erased",
    "erasure.rows_deleted",
    "erasure.completed",
];

pub async fn crash() -> Report {
    let mut report = Report::default();
    let installation = Installation::new().await.with_failpoints();
    let mut node = installation.node().await;
    let mut erased = Vec::new();
    for failpoint in ERASING {
        let person = Person::named(&format!("quillfeather-{}", failpoint.replace('.', "-")));
        node = erase(&mut report, &installation, node, failpoint, &person).await;
        erased.extend([person.email, person.name, person.username]);
    }
    let workspace = "Quillfeather Engines";
    node = delete(&mut report, &installation, node, workspace).await;
    erased.push(workspace.to_owned());

    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    nothing_is_left(&installation, &erased).await;
    report
}

async fn erase(
    report: &mut Report,
    installation: &Installation,
    node: TestServer,
    failpoint: &str,
    person: &Person,
) -> TestServer {
    let signed_in = person.settle(&node.client(), installation).await;
    let body = json!({ "password": person.password, "grace_days": 0 });
    // Once it is requested, every session is closed.
    let requests = vec![Request::post(&signed_in, "/v1/me/erasure", body).or(&[202, 401])];
    let events = &[("account.erasure_requested", 1), ("account.erasure_completed", 1)];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, _) = report.kill(installation, node, kill).await;
    person.try_sign_in(&node.client()).await.expect(401);
    assert!(installation.mails(&person.email).is_empty(), "{failpoint}: mails are left");
    node
}

async fn delete(
    report: &mut Report,
    installation: &Installation,
    node: TestServer,
    name: &str,
) -> TestServer {
    let ada = Person::named("ada");
    let owner = ada.settle(&node.client(), installation).await;
    let workspace = create_workspace(&owner, name).await;
    let body = json!({ "password": ada.password, "grace_days": 0 });
    let request = Request::new(&owner, Method::DELETE, &workspace, body).or(&[202, 404]);
    let events = &[("workspace.deletion_requested", 1), ("workspace.deleted", 1)];
    let failpoint = "workspace.deleted";
    let kill = Kill { failpoint, requests: vec![request], settings: &[], events };
    let (node, _) = report.kill(installation, node, kill).await;
    owner.at(node.api()).get(&workspace).await.expect(404);
    node
}

/// Neither in the databases nor in the mails, and the search finds what is planted there.
async fn nothing_is_left(installation: &Installation, erased: &[String]) {
    let canaries: Vec<&str> = erased.iter().map(String::as_str).collect();
    let canaries = Canaries::new(&canaries).unwrap();
    let mut places = [
        Place::Database { name: "the log", url: installation.log_url() },
        Place::Database { name: "the keyring", url: installation.keyring_url() },
        Place::Folder { name: "the mails", path: installation.mail_dir() },
    ];
    for place in &mut places {
        place.search(&canaries).await.is_clean("after the erasures");
        place.plant(&canaries).await;
        place.search(&canaries).await.is_complete(&canaries);
    }
}
