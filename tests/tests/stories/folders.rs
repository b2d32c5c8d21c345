//! Folders that are not this user's, or not on a volume: every subcommand refuses them before it changes anything.

use std::os::unix::fs::chown;

use test_support::may_give_away;
use tests::Installation;

use crate::command_line::printed;
use crate::mistyped::{files, subcommands};

/// Those that create what is not there among them.
async fn refused(installation: &Installation, settings: &[(&str, &str)], says: &str) {
    let before = files(installation.folder());
    let creating = ["serve", "migrate"].map(|word| vec![word.to_owned()]);
    for subcommand in subcommands().into_iter().chain(creating) {
        let words: Vec<&str> = subcommand.iter().map(String::as_str).collect();

        let (code, out, errors) = printed(&installation.run_with(&words, settings).await);

        assert_eq!((code, errors.lines().count()), (Some(2), 1), "{words:?}: {out}{errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
        assert_eq!(files(installation.folder()), before, "{words:?}");
    }
}

/// An operator's `sudo lethe …` beside a service: what root writes there, the service could not read.
#[tokio::test]
async fn root_changes_nothing_in_the_installation_of_another_user() {
    if !may_give_away() {
        return;
    }
    for setting in ["root_dir", "copy_dir", "mail_dir"] {
        let installation = Installation::new().await;
        let folder = installation.folder().join("of-another");
        std::fs::create_dir(&folder).unwrap();
        chown(&folder, Some(4_321), Some(4_321)).unwrap();
        let place = folder.display().to_string();

        let says = format!("lethe: {setting}: {place} belongs to user 4321");
        refused(&installation, &[(setting, &place)], &says).await;
    }
}

#[tokio::test]
async fn a_container_keeps_nothing_where_it_would_be_lost() {
    let installation = Installation::new().await;
    // Whatever is mounted on this machine, this is not.
    let settings = [("volumes_required", "true"), ("root_dir", "/roots-of-a-test-of-lethe")];

    refused(&installation, &settings, "is in no volume, and would be lost").await;

    assert!(!std::path::Path::new(settings[1].1).exists());
}
