//! The built programmes, which `.ci/test` makes before the tests run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Which programme an installation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programme {
    /// What ships.
    Lethe,
    /// The same with failpoints.
    WithFailpoints,
}

static LETHE: OnceLock<PathBuf> = OnceLock::new();
static WITH_FAILPOINTS: OnceLock<PathBuf> = OnceLock::new();

impl Programme {
    /// Where it is. Panics when it is not what the sources make.
    pub fn path(self) -> &'static Path {
        let place = match self {
            Self::Lethe => &LETHE,
            Self::WithFailpoints => &WITH_FAILPOINTS,
        };
        place.get_or_init(|| self.find().unwrap_or_else(|why| panic!("{why}")))
    }

    /// Where it is; the error says why it cannot be used, and what to run first.
    pub fn find(self) -> Result<PathBuf, String> {
        let (name, build) = match self {
            Self::Lethe => ("lethe", "cargo build --workspace"),
            Self::WithFailpoints => {
                ("lethe-testing", "cargo build -p services --bin lethe-testing --features testing")
            }
        };
        let path = folder().join(name);
        match outdated(&path) {
            None => Ok(path),
            Some(why) => Err(format!("{}: {why}: run `{build}` first", path.display())),
        }
    }
}

/// Why the programme is not the one that the sources make: cargo notes beside it what it was made of.
fn outdated(path: &Path) -> Option<String> {
    let Ok(built) = path.metadata().and_then(|file| file.modified()) else {
        return Some("it is not there".to_owned());
    };
    let Ok(made_of) = std::fs::read_to_string(path.with_extension("d")) else {
        return Some("cargo has left no list of its sources beside it".to_owned());
    };
    let sources = made_of.split_once(": ").map_or("", |(_, sources)| sources);
    let newer = sources.split_whitespace().find(|source| {
        let changed = Path::new(source).metadata().and_then(|file| file.modified());
        changed.map_or(true, |changed| changed > built)
    });
    newer.map(|source| format!("{source} has changed since it was built"))
}

/// Where cargo puts what it builds: `target/debug` for a test in `target/debug/deps`, and for a
/// programme of ours beside it.
fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    if folder.ends_with("deps") { folder.parent().unwrap() } else { folder }.to_path_buf()
}

/// `target/tools`: where `.ci/test` puts what only tests need.
pub(crate) fn tools() -> PathBuf {
    folder().parent().unwrap().join("tools")
}

#[cfg(test)]
mod tests {
    use super::outdated;

    #[test]
    fn a_programme_without_a_list_of_its_sources_is_outdated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lethe");
        let list = folder.path().join("lethe.d");
        let source = folder.path().join("main.rs");
        assert!(outdated(&path).unwrap().contains("not there"));

        std::fs::write(&source, "").unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(outdated(&path).unwrap().contains("no list"));

        std::fs::write(&list, format!("{}: {}\n", path.display(), source.display())).unwrap();
        assert_eq!(outdated(&path), None);

        std::fs::write(&list, format!("{}: {}/gone\n", path.display(), path.display())).unwrap();
        assert!(outdated(&path).unwrap().contains("has changed"));
    }
}
