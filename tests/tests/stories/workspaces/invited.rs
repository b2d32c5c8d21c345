//! An invitation as the person sees it whom it is for.

use serde_json::json;
use tests::{Harness, Person, until};
use uuid::Uuid;

#[tokio::test]
async fn whoever_is_invited_sees_to_what_before_they_accept() {
    let harness = Harness::new().await;
    let (bob, eve) = (harness.person("bob").await, harness.person("eve").await);
    let token = harness.invite(&Person::named("bob").email, "operator").await;
    let link = json!({ "token": token });
    harness.node.client().post("/v1/invitations/look", &link).await.expect(401);
    let refused = eve.post("/v1/invitations/look", &link).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/not-invited");
    assert!(!refused.text().contains("Engines"));

    let seen = bob.post("/v1/invitations/look", &link).await.expect(200).json();

    let listed = harness.ada.get(&harness.at("invitations")).await.expect(200).json();
    let expected = json!({
        "invitation_id": listed["items"][0]["invitation_id"],
        "workspace_id": harness.workspace_id(),
        "workspace_name": "Engines",
        "role": "operator",
        "inviter_id": harness.ada.account().await,
        "expires_at": listed["items"][0]["expires_at"],
    });
    assert_eq!(seen, expected);
    bob.post("/v1/invitations/look", &link).await.expect(200);
    bob.post("/v1/invitations/accept", &link).await.expect(200);
    bob.post("/v1/invitations/look", &link).await.expect(410);
    for bad in ["", "x", &token[1..]] {
        bob.post("/v1/invitations/look", json!({ "token": bad })).await.expect(400);
    }
}

#[tokio::test]
async fn whoever_is_invited_declines_once_and_the_address_is_forgotten() {
    let harness = Harness::new().await;
    let (bob, eve) = (harness.person("bob").await, harness.person("eve").await);
    let address = Person::named("bob").email;
    let mails = harness.installation.mails(&address).len();
    let asks = json!({ "email": address, "role": "viewer" });
    let invited = harness.ada.post(&harness.at("invitations"), asks).await.expect(201);
    let id: Uuid = invited.field("/invitation_id").parse().unwrap();
    let mail = harness.installation.mail(&address, mails + 1).await;
    let link = json!({ "token": mail.token() });
    eve.post("/v1/invitations/decline", &link).await.expect(403);
    harness.node.client().post("/v1/invitations/decline", &link).await.expect(401);

    let once = bob.saying("Idempotency-Key", "bob-does-not-join");
    let declined = once.post("/v1/invitations/decline", &link).await.expect(204);
    once.post("/v1/invitations/decline", &link).await.expect(204);

    for name in ["lethe-position", "etag"] {
        assert_eq!(declined.header(name), None, "{name} would count what others do");
    }
    for then in ["decline", "accept", "look"] {
        bob.post(&format!("/v1/invitations/{then}"), &link).await.expect(410);
    }
    let open = harness.ada.get(&harness.at("invitations")).await.expect(200).json();
    assert_eq!(open["items"], json!([]));
    let events = harness.events("workspace.invitation_declined").await;
    assert_eq!(events, [json!({ "invitation": id })]);
    let unnamed = "select from event_log.events
        where event_type = 'workspace.invitation_declined' and actor is null and session is null";
    assert_eq!(harness.installation.log().await.query(unnamed, &[]).await.unwrap().len(), 1);
    let keyring = harness.installation.keyring().await;
    until("its key is erased", async || {
        let live = "select from keyring.keys where subject = $1 and wrapped is not null";
        keyring.query(live, &[&id]).await.unwrap().is_empty().then_some(())
    })
    .await;
    until("its mail is deleted", async || {
        (harness.installation.mails(&address).len() == mails).then_some(())
    })
    .await;
    harness.invite(&address, "viewer").await;
}
