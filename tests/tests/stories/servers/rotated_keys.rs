//! Host keys of several algorithms: gained, announced, approved in place of another, withdrawn.

use std::fs;
use std::process::Command;

use infra::clock::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::sshd::keygen;
use tests::{Harness, Sshd, SshdOptions, results, until};

use super::{count, set_up, set_up_with, until_event};

const PASSWORD: &str = "a password of ada";
const ONLY_RSA: &str = "HostKeyAlgorithms rsa-sha2-512,rsa-sha2-256";
const ONLY_ED25519: &str = "HostKeyAlgorithms ssh-ed25519";

/// An sshd with an RSA key besides its ed25519 key, whose configuration says which of the two it shows.
struct TwoKeys {
    sshd: Sshd,
    folder: TempDir,
    rsa: String,
    ed25519: String,
}

impl TwoKeys {
    fn start(line: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rsa = make_key(&folder, "rsa", &["-b", "2048"]);
        fs::write(folder.path().join("sshd.conf"), line).unwrap();
        let at = folder.path().display();
        let config = format!("Include {at}/*.conf\nHostKey {at}/rsa");
        let sshd = Sshd::start_with(&SshdOptions { config, ..SshdOptions::default() }).unwrap();
        let ed25519 = sshd.host_key_fingerprint().unwrap();
        Self { sshd, folder, rsa, ed25519 }
    }

    /// From the next connection on.
    fn show(&self, line: &str) {
        fs::write(self.folder.path().join("sshd.conf"), line).unwrap();
        self.sshd.restart().unwrap();
    }

    /// Shows a third key, too.
    fn gain(&self) {
        make_key(&self.folder, "ecdsa", &[]);
        self.show(&format!("HostKey {}/ecdsa", self.folder.path().display()));
    }

    fn announced_rsa(&self) -> Value {
        json!([{ "algorithm": "rsa", "fingerprint": self.rsa }])
    }
}

/// Answers its fingerprint.
fn make_key(folder: &TempDir, kind: &str, options: &[&str]) -> String {
    let (programme, path) = (keygen().unwrap(), folder.path().join(kind));
    let mut make = Command::new(&programme);
    make.args(["-q", "-N", "", "-C", "", "-t", kind]).args(options).arg("-f").arg(&path);
    assert!(make.status().unwrap().success());
    let shown = Command::new(&programme).arg("-lf").arg(&path).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    shown.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap().to_owned()
}

/// Registered, with the key approved that it shows first.
async fn usable(harness: &Harness, sshd: &Sshd) -> String {
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    let seen = harness.check_server(&server).await["host_key"]["seen"].clone();
    let approval = json!({ "fingerprint": seen, "password": PASSWORD });
    harness.approve_host_key(&server, approval).await.expect(200);
    sshd.authorize(&harness.generate_credential(&server).await).unwrap();
    server
}

async fn shown(harness: &Harness, server: &str) -> Value {
    harness.ada.get(server).await.expect(200).json()
}

#[tokio::test]
async fn a_key_that_the_server_gains_is_no_mismatch_and_one_that_it_loses_is_one() {
    let (harness, keys) = (set_up().await, TwoKeys::start(ONLY_RSA));
    let server = usable(&harness, &keys.sshd).await;
    let approved = json!({ "state": "approved", "approved": keys.rsa });
    assert_eq!(shown(&harness, &server).await["host_key"], approved);

    keys.show("");
    let checked = harness.check_server(&server).await;
    assert_eq!((results(&checked), &checked["host_key"]), (vec!["ok"; 5], &approved));
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 0);

    keys.show(ONLY_ED25519);
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "failed", "not_tried", "not_tried"]);
    let mismatch = json!({ "state": "mismatched", "approved": keys.rsa, "seen": keys.ed25519 });
    assert_eq!(checked["host_key"], mismatch);
    harness.check_server(&server).await;
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 1);
}

#[tokio::test]
async fn a_server_without_a_credential_is_asked_for_the_approved_key_too() {
    let (harness, keys) = (set_up().await, TwoKeys::start(ONLY_RSA));
    let server = harness.register_server(keys.sshd.port(), keys.sshd.user()).await;
    harness.check_server(&server).await;
    let approval = json!({ "fingerprint": keys.rsa, "password": PASSWORD });
    harness.approve_host_key(&server, approval).await.expect(200);

    keys.show("");

    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "not_tried", "not_tried"]);
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 0);
}

#[tokio::test]
async fn an_announced_key_is_approved_with_the_password_before_the_old_one_is_withdrawn() {
    let (harness, keys) = (set_up().await, TwoKeys::start(""));
    let server = usable(&harness, &keys.sshd).await;
    assert_eq!(shown(&harness, &server).await["host_key"]["approved"], json!(keys.ed25519));
    for _ in 0..2 {
        assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
        assert_eq!(shown(&harness, &server).await["host_key_proposals"], keys.announced_rsa());
        assert_eq!(count(&harness, "server.host_keys_announced").await, 1);
    }

    let wrong = json!({ "fingerprint": keys.rsa, "password": "another password" });
    harness.approve_host_key(&server, wrong).await.expect(403);
    let unknown = format!("SHA256:{}", "A".repeat(43));
    let unknown = json!({ "fingerprint": unknown, "password": PASSWORD });
    harness.approve_host_key(&server, unknown).await.expect(422);
    let right = json!({ "fingerprint": keys.rsa, "password": PASSWORD });
    harness.approve_host_key(&server, right).await.expect(200);
    let approved = json!({ "state": "approved", "approved": keys.rsa });
    assert_eq!(shown(&harness, &server).await["host_key"], approved);

    keys.show(ONLY_RSA);

    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 0);
    let mails = harness.installation.mails("ada@example.org");
    assert!(mails.iter().all(|mail| !mail.text.contains("host key")));
}

#[tokio::test]
async fn of_two_changes_of_a_day_the_first_is_an_event() {
    let today = || Clock::system().now().date_naive();
    let (harness, keys) = (set_up().await, TwoKeys::start(""));
    let (server, day) = (usable(&harness, &keys.sshd).await, today());
    harness.check_server(&server).await;
    assert_eq!(count(&harness, "server.host_keys_announced").await, 1);

    keys.gain();

    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
    let found = count(&harness, "server.host_keys_announced").await;
    assert!(found == 1 || today() != day, "{found} events of {day}");
}

#[tokio::test]
async fn announced_keys_are_found_by_whoever_watches_the_server_and_shown_in_the_list() {
    let settings = [("monitor_seconds", "1"), ("unreachable_seconds", "3600")];
    let (harness, keys) = (set_up_with(&settings).await, TwoKeys::start(""));
    let server = usable(&harness, &keys.sshd).await;
    until_event(&harness, "server.host_keys_announced").await;
    assert_eq!(shown(&harness, &server).await["host_key_proposals"], keys.announced_rsa());
    let list = format!("{}/servers", harness.path);
    until("the mark in the list", async || {
        let page = harness.ada.get(&list).await.expect(200).json();
        let marked = page["items"][0]["host_key_proposals"] == keys.announced_rsa();
        if marked { Ok(()) } else { Err(page) }
    })
    .await;
}
