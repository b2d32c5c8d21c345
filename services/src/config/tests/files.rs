//! Which file of settings is read, and believed.

use crate::config::{Layers, layers};

/// Whoever writes a file of settings decides what runs as this user.
#[test]
fn settings_that_others_may_change_are_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    let read = |mode, is_named| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), mode).unwrap();
        layers::read_text(file.path(), is_named).map_err(|error| error.to_string())
    };
    assert_eq!(read(0o640, false), Ok(String::new()));
    for is_named in [false, true] {
        let refused = read(0o646, is_named).unwrap_err();
        assert!(refused.contains("others may write to it"), "{refused}");
    }
}

#[test]
fn the_file_of_the_working_directory_comes_before_that_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let [beside, machine] = ["lethe.toml", "machine.toml"].map(|name| folder.path().join(name));
    let found = || layers::find(&beside, &machine).map_err(|error| error.to_string());
    assert_eq!(found(), Ok(None));

    std::fs::write(&machine, "").unwrap();
    assert_eq!(found(), Ok(Some(machine.clone())));
    std::fs::write(&beside, "").unwrap();
    assert_eq!(found(), Ok(Some(beside.clone())));
}

#[test]
fn a_file_of_settings_that_cannot_be_read_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: std::path::PathBuf| {
        Layers::here(Some(path), std::collections::BTreeMap::new())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    let broken = folder.path().join("lethe.toml");
    std::fs::write(&broken, "workers = 2\nlisten 127.0.0.1:1\n").unwrap();

    let syntax = refused(broken.clone());
    assert!(syntax.starts_with("config: line 2, column "), "{syntax}");
    assert_eq!(syntax.matches("lethe.toml").count(), 1, "{syntax}");
    assert!(!syntax.contains('|'), "{syntax}");
    let missing = refused(folder.path().join("nothing.toml"));
    assert!(missing.starts_with("config: there is no such file: correct --config"), "{missing}");
    assert_eq!(missing.matches("nothing.toml").count(), 1, "{missing}");
    assert!(refused(folder.path().to_path_buf()).contains("this is a folder"));
}
