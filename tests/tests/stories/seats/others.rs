//! What is another's: another member's lease, another tenant's seats, and roles without a seat.

use serde_json::json;
use tests::Person;

use super::house::{House, held, problem};

#[tokio::test]
async fn anothers_lease_is_not_there_but_for_those_who_manage_members() {
    let house = House::new().await;
    let bo = house.colleague("bo", "operator").await;
    let (adas, fence) = house.lease(&house.ada).await;
    let (bos, _) = house.lease(&bo).await;

    for answer in [
        house.renew(&bo, &adas, fence).await,
        house.take_over(&bo, &adas).await,
        house.give_back(&bo, &adas).await,
        house.renew(&house.ada, &bos, fence).await,
        house.renew(&bo, "nothing", fence).await,
    ] {
        assert_eq!(problem(&answer, 404), "not-found");
    }

    house.give_back(&house.ada, &bos).await.expect(204);
    let released = house.told("seat.lease_released").await;
    assert_eq!(
        (&released[0]["lease"], &released[0]["reason"]),
        (&json!(bos), &json!("removed_by_admin"))
    );
    house.renew(&house.ada, &adas, fence).await.expect(200);
}

#[tokio::test]
async fn a_role_without_a_seat_sees_them_and_takes_none() {
    let house = House::new().await;
    let vi = house.colleague("vi", "viewer").await;

    house.seats(|_| true).await;
    vi.get(&house.path("seats")).await.expect(200);

    assert_eq!(problem(&house.ask(&vi).await, 403), "forbidden");
}

#[tokio::test]
async fn another_tenants_seats_are_not_there() {
    let house = House::new().await;
    let (lease, fence) = house.lease(&house.ada).await;
    let eve = Person::named("eve").settle(&house.node.client(), &house.installation).await;
    let own = eve.post("/v1/workspaces", json!({ "name": "Eve's" })).await.expect(201);
    let own = own.field("/workspace_id");
    let nothing = eve.get("/v1/nothing").await.expect(404).body;

    let inside = [
        house.ask(&eve).await,
        house.renew(&eve, &lease, fence).await,
        house.take_over(&eve, &lease).await,
        house.give_back(&eve, &lease).await,
        eve.get(&house.path("seats")).await,
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
    house.renew(&house.ada, &lease, fence).await.expect(200);
}

#[tokio::test]
async fn a_fence_only_grows_whoever_holds_the_seat() {
    let house = House::with(&[("seat_limit_default", "1")]).await;
    let bo = house.colleague("bo", "operator").await;
    let mut fences = Vec::new();

    for turn in 0..6 {
        let who = if turn % 2 == 0 { &house.ada } else { &bo };
        let (lease, fence) = house.lease(who).await;
        let (taken, greater) = held(&house.take_over(who, &lease).await.expect(201));
        fences.extend([fence, greater]);
        house.give_back(who, &taken).await.expect(204);
    }

    assert!(fences.is_sorted_by(|before, after| before < after), "{fences:?}");
}
