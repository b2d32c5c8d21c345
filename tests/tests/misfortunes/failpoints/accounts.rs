//! Kills while people register.

use tests::{Installation, Person, create_workspace};

use super::checks::projections_equal_their_replay;
use super::crash::{Kill, Report};
use super::requests::Request;

/// Reached by somebody who registers.
const REGISTERING: [&str; 6] = [
    "password.hashed",
    "append.sent",
    "append.committed",
    "projection.written",
    "projection.committed:2",
    "worker.reacted",
];

pub async fn crash() -> Report {
    let mut report = Report::default();
    let installation = Installation::new().await.with_failpoints();
    let mut node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    create_workspace(&signed_in, "Engines").await;

    for failpoint in REGISTERING {
        let person = Person::named(&failpoint.replace([':', '.', '_'], "-"));
        let requests = vec![Request::register(&node.client(), &person)];
        let events = &[("account.registered", 1)];
        let kill = Kill { failpoint, requests, settings: &[], events };
        (node, _) = report.kill(&installation, node, kill).await;
        assert_eq!(installation.mails(&person.email).len(), 1, "{failpoint}: mails");
        person.sign_in(&node.client()).await;
    }

    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    report
}
