//! Replaces secrets with `***` before anything is stored, also where one is split over several reads.
//! No form of a secret crosses a line end.

use std::sync::Arc;

use aho_corasick::automaton::StateID;

use super::escape_sequences::{ESC, Read, Stepping};
use super::forms::{SECRET_BYTES_MIN, are_too_many, bytes_to_find, forms, is_scattered};
use super::machine::Machine;

/// In bytes, of all secrets of a run together.
pub(super) const SECRETS_BYTES_MAX: usize = 32 * 1024;
const MASK: &[u8] = b"***";

/// Why secrets cannot be masked. No text holds a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum MaskError {
    #[error("a secret is too short to be masked: use at least {SECRET_BYTES_MIN} bytes")]
    TooShort,
    #[error("a secret of several lines cannot be masked: one line must have at least 8 bytes")]
    Scattered,
    #[error("the secrets are too long: a run may have {SECRETS_BYTES_MAX} bytes of them")]
    TooLong,
    #[error(
        "the secrets are too many to be masked: use fewer or shorter ones, or ones with fewer special characters"
    )]
    TooMany,
    #[error("the masks were not built: their thread was stopped")]
    Stopped,
}

/// The secrets of a run, in every encoding that is masked.
#[derive(Clone, Default)]
pub struct Masks(pub(super) Option<Arc<Machine>>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<masks>")
    }
}

impl Masks {
    /// Whether these secrets can be masked. Takes some milliseconds for long ones.
    ///
    /// # Errors
    /// [`MaskError`].
    pub fn check<S: AsRef<str>>(secrets: &[S]) -> Result<(), MaskError> {
        let secrets: Vec<&str> = secrets.iter().map(AsRef::as_ref).collect();
        if secrets.iter().map(|secret| secret.len()).sum::<usize>() > SECRETS_BYTES_MAX {
            return Err(MaskError::TooLong);
        }
        for secret in &secrets {
            if bytes_to_find(secret) < SECRET_BYTES_MIN {
                return Err(MaskError::TooShort);
            }
            if is_scattered(secret) {
                return Err(MaskError::Scattered);
            }
        }
        if are_too_many(&secrets) { Err(MaskError::TooMany) } else { Ok(()) }
    }

    /// Prepares a search for every secret in every encoding: those that [`Masks::check`] takes. Blocks its
    /// thread, for a tenth of a second for long ones: see [`super::RunLogs::masks`].
    ///
    /// # Errors
    /// [`MaskError`].
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Result<Self, MaskError> {
        Self::check(secrets)?;
        let secrets: Vec<&str> = secrets.iter().map(AsRef::as_ref).collect();
        let all = forms(&secrets);
        if all.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Arc::new(Machine::new(&all).ok_or(MaskError::TooMany)?))))
    }

    /// A mask for one stream of output.
    pub(super) fn stream(&self) -> Mask {
        let state = self.0.as_ref().map(|machine| machine.start()).unwrap_or_default();
        let machine = self.0.clone();
        Mask { machine, state, stepping: None, held: Vec::new(), unread: 0, ranges: Vec::new() }
    }
}

/// A range of the held bytes that is masked.
#[derive(Clone, Copy, Debug)]
struct MaskedRange {
    start: usize,
    end: usize,
    /// It begins in text that is returned already, with its `***`.
    emitted: bool,
}

/// Masks one stream. It holds back only what may be the beginning of a secret.
pub(super) struct Mask {
    machine: Option<Arc<Machine>>,
    /// After all bytes that are read.
    state: StateID,
    /// The reading without escape sequences, where it differs.
    stepping: Option<Stepping>,
    held: Vec<u8>,
    /// So many of the held bytes, at their end, may be the beginning of an escape sequence.
    unread: usize,
    /// In order, not touching; offsets count from the first held byte.
    ranges: Vec<MaskedRange>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<mask>")
    }
}

