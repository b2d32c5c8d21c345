//! The demo, as a newcomer runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use tests::Installation;

#[tokio::test]
async fn every_claim_of_the_demo_holds() {
    let installation = Installation::private(&[]);

    let output = installation.run(&["demo"]).await;

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.ends_with("claims hold.\n"), "{told}");
}
