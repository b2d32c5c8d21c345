//! A file system of a few kilobytes, which a test fills.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Unmounted when it is dropped.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Takes root, or `CAP_SYS_ADMIN`. Panics without it; `None` where `LETHE_TEST_NO_MOUNT` leaves such
    /// tests out.
    pub fn mount(kilobytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={kilobytes}k");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output();
        match mount {
            Ok(mounted) if mounted.status.success() => Some(Self(dir)),
            Ok(_) | Err(_) => {
                let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
                assert!(left_out, "no tmpfs is mounted: run as root, or set LETHE_TEST_NO_MOUNT=1");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Files can be made afterwards, and not a byte can be written into them.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while filler.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
    }

    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a file may still be open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
