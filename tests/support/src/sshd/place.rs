//! A port of the test's own, and the folder that is the claim to it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the kernel gives to others, so that a stopped server finds its own again.
pub(crate) const PORTS: std::ops::Range<u16> = 20000..32000;

static NEXT: AtomicU16 = AtomicU16::new(0);

#[derive(Debug)]
pub(crate) struct Place {
    pub folder: PathBuf,
    pub port: u16,
}

impl Place {
    /// Kept as long as the folder is, also while no server listens. Who is no server of a test may
    /// still have the port.
    pub(crate) fn claim() -> io::Result<Self> {
        let from = u16::try_from(std::process::id() % 12000).unwrap_or_default();
        for _ in PORTS {
            let drawn = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(from.wrapping_mul(97));
            let port = PORTS.start + drawn % (PORTS.end - PORTS.start);
            let folder = std::env::temp_dir().join(format!("lethe-sshd-{port}"));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { folder, port }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no port is free"))
    }
}
