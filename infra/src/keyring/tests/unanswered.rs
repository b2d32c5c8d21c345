//! A folder of root keys on a server that does not answer: whoever opens a file there waits without end.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::RootId;
use super::*;

/// Longer than a file takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(3);

/// In the place of a file: it is opened once somebody opens its other end.
struct Silent(PathBuf);

impl Silent {
    fn in_place_of(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        Self(path.to_owned())
    }
}

/// Lets go whoever waits: a runtime ends after its threads.
impl Drop for Silent {
    fn drop(&mut self) {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let _ = OpenOptions::new().write(true).custom_flags(nonblocking).open(&self.0);
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn node(harness: &Harness) -> Keyring {
    harness.try_node_over(Arc::new(harness.folder().within(WITHIN))).await.unwrap()
}

#[tokio::test]
async fn the_keys_of_expired_periods_are_erased_all_the_same() {
    let harness = Harness::new().await;
    let node = node(&harness).await;
    let ada = harness.person();
    let [ip, _] = harness.login(&node, ada).await.unwrap();
    node.root_rotation.rotate().await.unwrap();
    let silent = Silent::in_place_of(&harness.root_file(1));
    harness.days_pass(91);

    let failed = node.eraser.erase_expired().await.unwrap_err();

    assert!(failed.to_string().contains("no answer within"), "{failed}");
    assert!(matches!(opened_ip(&node, ada, &ip).await, Err(OpenError::Expired)));
    drop(silent);
    node.eraser.erase_expired().await.unwrap();
}

/// As a Vault that is away.
#[tokio::test]
async fn a_node_goes_on_with_the_root_keys_in_its_memory() {
    let harness = Harness::new().await;
    let node = node(&harness).await;
    let people = harness.people(&node, 1).await;
    let root = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    let silent = Silent::in_place_of(&harness.root_file(1));

    node.roots.look().await;

    let unreached = node.roots_reached().unwrap_err().to_string();
    assert!(unreached.contains("no answer within"), "{unreached}");
    node.roots_usable().unwrap();
    all_open(&node, &people).await;
    drop(silent);
    put_root(harness.roots.path(), 1, &root);
    test_support::until("it answers again", async || {
        node.roots.look().await;
        node.roots_reached().is_ok()
    })
    .await;
}
