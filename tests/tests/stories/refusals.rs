//! What a newcomer gives wrongly: refused on one line, before anything is made.

use tests::{Installation, Person};

use crate::command_line::{printed, refused};

#[tokio::test]
async fn what_is_given_wrongly_is_refused_before_anything_is_made() {
    let installation = Installation::private(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let at = at.as_str();
    for (subcommand, flag, value) in [
        ("serve", "--listen", at),
        ("serve", "--metrics-listen", at),
        ("work", "--metrics-listen", at),
        ("serve", "--escrow-recipient", "foo"),
        ("config", "--escrow-recipient", "foo"),
        ("config", "--mail-from", "x y z"),
        ("config", "--smtp-url", "smtp://h:70000"),
        ("config", "--drain-seconds", "-1"),
    ] {
        let said = refused(&installation, &[subcommand, flag, value]).await;

        let setting = flag.trim_start_matches('-').replace('-', "_");
        assert!(said.starts_with(&format!("lethe: {setting}: ")), "{said}");
        assert!(!installation.data_dir().exists(), "{subcommand} {flag}");
        assert!(!installation.root_dir().exists(), "{subcommand} {flag}");
    }
}

#[tokio::test]
async fn a_folder_without_the_root_keys_is_named_and_not_made() {
    let installation = Installation::new().await;
    assert!(installation.node().await.stop().await.success());
    let wrong = installation.folder().join("wrong");

    let arguments = ["keys", "status", "--root-dir", wrong.to_str().unwrap()];
    let (code, _, errors) = printed(&installation.run(&arguments).await);

    assert_eq!(code, Some(2), "{errors}");
    let missing = format!("root key 1, which is not in {}", wrong.display());
    assert!(errors.contains(&missing), "{errors}");
    assert!(!wrong.exists());
}

#[tokio::test]
async fn a_replay_that_finds_nothing_to_resume_says_so() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    Person::named("ada").register(&lethe.client()).await;

    let (code, out, errors) = printed(&installation.run(&["replay", "accounts", "--resume"]).await);

    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("accounts: "), "{out}");
    assert!(errors.contains("there was no interrupted replay"), "{errors}");
}
