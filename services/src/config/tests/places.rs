//! Folders that must be apart.

use super::{layers, refusal};
use crate::config::Config;

#[test]
fn the_root_keys_stay_out_of_the_data() {
    let places = [("data_dir", "/srv/lethe"), ("root_dir", "/srv/lethe/roots")];
    assert!(refusal(&places).starts_with("root_dir: must not be inside data_dir"));
}

/// One in the backups of another would be opened by it, or its disk be taken for that of the other.
#[test]
fn each_of_the_keys_folders_is_apart_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(of("data")).unwrap();
    std::os::unix::fs::symlink(of("data/escrow"), of("dangling")).unwrap();
    let refused = |setting, place| {
        let apart = [("data_dir", "data"), ("root_dir", "roots"), ("copy_dir", "copy")];
        let all = apart.into_iter().chain([("escrow_dir", "escrow"), (setting, place)]);
        let all: Vec<_> = all.map(|(setting, place)| (setting, of(place))).collect();
        let all: Vec<_> = all.iter().map(|(setting, place)| (*setting, place.as_str())).collect();
        Config::of(&layers(&all, &[])).map(drop).map_err(|error| error.setting)
    };
    assert_eq!(refused("mail_dir", "data/mail"), Ok(()));
    for (setting, place) in [
        ("copy_dir", "roots"),
        ("copy_dir", "roots/copy"),
        ("root_dir", "copy/roots"),
        ("escrow_dir", "copy"),
        ("escrow_dir", "dangling"),
        ("data_dir", "roots/data"),
        ("mail_dir", "roots"),
    ] {
        assert!(refused(setting, place).is_err(), "{setting} = {place}");
    }
}

#[test]
fn the_copy_of_the_keyring_stays_out_of_the_data_through_a_link_too() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(of("data")).unwrap();
    std::os::unix::fs::symlink(of("data"), of("link")).unwrap();
    let places = [("data_dir", of("data")), ("copy_dir", of("link/copy"))];
    let places = places.each_ref().map(|(setting, place)| (*setting, place.as_str()));

    assert!(refusal(&places).starts_with("copy_dir: must not be inside data_dir"));
}

#[test]
fn what_is_escrowed_stays_out_of_the_data() {
    let of = |escrow: &str| {
        let places =
            [("data_dir", "/srv/lethe"), ("root_dir", "/srv/roots"), ("escrow_dir", escrow)];
        Config::of(&layers(&places, &[])).map(drop).map_err(|error| error.to_string())
    };
    let inside = of("/srv/lethe/escrow").unwrap_err();
    assert!(inside.starts_with("escrow_dir: must not be inside data_dir"), "{inside}");
    assert_eq!(of("/srv/escrow"), Ok(()));
}

#[test]
fn without_a_copy_and_without_an_escrow_a_start_warns() {
    let warned = |settings: &[(&str, &str)]| {
        let config = Config::of(&layers(settings, &[])).unwrap();
        let lines = crate::cli::lines_at_start(&config).into_iter();
        let warnings = lines.filter(|(name, _)| *name == "warning").map(|(_, text)| text);
        warnings.collect::<Vec<_>>().join(" ")
    };
    let (no_copy, for_a_week) = (("copy_dir", ""), ("root_retention_hours", "168"));
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    assert!(!warned(&[]).contains("copy_dir"));
    assert!(!warned(&[no_copy, ("escrow_recipient", recipient)]).contains("copy_dir"));
    let warning = warned(&[no_copy, for_a_week]);
    assert!(warning.contains("copy_dir and escrow_recipient are empty"), "{warning}");
}

#[test]
fn neither_a_copy_nor_an_escrow_is_refused_unless_the_time_of_old_roots_is_set() {
    let no_copy = ("copy_dir", "");

    let refused = refusal(&[no_copy]);

    assert!(refused.starts_with("copy_dir: is empty, and escrow_recipient too"), "{refused}");
    assert!(refused.contains("root_retention_hours"), "{refused}");
    // The default, written down, is a decision, too.
    Config::of(&layers(&[no_copy, ("root_retention_hours", "24")], &[])).unwrap();
}
