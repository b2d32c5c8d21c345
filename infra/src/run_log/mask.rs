//! Replaces secrets with `***` before anything is stored, also where one is split over several reads.
//! No form of a secret crosses a line end.

use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa::contiguous};

use super::forms::{bytes_to_find, forms, is_scattered};

/// In bytes. A shorter secret would mask much of any text.
const SECRET_BYTES_MIN: usize = 4;
/// In bytes, of all secrets of a run together.
pub(super) const SECRETS_BYTES_MAX: usize = 32 * 1024;
const MASK: &[u8] = b"***";
/// Above this the search uses less memory, and is slower.
const FAST_BYTES_MAX: usize = 4 * 1024;

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
    #[error("the secrets are too many to be masked: use fewer")]
    TooMany,
}

/// The secrets of a run, in every encoding that is masked.
#[derive(Clone, Default)]
pub struct Masks(Option<Arc<Machine>>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<masks>")
    }
}

impl Masks {
    /// Prepares a search for every secret in every encoding. Takes some milliseconds for long
    /// secrets.
    ///
    /// # Errors
    /// [`MaskError`].
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Result<Self, MaskError> {
        let mut all = BTreeSet::new();
        if secrets.iter().map(|secret| secret.as_ref().len()).sum::<usize>() > SECRETS_BYTES_MAX {
            return Err(MaskError::TooLong);
        }
        for secret in secrets {
            if bytes_to_find(secret.as_ref()) < SECRET_BYTES_MIN {
                return Err(MaskError::TooShort);
            }
            if is_scattered(secret.as_ref()) {
                return Err(MaskError::Scattered);
            }
            all.extend(forms(secret.as_ref()));
        }
        if all.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Arc::new(Machine::new(&all).ok_or(MaskError::TooMany)?))))
    }

    /// A mask for one stream of output.
    pub(super) fn stream(&self) -> Mask {
        let state = self.0.as_ref().map(|machine| machine.start).unwrap_or_default();
        Mask { machine: self.0.clone(), state, held: Vec::new(), ranges: Vec::new() }
    }
}

enum Table {
    Fast(dfa::DFA),
    Small(contiguous::NFA),
}

/// Finds every form, also overlapping ones: this needs the standard kind of matches.
struct Machine {
    table: Table,
    start: StateID,
    /// The first bytes of the forms.
    first: [bool; 256],
    /// For each state the bytes of a form that are matched so far, which must be held back.
    depths: Vec<(StateID, u32)>,
}

impl Machine {
    fn new(forms: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let table = if forms.iter().map(Vec::len).sum::<usize>() > FAST_BYTES_MAX {
            let mut small = contiguous::Builder::new();
            Table::Small(small.match_kind(MatchKind::Standard).prefilter(false).build(forms).ok()?)
        } else {
            let mut fast = dfa::Builder::new();
            Table::Fast(fast.match_kind(MatchKind::Standard).prefilter(false).build(forms).ok()?)
        };
        let (start, depths) = match &table {
            Table::Fast(table) => depths(table, forms)?,
            Table::Small(table) => depths(table, forms)?,
        };
        let mut first = [false; 256];
        for byte in forms.iter().filter_map(|form| form.first()) {
            *first.get_mut(usize::from(*byte))? = true;
        }
        Some(Self { table, start, first, depths })
    }

    fn depth(&self, state: StateID) -> usize {
        let found = self.depths.binary_search_by_key(&state, |(state, _)| *state);
        found.ok().and_then(|at| self.depths.get(at)).map_or(0, |(_, depth)| *depth as usize)
    }

    /// Continues at `from`, and calls `on_match` with the start and the end of each secret found.
    fn read(
        &self,
        state: StateID,
        text: &[u8],
        from: usize,
        on_match: impl FnMut(usize, usize),
    ) -> StateID {
        match &self.table {
            Table::Fast(table) => self.read_in(table, state, text, from, on_match),
            Table::Small(table) => self.read_in(table, state, text, from, on_match),
        }
    }

    fn read_in(
        &self,
        table: &impl Automaton,
        mut state: StateID,
        text: &[u8],
        from: usize,
        mut on_match: impl FnMut(usize, usize),
    ) -> StateID {
        let begins = |byte: &u8| self.first.get(usize::from(*byte)).copied().unwrap_or(true);
        let mut at = from;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if state == self.start {
                match rest.iter().position(begins) {
                    Some(skipped) => at += skipped,
                    None => return state,
                }
            }
            let Some(byte) = text.get(at) else { break };
            state = table.next_state(Anchored::No, state, *byte);
            at += 1;
            if table.is_special(state) && table.is_match(state) {
                let ending = (0..table.match_len(state)).map(|n| table.match_pattern(state, n));
                let longest = ending.map(|form| table.pattern_len(form)).max().unwrap_or(0);
                on_match(at - longest, at);
            }
        }
        state
    }
}

/// The first state, and the depth of each state: the prefixes of the forms reach all states.
fn depths(
    table: &impl Automaton,
    forms: &BTreeSet<Vec<u8>>,
) -> Option<(StateID, Vec<(StateID, u32)>)> {
    let start = table.start_state(Anchored::No).ok()?;
    let mut depths = Vec::new();
    for form in forms {
        let mut state = start;
        for (byte, depth) in form.iter().zip(1..) {
            state = table.next_state(Anchored::No, state, *byte);
            depths.push((state, depth));
        }
    }
    depths.sort_unstable();
    depths.dedup();
    depths.shrink_to_fit();
    Some((start, depths))
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
    state: StateID,
    held: Vec<u8>,
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
        self.let_go(&held, held.len(), &mut out);
        self.ranges.clear();
        self.state = self.machine.as_ref().map(|machine| machine.start).unwrap_or_default();
        out
    }

    fn push_into(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(machine) = self.machine.clone() else {
            out.extend_from_slice(bytes);
            return;
        };
        let read = self.held.len();
        let mut held = std::mem::take(&mut self.held);
        let text = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            &held
        };
        let ranges = &mut self.ranges;
        self.state = machine.read(self.state, text, read, |start, end| add(ranges, start, end));
        let until = text.len().saturating_sub(machine.depth(self.state));
        self.let_go(text, until, out);
        self.held = text.get(until..).unwrap_or_default().to_vec();
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

/// Joins ranges that overlap or touch.
fn add(ranges: &mut Vec<MaskedRange>, start: usize, end: usize) {
    let mut new = MaskedRange { start, end, emitted: false };
    while let Some(last) = ranges.pop_if(|last| last.end >= new.start) {
        new = MaskedRange {
            start: new.start.min(last.start),
            end: new.end.max(last.end),
            emitted: new.emitted || last.emitted,
        };
    }
    ranges.push(new);
}
