//! What only root can set up.

/// Whether this process may give a file to another user. Panics where it may not, unless `LETHE_TEST_NO_MOUNT`
/// leaves out what takes root.
pub fn may_give_away() -> bool {
    let is_root = infra::accounts::is_root();
    let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
    assert!(
        is_root || left_out,
        "files are not given away: run as root, or set LETHE_TEST_NO_MOUNT=1"
    );
    is_root
}
