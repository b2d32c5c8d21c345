//! As long as an old root key waits in escrow, no certificate says that backups are closed.

use tests::{Client, Installation, Person, until};

/// Of the README of age: nobody here has its identity.
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

async fn state(client: &Client, code: &str) -> String {
    client.get(&format!("/v1/erasures/{code}")).await.expect(200).field("/state")
}

#[tokio::test]
async fn backups_are_proven_closed_only_once_the_escrow_is_gone_too() {
    let installation = Installation::with(&[("escrow_recipient", RECIPIENT)]).await;
    let escrow = installation.folder().join("escrow");
    let files = || {
        let Ok(entries) = std::fs::read_dir(&escrow) else { return 0 };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.strip_suffix(".age").is_some()).count()
    };
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&lethe.client(), &installation).await;
    let code = ada.erase(&signed_in).await;
    assert!(lethe.stop().await.success());

    assert!(installation.run(&["keys", "rotate"]).await.status.success());

    // The root is gone from its folder, and waits for somebody who is not online.
    assert_eq!(files(), 1);
    let lethe = installation.node().await;
    let bob = Person::named("bob");
    let bobs = bob.settle(&lethe.client(), &installation).await;
    bob.erase(&bobs).await;
    assert_eq!(state(&lethe.client(), &code).await, "completed");
    assert!(lethe.stop().await.success());

    let keyring = installation.keyring().await;
    let over = "update keyring.roots set escrow_until = now() - interval '1 second'
        where escrow = 'held'";
    assert_eq!(keyring.execute(over, &[]).await.unwrap(), 1);
    let lethe = installation.node().await;

    until("it is proven", async || {
        (state(&lethe.client(), &code).await == "backup_proven").then_some(())
    })
    .await;
    assert_eq!(files(), 0);
    let proof = lethe.client().get(&format!("/v1/erasures/{code}")).await.expect(200);
    proof.field("/certificate/backup_proven_at");
}

#[tokio::test]
async fn what_an_escrow_that_is_switched_off_holds_is_named_until_an_operator_says_it_is_destroyed()
{
    let installation = Installation::with(&[("escrow_recipient", RECIPIENT)]).await;
    assert!(installation.node().await.stop().await.success());
    assert!(installation.run(&["keys", "rotate"]).await.status.success());
    let installation = installation.and(&[("escrow_recipient", "")]);
    let doctor = async || {
        let doctor = installation.run(&["doctor"]).await.stdout;
        String::from_utf8(doctor).unwrap()
    };
    let holds = "WRONG  an escrow that is switched off holds root 1";
    let seen = doctor().await;
    assert!(seen.contains(holds), "{seen}");
    let word = ["keys", "escrow-destroyed", "1"];
    let refused = String::from_utf8(installation.run(&word).await.stderr).unwrap();
    assert!(refused.contains("root-1.age is there: delete it first"), "{refused}");
    std::fs::remove_file(installation.folder().join("escrow/root-1.age")).unwrap();

    let noted = installation.run(&word).await;

    assert!(noted.status.success(), "{noted:?}");
    let seen = doctor().await;
    assert!(!seen.contains(holds), "{seen}");
    let lost = String::from_utf8(installation.run(&["keys", "lost", "2"]).await.stderr).unwrap();
    assert!(lost.contains("keys are wrapped under it, or will be"), "{lost}");
}