impl Mask {
    /// Takes the next bytes; returns what can be shown.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.push_into(bytes, &mut out);
        out
    }

    /// Ends the stream; returns what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let held = std::mem::take(&mut self.held);
        if let Some(machine) = self.machine.clone() {
            let read = held.len() - std::mem::take(&mut self.unread);
            self.read(&machine, &held, read);
        }
        self.let_go(&held, held.len(), &mut out);
        self.ranges.clear();
        self.stepping = None;
        self.state = self.machine.as_ref().map(|machine| machine.start()).unwrap_or_default();
        out
    }

    fn push_into(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(machine) = self.machine.clone() else {
            out.extend_from_slice(bytes);
            return;
        };
        let read = self.held.len() - std::mem::take(&mut self.unread);
        let mut held = std::mem::take(&mut self.held);
        let text = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            &held
        };
        if self.stepping.is_none() && !bytes.contains(&ESC) {
            self.read(&machine, text, read);
        } else {
            self.read_with_sequences(&machine, text, read);
        }
        let until = self.until(&machine, text);
        self.let_go(text, until, out);
        if let Some(stepping) = &mut self.stepping {
            stepping.let_go(until);
        }
        self.held = text.get(until..).unwrap_or_default().to_vec();
    }

    /// Up to where nothing can become a secret any more.
    fn until(&mut self, machine: &Machine, text: &[u8]) -> usize {
        let text = text.get(..text.len() - self.unread).unwrap_or_default();
        let until = text.len() - machine.depth(self.state, text);
        let Some(stepping) = &mut self.stepping else { return until };
        if let Some(hold) = stepping.hold(machine, text) {
            return until.min(hold);
        }
        self.stepping = None;
        until
    }

    /// Reads all bytes from `from` on.
    fn read(&mut self, machine: &Machine, text: &[u8], from: usize) {
        let ranges = &mut self.ranges;
        self.state = machine.read(self.state, text, from, |start, end| add(ranges, start, end));
    }

    fn read_with_sequences(&mut self, machine: &Machine, text: &[u8], from: usize) {
        let mut at = from;
        while at < text.len() && self.unread == 0 {
            at = if self.stepping.is_some() {
                self.read_both(machine, text, at)
            } else {
                self.read_plain(machine, text, at)
            };
        }
    }

    /// Reads up to the next escape sequence inside of what may be a secret.
    fn read_plain(&mut self, machine: &Machine, text: &[u8], from: usize) -> usize {
        let mut at = from;
        let sequences = text.iter().enumerate().skip(from).filter(|(_, byte)| **byte == ESC);
        for (sequence, _) in sequences {
            self.read(machine, text.get(..sequence).unwrap_or_default(), at);
            at = sequence;
            if self.state != machine.start() {
                self.stepping = Some(Stepping::new(machine, self.state, text, at));
                return at;
            }
        }
        self.read(machine, text, at);
        text.len()
    }

    /// Reads all bytes and, beside them, all without the sequences, until both agree.
    fn read_both(&mut self, machine: &Machine, text: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some(stepping) = &mut self.stepping
            && at < text.len()
        {
            let ranges = &mut self.ranges;
            match stepping.read(machine, text, at, |start, end| add(ranges, start, end)) {
                Read::On => {}
                Read::Waits => {
                    self.unread = text.len() - at;
                    return at;
                }
                Read::Ends => self.stepping = None,
            }
            self.read(machine, text.get(..=at).unwrap_or_default(), at);
            at += 1;
            if self.stepping.as_ref().is_some_and(|stepping| stepping.agrees(self.state, at)) {
                self.stepping = None;
            }
        }
        at
    }

    fn let_go(&mut self, text: &[u8], until: usize, out: &mut Vec<u8>) {
        let mut from = 0;
        for range in self.ranges.iter_mut().filter(|range| range.emitted || range.start < until) {
            if !range.emitted {
                out.extend_from_slice(text.get(from..range.start).unwrap_or_default());
                out.extend_from_slice(MASK);
                range.emitted = true;
            }
            from = range.end.min(until);
        }
        out.extend_from_slice(text.get(from..until).unwrap_or_default());
        // A match that ends here may overlap one in the next bytes.
        self.ranges.retain(|range| range.end >= until);
        for range in &mut self.ranges {
            range.start = range.start.saturating_sub(until);
            range.end -= until;
        }
    }
}

/// Joins ranges that overlap or touch. The two readings may find them out of order.
fn add(ranges: &mut Vec<MaskedRange>, start: usize, end: usize) {
    let first = ranges.partition_point(|range| range.end < start);
    let touching = ranges.get(first..).unwrap_or_default();
    let count = touching.partition_point(|range| range.start <= end);
    let mut new = MaskedRange { start, end, emitted: false };
    for range in ranges.drain(first..first + count) {
        new.start = new.start.min(range.start);
        new.end = new.end.max(range.end);
        new.emitted |= range.emitted;
    }
    ranges.insert(first, new);
}
