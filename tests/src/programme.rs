//! The built programme: brought up to date by cargo once a test run, so that no test meets an old one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static PATH: OnceLock<PathBuf> = OnceLock::new();

pub(crate) fn path() -> &'static Path {
    PATH.get_or_init(|| {
        build();
        let path = folder().join("lethe");
        assert!(path.is_file(), "{} is missing: run `cargo build` first", path.display());
        path
    })
}

/// Where cargo puts what it builds: `target/debug` for a test in `target/debug/deps`.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

/// `target/tools`: where `.ci/test` puts what only tests need.
pub(crate) fn tools() -> PathBuf {
    folder().parent().unwrap().join("tools")
}

fn build() {
    // Only cargo sets it: a test binary started by hand takes the programme that is there.
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bin", "lethe"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo tells a test of its package would tell ring's build script that everything changed.
    let told = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    for name in told {
        command.env_remove(name);
    }
    let built = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "the programme does not build");
}
