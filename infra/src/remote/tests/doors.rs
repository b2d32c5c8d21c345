//! Authentication, by the client and by the server.

use domain::server::{ConnectFailure, Fingerprint};

use super::{SshHarness, run};
use crate::remote::{
    Address, AddressError, Egress, HostKey, Identity, Remote, RemoteError, RemoteOptions,
};

#[tokio::test]
async fn a_host_key_is_observed_without_offering_a_credential() {
    let harness = SshHarness::new();
    let seen = harness.remote.observe(&harness.address()).await.unwrap();
    assert_eq!(seen, harness.key());
    assert!(!harness.was_asked());
    harness.connect().await;
    assert!(harness.was_asked());
}

#[tokio::test]
async fn the_right_key_is_let_in_and_a_wrong_one_is_not() {
    let harness = SshHarness::new();
    assert_eq!(run(&harness.connect().await, "echo in").await.out, b"in\n");
    let stranger = Identity::generate().unwrap();
    let error = harness.try_connect(&stranger).await.unwrap_err();
    assert_eq!(error, RemoteError::Refused(ConnectFailure::Authentication));
    assert_eq!(error.cause(), ConnectFailure::Authentication);
}

#[tokio::test]
async fn another_host_key_is_a_full_stop_before_any_credential() {
    let harness = SshHarness::new();
    let pinned = harness.key();
    harness.sshd.change_host_key().unwrap();
    let seen = harness.key();
    let user = harness.sshd.user();
    let outcome = harness.remote.connect(&harness.address(), user, pinned, &harness.identity).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::HostKey { seen });
    assert!(!harness.was_asked());
    let nobody = HostKey { fingerprint: Fingerprint([0; 32]), ..pinned };
    let outcome = harness.remote.connect(&harness.address(), user, nobody, &harness.identity).await;
    assert_eq!(outcome.unwrap_err().cause(), ConnectFailure::HostKey);
}

#[tokio::test]
async fn an_address_is_checked_again_at_each_connect() {
    let harness = SshHarness::new();
    let closed = Remote::new(Egress::default(), RemoteOptions::default());
    let port = harness.sshd.port();
    for host in ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "nowhere.invalid"]
    {
        let outcome = closed.observe(&Address::new(host, port)).await;
        assert_eq!(outcome.unwrap_err(), RemoteError::Address(AddressError::NotAllowed), "{host}");
    }
    let outcome = closed.observe(&Address::new("2130706433", port)).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::Address(AddressError::Malformed));
    let outcome = closed.observe(&Address::new("1.1.1.1", 25)).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::Address(AddressError::Port { port: 25 }));
    let one = format!("127.0.0.1/32:{port}");
    let open = Remote::new(Egress::parse(&one).unwrap(), RemoteOptions::default());
    assert!(open.observe(&harness.address()).await.is_ok());
    assert!(open.observe(&Address::new("::ffff:127.0.0.1", port)).await.is_ok());
    assert_eq!(
        open.observe(&Address::new("127.0.0.2", port)).await.unwrap_err().cause(),
        ConnectFailure::Address
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_tcp() {
    let harness = SshHarness::new();
    harness.sshd.stop().unwrap();
    let outcome = harness.remote.observe(&harness.address()).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::Refused(ConnectFailure::Tcp));
}

#[test]
fn no_word_of_an_address_or_a_key_is_shown() {
    let identity = Identity::generate().unwrap();
    let address = Address::new("ada.example", 2022);
    let shown = format!("{identity:?} {address:?}");
    assert_eq!(shown, "Identity(..) Address(..)");
}

#[tokio::test]
async fn no_rsa_key_is_offered_with_sha_1() {
    let config = "LogLevel DEBUG1\nPubkeyAcceptedAlgorithms ssh-rsa".to_owned();
    let (pem, _) = super::identities::plain(&["-t", "rsa", "-b", "2048"]);
    let harness = SshHarness::of(Identity::parse(&pem, None).unwrap(), config);
    let error = harness.try_connect(&harness.identity).await.unwrap_err();
    assert_eq!(error, RemoteError::Refused(ConnectFailure::Authentication));
    assert!(!harness.sshd.log().contains("pkalg ssh-rsa"));
}
