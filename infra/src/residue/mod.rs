//! Searches files and streams for erased personal data: for canary values, in many encodings.
//!
//! A search that finds nothing proves nothing by itself. As a control, write [`Canaries::planted`]
//! into each place first, and check that every form of it is found.

mod encoding;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, BuildError};

pub use encoding::Encoding;

/// Values to look for, in every [`Encoding`].
pub struct Canaries {
    needles: Vec<(usize, Encoding, Vec<u8>)>,
    machine: AhoCorasick,
}

/// A canary that was found: its number in the list, never its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Find {
    /// Its place in the list, from 0.
    pub canary: usize,
    /// How it was written there.
    pub form: Encoding,
    /// A file, or the name that the caller gave to a stream.
    pub place: PathBuf,
}

/// The result of a search.
#[derive(Debug, Default)]
pub struct Report {
    /// Each canary once for each form and place.
    pub finds: BTreeSet<Find>,
    /// How many files were read.
    pub files: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// Places that could not be read, and so were not searched.
    pub unread: Vec<PathBuf>,
}

impl Canaries {
    /// # Errors
    /// More or longer values than a search can hold.
    pub fn new(values: &[&str]) -> Result<Self, BuildError> {
        let mut needles: Vec<(usize, Encoding, Vec<u8>)> = Vec::new();
        for (canary, value) in values.iter().enumerate() {
            for form in Encoding::ALL {
                for bytes in form.of(value) {
                    if !needles.iter().any(|(_, _, known)| *known == bytes) {
                        needles.push((canary, form, bytes));
                    }
                }
            }
        }
        let machine = AhoCorasick::new(needles.iter().map(|(_, _, bytes)| bytes))?;
        Ok(Self { needles, machine })
    }

    /// Every form of every value, to be written into a place as the positive control.
    pub fn planted(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (_, _, bytes) in &self.needles {
            all.extend_from_slice(bytes);
            all.push(b'\n');
        }
        all
    }

    /// How many distinct `(canary, form)` pairs a complete control finds.
    pub fn forms(&self) -> usize {
        let pairs: BTreeSet<_> = self.needles.iter().map(|(n, form, _)| (*n, *form)).collect();
        pairs.len()
    }

    /// Reads a stream to its end, in constant memory.
    ///
    /// # Errors
    /// The stream's own.
    pub fn search(&self, place: &Path, stream: impl Read, report: &mut Report) -> io::Result<()> {
        let mut counted = Counted { stream, bytes: 0 };
        let result = self.search_counted(place, &mut counted, report);
        report.bytes += counted.bytes;
        result
    }

    fn search_counted(
        &self,
        place: &Path,
        counted: &mut Counted<impl Read>,
        report: &mut Report,
    ) -> io::Result<()> {
        let mut found = BTreeSet::new();
        for hit in self.machine.stream_find_iter(counted) {
            if let Some((canary, form, _)) = self.needles.get(hit?.pattern().as_usize()) {
                found.insert((*canary, *form));
            }
        }
        report.finds.extend(found.into_iter().map(|(canary, form)| Find {
            canary,
            form,
            place: place.to_owned(),
        }));
        Ok(())
    }

    /// Searches a file, or every file below a directory. What cannot be read is listed, and so are
    /// links, which are not followed.
    pub fn search_path(&self, path: &Path, report: &mut Report) {
        let Ok(kind) = path.symlink_metadata() else {
            report.unread.push(path.to_owned());
            return;
        };
        if kind.is_dir() {
            match path.read_dir() {
                Ok(entries) => {
                    for entry in entries {
                        match entry {
                            Ok(entry) => self.search_path(&entry.path(), report),
                            Err(_) => report.unread.push(path.to_owned()),
                        }
                    }
                }
                Err(_) => report.unread.push(path.to_owned()),
            }
        } else if kind.is_file() {
            report.files += 1;
            let searched = File::open(path).and_then(|file| self.search(path, file, report));
            if searched.is_err() {
                report.unread.push(path.to_owned());
            }
        } else if kind.is_symlink() {
            report.unread.push(path.to_owned());
        }
    }
}

struct Counted<R> {
    stream: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_is_planted_is_found_and_nothing_else() {
        let values =
            ["ada.lovelace@example.org", "Ada \"Countess\" Lovelace-Ümlaut", "10.20.30.40"];
        let canaries = Canaries::new(&values).unwrap();
        let mut report = Report::default();
        let place = Path::new("planted");
        canaries.search(place, canaries.planted().as_slice(), &mut report).unwrap();
        assert_eq!(report.finds.len(), canaries.forms());
        let mut report = Report::default();
        canaries.search(place, "nothing of hers".repeat(10_000).as_bytes(), &mut report).unwrap();
        assert!(report.finds.is_empty());
        assert_eq!(report.bytes, 150_000);
    }

    #[test]
    fn base64_is_found_at_any_offset() {
        use base64::Engine;
        let value = "ada.lovelace@example.org";
        let canaries = Canaries::new(&[value]).unwrap();
        for before in 0..6 {
            let text = format!("{}{value} and more", "x".repeat(before));
            for engine in [
                base64::engine::general_purpose::STANDARD,
                base64::engine::general_purpose::URL_SAFE_NO_PAD,
            ] {
                let mut report = Report::default();
                let encoded = engine.encode(&text);
                canaries.search(Path::new("x"), encoded.as_bytes(), &mut report).unwrap();
                assert_eq!(report.finds.len(), 1, "after {before} bytes");
            }
        }
    }
}
