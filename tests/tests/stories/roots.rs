//! The root keys of an installation: one folder for all nodes, and old ones are kept for a while.

use std::path::Path;

use serde_json::Value;
use tests::{Client, Installation, Person, until};

async fn readiness(client: &Client) -> (u16, Value) {
    let answer = client.get("/readyz").await;
    (answer.status, answer.json())
}

async fn is_ready(client: &Client) {
    until("it is ready", async || {
        let (status, body) = readiness(client).await;
        if status == 200 { Ok(()) } else { Err(body) }
    })
    .await;
}

/// What Lethe says when it refuses to serve with this root folder.
async fn serve_in_vain(installation: &Installation, roots: &Path) -> String {
    let mut command = installation.command();
    command.env("LETHE_ROOT_DIR", roots).arg("serve");
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(!ended.status.success(), "it serves");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn a_second_node_with_a_root_folder_of_its_own_is_refused_at_its_start() {
    let installation = Installation::new().await;
    let first = installation.node().await;
    let own = installation.folder().join("own-roots");

    let said = serve_in_vain(&installation, &own).await;

    assert!(said.contains("root key 1, which is not in"), "{said}");
    assert!(said.contains("all nodes use the same one"), "{said}");
    assert!(!own.exists());
    is_ready(&first.client()).await;
    let second = installation.node().await;
    is_ready(&second.client()).await;
}

#[tokio::test]
async fn a_node_that_cannot_read_its_root_is_not_ready_and_comes_back() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    let file = installation.root_dir().join("root-1.key");
    let away = installation.folder().join("away.key");
    std::fs::rename(&file, &away).unwrap();

    until("it is not ready, and says why", async || {
        // A part that is slow to answer makes a node unready, too.
        let (status, _) = readiness(&node.client()).await;
        let reasons = node.readiness().await;
        let says = reasons["keyring"].as_str().unwrap().contains("root key 1, which is not in");
        if status == 503 && says { Ok(()) } else { Err(reasons) }
    })
    .await;

    assert_eq!(signed_in.get("/v1/me").await.status, 503, "a name is opened");
    std::fs::rename(&away, &file).unwrap();
    is_ready(&node.client()).await;
    assert_eq!(signed_in.get("/v1/me").await.expect(200).field("/name"), ada.name);
}

#[tokio::test]
async fn no_certificate_counts_a_root_as_gone_while_it_is_kept() {
    let installation = Installation::with(&[("root_retention_hours", "24")]).await;
    // It would erase the old root before the command does.
    installation.park("keys").await;
    let lethe = installation.node().await;
    let state = async |code: &str| -> String {
        lethe.client().get(&format!("/v1/erasures/{code}")).await.expect(200).field("/state")
    };
    let ada = Person::named("ada");
    let signed_in = ada.settle(&lethe.client(), &installation).await;
    let code = ada.erase(&signed_in).await;

    let rotated = installation.run(&["keys", "rotate"]).await;

    let said = String::from_utf8(rotated.stdout).unwrap();
    assert!(said.contains("root 1 is not erased yet: it is kept until"), "{said}");
    let status = installation.run(&["keys", "status"]).await;
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("root 1 is not erased yet: it is kept until"), "{said}");
    let bob = Person::named("bob");
    let bobs = bob.settle(&lethe.client(), &installation).await;
    bob.erase(&bobs).await;
    assert_eq!(state(&code).await, "completed");
    assert!(installation.root_dir().join("root-1.key").exists());

    let keyring = installation.keyring().await;
    let a_day_later = "update keyring.roots set rewrapped_at = rewrapped_at - interval '1 day'
        where state = 'retiring'";
    assert_eq!(keyring.execute(a_day_later, &[]).await.unwrap(), 1);
    let rotated = installation.run(&["keys", "rotate"]).await;
    let said = String::from_utf8(rotated.stdout).unwrap();
    assert!(said.contains("1 old root was erased"), "{said}");
    until("it is proven", async || {
        let state = state(&code).await;
        if state == "backup_proven" { Ok(()) } else { Err(state) }
    })
    .await;
    assert!(!installation.root_dir().join("root-1.key").exists());
}
