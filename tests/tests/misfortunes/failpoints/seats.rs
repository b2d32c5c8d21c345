//! Kills while seats are taken, given back and expire.

use serde_json::json;
use tests::{Client, Harness, Installation, TestServer, lease_of, problem};

use super::checks::projections_equal_their_replay;
use super::crash::{Kill, Report};
use super::load::{Load, Work};
use super::requests::Request;

pub async fn crash() -> Report {
    let mut report = Report::default();
    let settings = [("seat_lease_seconds", "600")];
    let harness = Harness::on(Installation::with(&settings).await.with_failpoints()).await;
    let leases = harness.at("seat-leases");
    let Harness { installation, node, ada, .. } = harness;
    // Nobody of the load takes a seat: it is Ada's that the kill hits.
    let works = [Work::CreateWorkspace, Work::Register];
    report.load = Some(Load::new(&installation, &node.client(), "seats", &works).await);

    let requests = vec![Request::post(&ada, &leases, json!({})).appends("seat.lease_acquired")];
    let kill = Kill {
        failpoint: "seat.acquired",
        requests,
        settings: &[],
        events: &[("seat.lease_acquired", 1)],
    };
    let (node, answers) = report.kill(&installation, node, kill).await;
    let (lease, fence) = lease_of(&answers[0]);
    let renew = format!("{leases}/{lease}/renew");
    ada.at(node.api()).post(&renew, json!({ "fence": fence })).await.expect(200);
    let (node, lease) = take_over(&mut report, &installation, node, &ada, &leases, lease).await;

    let release = Request::delete(&ada, &format!("{leases}/{lease}"));
    let requests = vec![release.appends("seat.lease_released")];
    let kill = Kill {
        failpoint: "seat.released",
        requests,
        settings: &[],
        events: &[("seat.lease_released", 1)],
    };
    let (node, _) = report.kill(&installation, node, kill).await;

    // Whoever asks again, once it has expired, has lost it: there is no seat to answer with.
    let requests = vec![Request::post(&ada, &leases, json!({})).or(&[409])];
    let events = &[("seat.lease_acquired", 1), ("seat.lease_expired", 1)];
    let settings = &[("seat_lease_seconds", "1")];
    let kill = Kill { failpoint: "seat.expired", requests, settings, events };
    let (node, answers) = report.kill(&installation, node, kill).await;
    assert_eq!(problem(&answers[0], 409), "lease-lost");
    ada.at(node.api()).post_once(&leases, json!({})).await.expect(201);
    report.check_load();

    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    report
}

/// Once at each of the two failpoints; answers the lease that is held in the end.
async fn take_over(
    report: &mut Report,
    installation: &Installation,
    mut node: TestServer,
    ada: &Client,
    leases: &str,
    mut lease: String,
) -> (TestServer, String) {
    for failpoint in ["seat.taken_over", "seat.replaced"] {
        let take_over = format!("{leases}/{lease}/take-over");
        let request = Request::post(ada, &take_over, json!({})).appends("seat.lease_taken_over");
        let events = &[("seat.lease_taken_over", 1)];
        let kill = Kill { failpoint, requests: vec![request], settings: &[], events };
        let answers;
        (node, answers) = report.kill(installation, node, kill).await;
        let (taken, fence) = lease_of(&answers[0]);
        let renew = format!("{leases}/{taken}/renew");
        ada.at(node.api()).post(&renew, json!({ "fence": fence })).await.expect(200);
        lease = taken;
    }
    (node, lease)
}
