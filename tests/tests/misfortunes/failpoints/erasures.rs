//! Kills while people and workspaces are erased, and a search for what is left of them.

use infra::residue::Canaries;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Installation, Person, Place, TestServer, create_workspace};
use uuid::Uuid;

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
const DELETING: [&str; 4] =
    ["erasure.fenced", "erasure.keys_erased", "erasure.rows_deleted", "workspace.deleted"];

/// Of each nothing is left about an account.
const OF_ACCOUNT: [&str; 4] = [
    "select count(*) from event_log.reservations where owner = $1",
    "select count(*) from working.credentials where account_id = $1",
    "select count(*) from working.sessions where account_id = $1",
    "select count(*) from working.outbox where subject_id = $1",
];
/// Of each nothing is left about a workspace.
const OF_WORKSPACE: [&str; 3] = [
    "select count(*) from working.api_tokens where workspace_id = $1",
    "select count(*) from working.invitations where workspace_id = $1",
    "select count(*) from event_log.snapshots where stream_id = $1",
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
    let ada = Person::named("ada");
    let owner = ada.settle(&node.client(), &installation).await;
    for failpoint in DELETING {
        let name = format!("Quillfeather {failpoint}");
        let owner = owner.at(node.api());
        node = delete(&mut report, &installation, node, (failpoint, &name), &owner).await;
        erased.push(name);
    }

    node = cancel(&mut report, &installation, node).await;

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
    let subject = signed_in.account().await.parse().unwrap();
    let body = json!({ "password": person.password, "grace_days": 0 });
    // Once it is requested, every session is closed: nobody knows any more who sends it again.
    let request = Request::post(&signed_in, "/v1/me/erasure", body).or(&[202, 401]);
    let requests = vec![request.not_repeatable().appends("account.erasure_requested")];
    let events = &[("account.erasure_requested", 1), ("account.erasure_completed", 1)];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, again) = report.kill(installation, node, kill).await;
    person.try_sign_in(&node.client()).await.expect(401);
    signed_in.at(node.api()).get("/v1/me").await.expect(401);
    assert!(installation.mails(&person.email).is_empty(), "{failpoint}: mails are left");
    no_row_is_left(installation, failpoint, subject, &OF_ACCOUNT).await;
    // The node lives long enough to answer.
    let is_answered = failpoint == "erasure.completed";
    // The next node knows the same person, and has the code of the request that was cut short.
    let is_repeated = failpoint == "erasure.entered";
    let code = code(report, &again[0], is_answered || is_repeated, failpoint);
    certified(&node.client(), code, failpoint).await;
    node
}

async fn delete(
    report: &mut Report,
    installation: &Installation,
    node: TestServer,
    (failpoint, name): (&str, &str),
    owner: &Client,
) -> TestServer {
    let workspace = create_workspace(owner, name).await;
    let subject = workspace.rsplit('/').next().unwrap().parse().unwrap();
    let word = failpoint.replace(['.', '_'], "-");
    let invited = json!({ "email": format!("{word}@example.net"), "role": "viewer" });
    owner.post(&format!("{workspace}/invitations"), invited).await.expect(201);
    installation.mail(&format!("{word}@example.net"), 1).await;
    let body = json!({ "password": Person::named("ada").password, "grace_days": 0 });
    let deletion = format!("{workspace}/deletion");
    // Once it is deleted, there is no such workspace.
    let request = Request::new(owner, Method::POST, &deletion, body).or(&[202, 404]);
    let request = request.not_repeatable().appends("workspace.deletion_requested");
    let events = &[("workspace.deletion_requested", 1), ("workspace.deleted", 1)];
    let kill = Kill { failpoint, requests: vec![request], settings: &[], events };
    let (node, again) = report.kill(installation, node, kill).await;
    owner.at(node.api()).get(&workspace).await.expect(404);
    no_row_is_left(installation, failpoint, subject, &OF_WORKSPACE).await;
    let code = code(report, &again[0], failpoint == "workspace.deleted", failpoint);
    certified(&node.client(), code, failpoint).await;
    node
}

async fn cancel(report: &mut Report, installation: &Installation, node: TestServer) -> TestServer {
    let bob = Person::named("bob");
    let signed_in = bob.settle(&node.client(), installation).await;
    let body = json!({ "password": bob.password, "grace_days": 3 });
    signed_in.ask_for_erasure(body).await.expect(202);
    let back = bob.sign_in(&node.client()).await;
    let request = Request::delete(&back, "/v1/me/erasure").appends("account.erasure_cancelled");
    let failpoint = "erasure.cancelled";
    let events = &[("account.erasure_cancelled", 1), ("account.erasure_completed", 0)];
    let kill = Kill { failpoint, requests: vec![request], settings: &[], events };
    let (node, _) = report.kill(installation, node, kill).await;
    back.at(node.api()).get("/v1/me/erasure").await.expect(404);
    bob.sign_in(&node.client()).await;
    node
}

async fn no_row_is_left(
    installation: &Installation,
    failpoint: &str,
    subject: Uuid,
    counts: &[&str],
) {
    let log = installation.log().await;
    for select in counts {
        let left: i64 = log.query_one(*select, &[&subject]).await.unwrap().get(0);
        assert_eq!(left, 0, "{failpoint}: {select}");
    }
}

/// The claim code of the answer before the kill, or of the one after it; both are the same.
fn code(report: &Report, again: &Answer, is_known: bool, failpoint: &str) -> Option<String> {
    let is_accepted = |answer: &&Answer| answer.status == 202;
    let of = |answer: &Answer| answer.field("/claim_code");
    let first = report.first[0].as_ref().filter(is_accepted).map(of);
    let last = Some(again).filter(is_accepted).map(of);
    if first.is_some() && last.is_some() {
        assert_eq!(first, last, "{failpoint}");
    }
    let code = first.or(last);
    assert!(code.is_some() || !is_known, "{failpoint}: no claim code was answered");
    code
}

async fn certified(anybody: &Client, code: Option<String>, failpoint: &str) {
    let Some(code) = code else { return };
    let proof = anybody.get(&format!("/v1/erasures/{code}")).await.expect(200);
    let completed_at = proof.field("/certificate/completed_at");
    assert_ne!(completed_at, "null", "{failpoint}");
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
