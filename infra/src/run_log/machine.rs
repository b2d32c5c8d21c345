//! Finds every form of a run's secrets in a text that comes in pieces.

use std::collections::BTreeSet;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa::contiguous};

/// In bytes of all forms. Above this the search uses less memory, and is slower: up to this it takes a
/// row of at most 1 KiB for each byte.
const FAST_BYTES_MAX: usize = 8 * 1024;

enum Table {
    Fast(dfa::DFA),
    Small(contiguous::NFA),
}

/// Finds every form, also overlapping ones: this needs the standard kind of matches.
pub(super) struct Machine {
    table: Table,
    start: StateID,
    /// The first bytes of the forms.
    first: [bool; 256],
    /// The bytes of the longest form.
    longest: usize,
}

impl Machine {
    /// `None`: the forms are more than the tables can number.
    pub fn new(forms: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let table = if forms.iter().map(Vec::len).sum::<usize>() > FAST_BYTES_MAX {
            let mut small = contiguous::Builder::new();
            Table::Small(small.match_kind(MatchKind::Standard).prefilter(false).build(forms).ok()?)
        } else {
            let mut fast = dfa::Builder::new();
            Table::Fast(fast.match_kind(MatchKind::Standard).prefilter(false).build(forms).ok()?)
        };
        let start = match &table {
            Table::Fast(table) => table.start_state(Anchored::No).ok()?,
            Table::Small(table) => table.start_state(Anchored::No).ok()?,
        };
        let mut first = [false; 256];
        for byte in forms.iter().filter_map(|form| form.first()) {
            *first.get_mut(usize::from(*byte))? = true;
        }
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        Some(Self { table, start, first, longest })
    }

    /// The state in which nothing is matched so far.
    pub const fn start(&self) -> StateID {
        self.start
    }

    /// In bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + match &self.table {
                Table::Fast(table) => table.memory_usage(),
                Table::Small(table) => table.memory_usage(),
            }
    }

    /// How many bytes at the end of `text` are the beginning of a form. `state` is the one after `text`,
    /// and these bytes alone lead to it.
    pub fn depth(&self, state: StateID, text: &[u8]) -> usize {
        if state == self.start {
            return 0;
        }
        let leads = |length: usize| {
            let end = text.get(text.len().saturating_sub(length)..).unwrap_or_default();
            self.read(self.start, end, 0, |_, _| {}) == state
        };
        let longest = self.longest.min(text.len());
        let (mut too_few, mut enough) = (0, 1);
        while enough < longest && !leads(enough) {
            (too_few, enough) = (enough, enough * 2);
        }
        enough = enough.min(longest);
        while too_few + 1 < enough {
            let middle = too_few.midpoint(enough);
            if leads(middle) {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        enough
    }

    /// Continues at `from`, and calls `on_match` with the start and the end of each secret found.
    pub fn read(
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

    /// The next state, and the length of the longest form that ends with `byte`; 0 without one.
    pub fn step(&self, state: StateID, byte: u8) -> (StateID, usize) {
        match &self.table {
            Table::Fast(table) => step_in(table, state, byte),
            Table::Small(table) => step_in(table, state, byte),
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
                on_match(at - longest_match(table, state), at);
            }
        }
        state
    }
}

fn step_in(table: &impl Automaton, state: StateID, byte: u8) -> (StateID, usize) {
    let next = table.next_state(Anchored::No, state, byte);
    let ends = table.is_special(next) && table.is_match(next);
    (next, if ends { longest_match(table, next) } else { 0 })
}

fn longest_match(table: &impl Automaton, state: StateID) -> usize {
    let ending = (0..table.match_len(state)).map(|n| table.match_pattern(state, n));
    ending.map(|form| table.pattern_len(form)).max().unwrap_or(0)
}
