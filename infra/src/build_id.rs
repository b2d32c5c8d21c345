//! Which programme runs.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use ring::digest::{Context, SHA256};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// It stays the same file when a newer one has been put in its place.
const THIS_PROGRAMME: &str = "/proc/self/exe";
const READ_AT_ONCE: usize = 64 * 1024;

static OF_THIS_PROGRAMME: OnceCell<Build> = OnceCell::const_new();

/// The SHA-256 of a programme's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build(pub [u8; 32]);

impl Build {
    /// Nothing says which: it equals no other programme, and its word is empty.
    pub const UNKNOWN: Self = Self([0; 32]);

    /// Of the programme that calls it. Its file is read once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn of_this_programme() -> io::Result<Self> {
        let read = || async {
            let reading = spawn_blocking(|| Self::of(Path::new(THIS_PROGRAMME)));
            reading.await.unwrap_or_else(|panicked| Err(panicked.into()))
        };
        OF_THIS_PROGRAMME.get_or_try_init(read).await.copied()
    }

    fn of(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(READ_AT_ONCE, File::open(path)?);
        let mut context = Context::new(&SHA256);
        loop {
            let part = file.fill_buf()?;
            if part.is_empty() {
                break;
            }
            context.update(part);
            let read = part.len();
            file.consume(read);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Ok(Self(hash))
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNKNOWN {
            return Ok(());
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_file_says_which_programme_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("programme");
        let of = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            Build::of(&file).unwrap()
        };

        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc").to_string(), abc);
        let mut long = vec![b'a'; 3 * READ_AT_ONCE];
        let first = of(&long);
        long.push(b'b');
        assert_ne!(of(&long), first);
        assert!(Build::of(Path::new("/nowhere")).is_err());
    }

    #[tokio::test]
    async fn this_programme_is_known_and_stays_the_same() {
        let first = Build::of_this_programme().await.unwrap();

        assert_ne!(first, Build::UNKNOWN);
        assert_eq!(first.to_string().len(), 64);
        assert_eq!(Build::of_this_programme().await.unwrap(), first);
        assert_eq!(Build::UNKNOWN.to_string(), "");
    }
}
