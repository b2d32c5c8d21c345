//! What backups give away afterwards: three Lethes beside the first, each on another one.

use std::path::Path;

use super::home::Home;
use super::rows;
use super::story::Story;
use super::told::Told;
use super::tools::{Dumps, Tools, copy, url};
use crate::cli::CliError;
use crate::databases::{KEYRING, LOG};

/// The backups that were taken before the erasure.
pub struct Before {
    pub dumps: Dumps,
    pub disk: Home,
}

/// Old events and old keys, and the root keys of today.
pub async fn old_keys(
    told: &mut Told,
    tools: &Tools,
    before: &Before,
    today: &Home,
    home: &Home,
) -> Result<(), CliError> {
    told.chapter("The dump of events and keys from before, restored beside");
    tools.restore(home, &before.dumps, &before.dumps).await?;
    copy(&today.roots(), &home.roots()).await?;
    told.see("its keys are wrapped under a root key that was replaced and destroyed since");
    let refused = home.serve().await;
    told.see(match &refused {
        Ok(_) => "it serves".to_owned(),
        Err(error) => format!("it says: {error}"),
    });
    told.holds("it opens nothing: it refuses to start", refused.is_err());
    Ok(())
}

/// Old events, and the keyring of today.
pub async fn current_keys(
    told: &mut Told,
    tools: &Tools,
    (before, now): (&Before, &Dumps),
    (today, home): (&Home, &Home),
    story: &mut Story,
) -> Result<(), CliError> {
    told.chapter("The dump of events from before, restored with the keyring of today");
    tools.restore(home, &before.dumps, now).await?;
    copy(&today.roots(), &home.roots()).await?;
    let node = home.serve().await?;
    let base = node.api().to_owned();
    let grace = story.serves_grace(Some(&base)).await?;
    told.holds("Grace signs in and sees her name: everybody else is served", grace);
    let ada = story.ada.try_sign_in(&story.ada.at(&base)).await?;
    told.holds("Ada cannot sign in: the ledger was replayed before it served", ada.status == 401);
    let keyring = rows::keyring(&url(home, KEYRING)?, &home.roots()).await?;
    let opened = rows::show(told, &url(home, LOG)?, &keyring, &story.ada.account).await?;
    drop(keyring);
    told.holds("her rows are there again, and none of them opens", opened.none());
    node.stop().await
}

/// Everything from before: data, keys and the root file.
pub async fn whole_disk(
    told: &mut Told,
    before: &Before,
    story: &mut Story,
) -> Result<(), CliError> {
    told.chapter("Control: the whole disk from before, root file included");
    let node = before.disk.serve().await?;
    let from = story.ada.at(node.api());
    let device = story.ada.sign_in(&from).await?;
    let me = device.api.get("/v1/me").await?;
    told.see(&me.body);
    let opens = me.status == 200 && me.body.to_string().contains(&story.ada.name);
    told.holds(
        "it opens: such a copy is out of an erasure's reach, and lethe doctor says so",
        opens,
    );
    node.stop().await
}

/// Copies the disk, on which nothing runs meanwhile.
pub async fn copy_disk(
    told: &Told,
    home: &Home,
    scratch: &Path,
    dumps: Dumps,
) -> Result<Before, CliError> {
    let disk = Home::new(scratch.join("disk"))?;
    copy(&home.data(), &disk.data()).await?;
    copy(&home.roots(), &disk.roots()).await?;
    told.see(format_args!("a copy of the whole disk is in {}", disk.folder().display()));
    Ok(Before { dumps, disk })
}
