//! Kills while seats are taken, given back and expire.

use serde_json::json;
use tests::{Harness, Installation, lease_of, problem};

use super::checks::{projections_equal_their_replay, settled};
use super::crash::{Kill, Report};
use super::requests::Request;

pub async fn crash() -> Report {
    let mut report = Report::default();
    let settings = [("seat_lease_seconds", "600")];
    let harness = Harness::on(Installation::with(&settings).await.with_failpoints()).await;
    let leases = harness.at("seat-leases");
    let Harness { installation, node, ada, .. } = harness;

    let requests = vec![Request::post(&ada, &leases, json!({}))];
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

    // Once it is given back, there is no such lease.
    let requests = vec![Request::delete(&ada, &format!("{leases}/{lease}")).or(&[204, 404])];
    let kill = Kill {
        failpoint: "seat.released",
        requests,
        settings: &[],
        events: &[("seat.lease_released", 1)],
    };
    let (node, _) = report.kill(&installation, node, kill).await;

    // Whoever asks again, once it has expired, has lost it.
    let requests = vec![Request::post(&ada, &leases, json!({})).or(&[409])];
    let events = &[("seat.lease_acquired", 1), ("seat.lease_expired", 1)];
    let settings = &[("seat_lease_seconds", "1")];
    let kill = Kill { failpoint: "seat.expired", requests, settings, events };
    let (node, answers) = report.kill(&installation, node, kill).await;
    assert_eq!(problem(&answers[0], 409), "lease-lost");
    ada.at(node.api()).post_once(&leases, json!({})).await.expect(201);

    settled(&installation, "the end").await;
    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    report
}
