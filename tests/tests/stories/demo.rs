//! The demo, as a newcomer runs it.

#[tokio::test]
async fn every_claim_of_the_demo_holds() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_demo"));

    let output = command.output().await.unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let end = format!("All {} claims hold.\n", tests::demo::CLAIMS);
    assert!(text.ends_with(&end), "{text}");
}
