//! Invitations: for one address, once, and then forgotten.

use serde_json::json;
use tests::{Harness, Person, until};
use uuid::Uuid;

use super::tokens::in_days;

#[tokio::test]
async fn whoever_is_invited_joins_once_in_the_role_that_was_meant() {
    let harness = Harness::new().await;
    let bob = harness.person("bob").await;
    let invites = async |days| {
        let asks = json!({
            "email": "Bob@Example.org", "role": "operator", "expires_at": in_days(days)
        });
        harness.ada.post(&harness.at("invitations"), asks).await
    };
    for days in [-1, 8] {
        assert_eq!(invites(days).await.expect(422).field("/errors/0/pointer"), "/expires_at");
    }
    let requested = invites(2).await.expect(201);
    let listed = harness.ada.get(&harness.at("invitations")).await.expect(200);
    assert_eq!(listed.field("/items/0/email"), "Bob@Example.org");
    assert_eq!(listed.field("/items/0/invitation_id"), requested.field("/invitation_id"));
    let mail = harness.installation.mail("Bob@Example.org", 1).await;
    assert!(mail.link().contains("/accept-invitation?token="), "{}", mail.link());
    harness.node.client().get("/accept-invitation").await.expect(200);
    let joins = json!({ "token": mail.token() });
    bob.get(&harness.path).await.expect(404);
    harness.node.client().post("/v1/invitations/accept", &joins).await.expect(401);

    let once = bob.saying("Idempotency-Key", "bob-joins-the-engines");
    let joined = once.post("/v1/invitations/accept", &joins).await.expect(200);
    let again = once.post("/v1/invitations/accept", &joins).await.expect(200);

    assert_eq!(joined.position(), again.position());
    assert!(harness.path.ends_with(&joined.field("/workspace_id")));
    assert_eq!(bob.get(&harness.path).await.expect(200).field("/role"), "operator");
    bob.post("/v1/invitations/accept", &joins).await.expect(410);
    let open = harness.ada.get(&harness.at("invitations")).await.expect(200).json();
    assert_eq!(open["items"], json!([]));
    let asks = json!({ "email": "bob@example.org", "role": "viewer" });
    harness.ada.post(&harness.at("invitations"), asks).await.expect(409);
}

#[tokio::test]
async fn an_invitation_is_for_the_person_whose_proven_address_it_is() {
    let harness = Harness::new().await;
    let eve = harness.person("eve").await;
    let token = harness.invite("bob@example.org", "owner").await;
    let joins = json!({ "token": token });
    let refused = eve.post("/v1/invitations/accept", &joins).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/not-invited");

    let bob = Person::named("bob");
    bob.register(&harness.node.client()).await;
    let bobs = bob.sign_in(&harness.node.client()).await;
    bobs.post("/v1/invitations/accept", &joins).await.expect(403);
    let proof = harness.installation.mail(&bob.email, 2).await;
    let link = json!({ "token": proof.token() });
    bobs.post("/v1/email-verifications", link).await.expect(204);

    bobs.post("/v1/invitations/accept", &joins).await.expect(200);
    for bad in ["", "x", &token[1..]] {
        let bad = json!({ "token": bad });
        bobs.post("/v1/invitations/accept", bad).await.expect(400);
    }
}

#[tokio::test]
async fn only_those_who_manage_members_invite_and_see_addresses() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "operator").await;
    let admin = harness.invited("cara", "admin").await;
    harness.invite("dan@example.org", "viewer").await;

    let asks = |role: &str| json!({ "email": "eve@example.org", "role": role });
    bob.post(&harness.at("invitations"), asks("viewer")).await.expect(403);
    admin.post(&harness.at("invitations"), asks("owner")).await.expect(403);
    let seen = bob.get(&harness.at("invitations")).await.expect(200).json();
    assert_eq!(seen["items"][0]["role"], "viewer");
    assert!(seen["items"][0].get("email").is_none());
    let seen = admin.get(&harness.at("invitations")).await.expect(200);
    assert_eq!(seen.field("/items/0/email"), "dan@example.org");
    let id = seen.field("/items/0/invitation_id");
    bob.delete(&harness.at(&format!("invitations/{id}"))).await.expect(403);
    admin.delete(&harness.at(&format!("invitations/{id}"))).await.expect(204);
    admin.delete(&harness.at(&format!("invitations/{id}"))).await.expect(404);
}

#[tokio::test]
async fn a_second_invitation_to_an_address_replaces_the_first() {
    let harness = Harness::new().await;
    let bob = harness.person("bob").await;
    let first = harness.invite("bob@example.org", "viewer").await;
    let ids = async || {
        let open = harness.ada.get(&harness.at("invitations")).await.expect(200).json();
        open["items"].as_array().unwrap().len()
    };
    let asks = json!({ "email": "BOB@example.org", "role": "admin" });
    harness.ada.post(&harness.at("invitations"), asks).await.expect(201);
    let second = harness.installation.mail("BOB@example.org", 1).await.token().to_owned();

    assert_eq!(ids().await, 1);
    bob.post("/v1/invitations/accept", json!({ "token": first })).await.expect(410);
    bob.post("/v1/invitations/accept", json!({ "token": second })).await.expect(200);
    assert_eq!(bob.get(&harness.path).await.expect(200).field("/role"), "admin");
}

#[tokio::test]
async fn the_address_of_an_invitation_that_ended_is_forgotten() {
    let harness = Harness::new().await;
    let asks = json!({ "email": "gone@example.org", "role": "viewer" });
    let requested = harness.ada.post(&harness.at("invitations"), asks).await.expect(201);
    let id = requested.field("/invitation_id");
    let token = harness.installation.mail("gone@example.org", 1).await.token().to_owned();
    harness.ada.delete(&harness.at(&format!("invitations/{id}"))).await.expect(204);

    let keyring = harness.installation.keyring().await;
    let id: Uuid = id.parse().unwrap();
    until("its key is destroyed", async || {
        let live = "select from keyring.keys where subject = $1 and wrapped is not null";
        keyring.query(live, &[&id]).await.unwrap().is_empty().then_some(())
    })
    .await;
    until("its mail is destroyed", async || {
        harness.installation.mails("gone@example.org").is_empty().then_some(())
    })
    .await;
    let gone = harness.person("gone").await;
    gone.post("/v1/invitations/accept", json!({ "token": token })).await.expect(410);
    assert_ne!(gone.account().await, harness.ada.account().await);
}

#[tokio::test]
async fn so_many_invitations_are_mailed_in_an_hour_and_no_more() {
    let harness = Harness::with(&[("mails_per_hour", "1")]).await;
    let asks = |email: &str| json!({ "email": email, "role": "viewer" });
    harness.ada.post(&harness.at("invitations"), asks("bob@example.org")).await.expect(201);

    let refused = harness.ada.post(&harness.at("invitations"), asks("eve@example.org")).await;

    assert!(refused.expect(429).header("retry-after").is_some());
}
