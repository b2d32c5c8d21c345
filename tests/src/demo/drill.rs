//! What backups give away afterwards: three more installations, each on another backup.

use std::path::Path;

use super::backups::{Dumps, copy};
use super::claims::Claims;
use super::rows;
use super::story::Story;
use crate::Installation;

/// The backups that were taken before the erasure.
pub struct Before {
    pub dumps: Dumps,
    pub disk: Installation,
}

impl Before {
    /// `installation` is copied whole to `disk`, so nothing may run on it.
    pub async fn take(
        claims: &Claims,
        installation: &Installation,
        disk: Installation,
        dumps: Dumps,
    ) -> Self {
        copy(&installation.data_dir(), &disk.data_dir()).await;
        copy(&installation.root_dir(), &disk.root_dir()).await;
        copy(&installation.copy_dir(), &disk.copy_dir()).await;
        claims.see(format_args!("a copy of the whole disk is in {}", disk.folder().display()));
        Self { dumps, disk }
    }
}

/// Old events and old keys, and the root keys of today.
pub async fn old_keys(claims: &mut Claims, before: &Before, roots: &Path, into: &Installation) {
    claims.chapter("The dump of events and keys from before, restored beside");
    before.dumps.restore(into, &before.dumps).await;
    copy(roots, &into.root_dir()).await;
    claims.see("its keys are wrapped under a root key that was replaced and destroyed since");
    let refused = into.try_node().await.err();
    let said = refused.as_deref().and_then(|log| log.lines().last());
    claims.see(said.unwrap_or("it serves"));
    let for_the_root = said.is_some_and(|line| line.contains("root key"));
    claims.holds("it opens nothing: it refuses to start", for_the_root);
}

/// Old events, and the keyring of today.
pub async fn current_keys(
    claims: &mut Claims,
    (before, now): (&Before, &Dumps),
    roots: &Path,
    into: &Installation,
    story: &mut Story,
) {
    claims.chapter("The dump of events from before, restored with the keyring of today");
    before.dumps.restore(into, now).await;
    copy(roots, &into.root_dir()).await;
    let node = into.node().await;
    let grace = story.serves_grace(node.api()).await;
    claims.holds("Grace signs in and sees her name: everybody else is served", grace);
    let ada = story.ada.person.try_sign_in(&story.ada.laptop.at(node.api())).await;
    claims.holds("Ada cannot sign in: the ledger was replayed before it served", ada.status == 401);
    let opened = rows::show(claims, into, &story.ada.account).await;
    claims.holds("her rows are there again, and none of them opens", opened.none());
    assert!(node.stop().await.success());
}

/// Everything from before: data, keys and the root file.
pub async fn whole_disk(claims: &mut Claims, before: &Before, story: &mut Story) {
    claims.chapter("Control: the whole disk from before, root file included");
    let node = before.disk.node().await;
    let from = story.ada.laptop.at(node.api());
    let device = story.ada.sign_in(&from).await;
    let me = device.client.get("/v1/me").await;
    claims.see(me.text());
    let opens = me.status == 200 && me.text().contains(&story.ada.person.name);
    let claim = "it opens: such a copy is out of an erasure's reach, and lethe doctor says so";
    let doctor = before.disk.run(&["doctor"]).await.stdout;
    let says_so = String::from_utf8_lossy(&doctor).contains("copy of the whole");
    claims.holds(claim, opens && says_so);
    assert!(node.stop().await.success());
}
