//! Colours and other escape sequences (ECMA-48) that stand inside of a secret: programs write them
//! between the letters that they highlight.

use aho_corasick::automaton::StateID;

use super::machine::Machine;

/// What each sequence begins with.
pub(super) const ESC: u8 = 0x1b;
/// In bytes. What is longer is no sequence.
const SEQUENCE_BYTES_MAX: usize = 256;
/// In bytes, with all sequences. For a longer match the output is not held back.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// What a text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// A sequence of so many bytes.
    Whole(usize),
    /// The beginning of a sequence, up to the end of the text.
    Partial,
    None,
}

impl Sequence {
    /// None has a line end.
    pub fn at_start_of(text: &[u8]) -> Self {
        let [ESC, kind, body @ ..] = text else {
            return if text == [ESC] { Self::Partial } else { Self::None };
        };
        let inside: fn(&u8) -> bool = match kind {
            // Control sequences: colours, moves of the cursor.
            b'[' => |byte| matches!(byte, 0x20..=0x3f),
            // Control strings: titles, links.
            b']' | b'P' | b'X' | b'^' | b'_' => |byte| *byte >= 0x20,
            // Character sets.
            0x20..=0x2f => |byte| matches!(byte, 0x20..=0x2f),
            0x30..=0x7e => return Self::Whole(2),
            _ => return Self::None,
        };
        let length = body.iter().take_while(|byte| inside(byte)).count();
        let is_string = inside(&0xff);
        let end = match (body.get(length..).unwrap_or_default(), is_string) {
            ([], _) | ([ESC], true) if text.len() < SEQUENCE_BYTES_MAX => return Self::Partial,
            ([0x07, ..], true) | ([0x30..=0x7e, ..], false) => 1,
            ([ESC, b'\\', ..], true) => 2,
            _ => return Self::None,
        };
        let bytes = 2 + length + end;
        if bytes <= SEQUENCE_BYTES_MAX { Self::Whole(bytes) } else { Self::None }
    }
}

/// What a reading does at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    On,
    /// It needs more of the text.
    Waits,
    /// What is there is no sequence, and so no part of a secret either.
    Ends,
}

/// The reading that leaves escape sequences out. It begins at a sequence inside of what may be a secret,
/// and ends where it agrees with the reading of all bytes.
pub(super) struct Stepping {
    state: StateID,
    /// Up to where it has read.
    at: usize,
    /// What it has read, as far as it may be the beginning of a secret.
    read: Vec<u8>,
    /// Where each of these bytes stands.
    places: Vec<usize>,
}

impl Stepping {
    /// `state` is the one of all bytes before `at`.
    pub fn new(machine: &Machine, state: StateID, text: &[u8], at: usize) -> Self {
        let before = text.get(..at).unwrap_or_default();
        let start = at - machine.depth(state, before);
        let read = before.get(start..).unwrap_or_default().to_vec();
        Self { state, at, read, places: (start..at).collect() }
    }

    /// Reads what is at `at`, to which all bytes are read.
    pub fn read(
        &mut self,
        machine: &Machine,
        text: &[u8],
        at: usize,
        mut on_match: impl FnMut(usize, usize),
    ) -> Read {
        // It is inside of a sequence.
        if at < self.at {
            return Read::On;
        }
        let rest = text.get(at..).unwrap_or_default();
        let Some(byte) = rest.first() else { return Read::Waits };
        if *byte == ESC {
            match Sequence::at_start_of(rest) {
                Sequence::Whole(bytes) => self.at += bytes,
                Sequence::Partial => return Read::Waits,
                Sequence::None => return Read::Ends,
            }
            return Read::On;
        }
        let (state, length) = machine.step(self.state, *byte);
        self.state = state;
        self.read.push(*byte);
        self.places.push(at);
        self.at = at + 1;
        if length > 0 {
            on_match(self.place(length), self.at);
        }
        Read::On
    }

    /// Whether all bytes before `at` lead to the same state.
    pub fn agrees(&self, state: StateID, at: usize) -> bool {
        (self.state, self.at) == (state, at)
    }

    /// What must be held back of a text: from where on it may be a secret. `None`: that would be too
    /// much.
    pub fn hold(&mut self, machine: &Machine, text: &[u8]) -> Option<usize> {
        let done = self.read.len() - machine.depth(self.state, &self.read);
        self.read.drain(..done);
        self.places.drain(..done);
        let from = self.place(self.places.len());
        (text.len().saturating_sub(from) <= HELD_BYTES_MAX).then_some(from)
    }

    /// The first `bytes` of the text are let go.
    pub fn let_go(&mut self, bytes: usize) {
        self.at = self.at.saturating_sub(bytes);
        for place in &mut self.places {
            *place = place.saturating_sub(bytes);
        }
    }

    /// Where the last `length` bytes begin.
    fn place(&self, length: usize) -> usize {
        let first = self.places.len().checked_sub(length);
        first.and_then(|first| self.places.get(first)).copied().unwrap_or(self.at)
    }
}
