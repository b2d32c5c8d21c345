//! Root keys in Vault: an installation over it lives as one with a folder does, and says when Vault is gone.

use test_support::Vault;
use tests::{Installation, Person, until};

use crate::command_line::{done, printed};

const TOKEN: &str = "hvs.a-token-of-the-stories";

async fn installation(vault: &Vault) -> Installation {
    Installation::with(&[("root_vault", &vault.url()), ("root_vault_token", TOKEN)]).await
}

#[tokio::test]
async fn an_installation_over_vault_is_rotated_restarted_and_forgets_a_person() {
    let vault = Vault::start(TOKEN).await;
    // An old root waits for nothing.
    let installation = installation(&vault).await.and(&[("copy_dir", "")]);
    let lethe = installation.node().await;
    assert_eq!(vault.keys(), ["lethe-root-1"]);
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    let adas = ada.settle(&lethe.client(), &installation).await;
    bob.settle(&lethe.client(), &installation).await;

    let said = done(&installation, &["keys", "rotate"]).await;
    assert!(said.contains("root 2 is current"), "{said}");
    let code = ada.erase(&adas).await;
    done(&installation, &["keys", "rotate"]).await;

    until("it is proven", async || {
        let path = format!("/v1/erasures/{code}");
        let state = lethe.client().get(&path).await.expect(200).field("/state");
        if state == "backup_proven" { Ok(()) } else { Err(state) }
    })
    .await;
    until("no mark and no old root is left", async || {
        let keys = vault.keys();
        if keys == ["lethe-root-3"] { Ok(()) } else { Err(keys) }
    })
    .await;

    assert!(lethe.stop().await.success());
    let lethe = installation.node().await;
    let bobs = bob.sign_in(&lethe.client()).await;
    assert_eq!(bobs.get("/v1/me").await.expect(200).field("/name"), bob.name);
    let (_, said, _) = printed(&installation.run(&["doctor"]).await);
    assert!(said.contains("it answers, and lists 1 root key"), "{said}");
    assert!(said.contains("NOT reached: snapshots and backups of Vault"), "{said}");
    assert!(!said.contains("WRONG  Vault"), "{said}");
    let said = done(&installation, &["config"]).await;
    assert!(said.contains(&vault.url()) && !said.contains(TOKEN), "{said}");
    assert!(!installation.root_dir().exists());
    assert!(!std::fs::read_to_string(lethe.log_path()).unwrap().contains(TOKEN));
}

#[tokio::test]
async fn a_node_whose_vault_does_not_answer_goes_on_and_one_that_starts_is_refused() {
    let vault = Vault::start(TOKEN).await;
    let installation = installation(&vault).await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let adas = ada.settle(&lethe.client(), &installation).await;
    let refused = async |arguments: &[&str]| {
        let (code, _, errors) = printed(&installation.run(arguments).await);
        assert_eq!(code, Some(1), "{errors}");
        errors
    };

    let said = refused(&["serve", "--root-vault-token", "hvs.another"]).await;
    assert!(said.contains("status 403") && said.contains("permission denied"), "{said}");
    assert!(!said.contains("hvs.another"), "{said}");

    vault.seal();
    let said = refused(&["serve"]).await;
    assert!(said.contains("status 503: Vault is sealed"), "{said}");
    until("it is shown", async || {
        let reasons = lethe.readiness().await;
        let says = reasons["roots"].as_str().unwrap().contains("Vault is sealed");
        if says && reasons["ready"] == true { Ok(()) } else { Err(reasons) }
    })
    .await;
    assert_eq!(adas.get("/v1/me").await.expect(200).field("/name"), ada.name);
    Person::named("bob").settle(&lethe.client(), &installation).await;
    vault.unseal();

    vault.go_silent();
    let said = refused(&["serve"]).await;
    assert!(said.contains("no answer within 5 s"), "{said}");
    vault.speak();

    until("it is reached again", async || {
        let ready = lethe.client().get("/readyz").await.json();
        if ready["roots"] == "ok" && ready["ready"] == true { Ok(()) } else { Err(ready) }
    })
    .await;
    assert_eq!(vault.keys(), ["lethe-root-1"]);
}
