//! What is another's: another member's lease, another tenant's seats, and roles without a seat.

use serde_json::json;
use tests::Person;

use tests::{Harness, lease_of, problem};

#[tokio::test]
async fn anothers_lease_is_not_there_but_for_those_who_manage_members() {
    let harness = Harness::new().await;
    let bo = harness.member("bo", "operator").await;
    let (adas, fence) = harness.lease(&harness.ada).await;
    let (bos, _) = harness.lease(&bo).await;

    for answer in [
        harness.renew(&bo, &adas, fence).await,
        harness.take_over(&bo, &adas).await,
        harness.give_back(&bo, &adas).await,
        harness.renew(&harness.ada, &bos, fence).await,
        harness.renew(&bo, "nothing", fence).await,
    ] {
        assert_eq!(problem(&answer, 404), "not-found");
    }

    harness.give_back(&harness.ada, &bos).await.expect(204);
    let released = harness.events("seat.lease_released").await;
    assert_eq!(
        (&released[0]["lease"], &released[0]["reason"]),
        (&json!(bos), &json!("removed_by_admin"))
    );
    harness.renew(&harness.ada, &adas, fence).await.expect(200);
}

#[tokio::test]
async fn a_role_without_a_seat_sees_them_and_takes_none() {
    let harness = Harness::new().await;
    let vi = harness.member("vi", "viewer").await;

    harness.seats(|_| true).await;
    vi.get(&harness.at("seats")).await.expect(200);

    assert_eq!(problem(&harness.take_seat(&vi).await, 403), "forbidden");
}

#[tokio::test]
async fn another_tenants_seats_are_not_there() {
    let harness = Harness::new().await;
    let (lease, fence) = harness.lease(&harness.ada).await;
    let eve = Person::named("eve").settle(&harness.node.client(), &harness.installation).await;
    let own = eve.post("/v1/workspaces", json!({ "name": "Eve's" })).await.expect(201);
    let own = own.field("/workspace_id");
    let nothing = eve.get("/v1/nothing").await.expect(404).body;

    let inside = [
        harness.take_seat(&eve).await,
        harness.renew(&eve, &lease, fence).await,
        harness.take_over(&eve, &lease).await,
        harness.give_back(&eve, &lease).await,
        eve.get(&harness.at("seats")).await,
    ];
    // Through her own workspace, with a lease of the other.
    let hers = format!("/v1/workspaces/{own}/seat-leases/{lease}");
    let through = [
        eve.post(&format!("{hers}/renew"), json!({ "fence": fence })).await,
        eve.post(&format!("{hers}/take-over"), json!({})).await,
        eve.delete(&hers).await,
    ];

    for answer in inside.into_iter().chain(through) {
        assert_eq!((answer.status, &answer.body), (404, &nothing));
    }
    harness.renew(&harness.ada, &lease, fence).await.expect(200);
}

#[tokio::test]
async fn a_fence_only_grows_whoever_holds_the_seat() {
    let harness = Harness::with(&[("seat_limit_default", "1")]).await;
    let bo = harness.member("bo", "operator").await;
    let mut fences = Vec::new();

    for turn in 0..6 {
        let who = if turn % 2 == 0 { &harness.ada } else { &bo };
        let (lease, fence) = harness.lease(who).await;
        let (taken, greater) = lease_of(&harness.take_over(who, &lease).await.expect(201));
        fences.extend([fence, greater]);
        harness.give_back(who, &taken).await.expect(204);
    }

    assert!(fences.is_sorted_by(|before, after| before < after), "{fences:?}");
}
