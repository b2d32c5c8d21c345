//! The parts of a secret that are searched for one by one.

use std::collections::BTreeSet;
use std::ops::Range;

/// A line of a secret that has several is masked on its own from this length on.
const LINE_BYTES_MIN: usize = 8;
/// A longer line is searched for in pieces, so that no form is long: pieces that touch are masked as
/// one. A piece is long enough to stand in nothing but the secret.
const WHOLE_BYTES_MAX: usize = 256;
const PIECE_BYTES: usize = 64;
/// A shorter line is not folded.
const FOLDED_BYTES_MIN: usize = 40;
/// Words of a folded line are searched for from this length on, together.
const WORDS_BYTES_MIN: usize = 8;

/// The bytes of the secret that can be searched for: of its longest line if it has several.
pub fn bytes_to_find(secret: &str) -> usize {
    lines(secret.trim_ascii()).map(str::len).max().unwrap_or(0)
}

/// Whether the secret has several lines, all too short to be searched for.
pub fn is_scattered(secret: &str) -> bool {
    let value = secret.trim_ascii();
    value.contains('\n') && bytes_to_find(value) < LINE_BYTES_MIN
}

/// The lines of a value, and, for encoders that escape line ends, what is around each line end.
pub fn parts(value: &str) -> Vec<&str> {
    if !value.contains('\n') {
        return pieces(value);
    }
    let lines = lines(value).filter(|line| line.len() >= LINE_BYTES_MIN);
    lines.chain(joints(value)).flat_map(pieces).collect()
}

/// What may stand on one line where a long line is folded at spaces: from each word on, and up to each
/// word, so many words that they are long enough.
pub fn folded(value: &str) -> Vec<&str> {
    let mut all: BTreeSet<&str> = BTreeSet::new();
    for line in lines(value).filter(|line| line.len() >= FOLDED_BYTES_MIN && line.contains(' ')) {
        let words = word_ranges(line);
        for (first, begin) in words.iter().enumerate() {
            let later = words.iter().skip(first);
            let end = later.map(|word| word.end).find(|end| end - begin.start >= WORDS_BYTES_MIN);
            all.extend(end.and_then(|end| line.get(begin.start..end)));
        }
        for (last, end) in words.iter().enumerate() {
            let earlier = words.iter().take(last + 1).rev();
            let start =
                earlier.map(|word| word.start).find(|start| end.end - start >= WORDS_BYTES_MIN);
            all.extend(start.and_then(|start| line.get(start..end.end)));
        }
    }
    all.into_iter().flat_map(pieces).collect()
}

/// Where the words of a line stand.
fn word_ranges(line: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut at = 0;
    for word in line.split(' ') {
        if !word.is_empty() {
            all.push(at..at + word.len());
        }
        at += word.len() + 1;
    }
    all
}

fn lines(value: &str) -> impl Iterator<Item = &str> {
    value.split('\n').map(str::trim_ascii)
}

/// A long text in pieces of some 64 to 130 bytes. What is only white space is none.
fn pieces(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    if text.len() > WHOLE_BYTES_MAX {
        while rest.len() >= 2 * PIECE_BYTES {
            let (piece, after) = rest.split_at(boundary(rest, PIECE_BYTES));
            all.push(piece);
            rest = after;
        }
    }
    all.push(rest);
    all.retain(|piece| !piece.trim_ascii().is_empty());
    all
}

/// Each line end with the ends of its neighbours, over short lines and indentation.
fn joints(value: &str) -> impl Iterator<Item = &str> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (at, _) in value.match_indices('\n') {
        let span = joint(value, at);
        match spans.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            Some(_) | None => spans.push(span),
        }
    }
    spans.into_iter().filter_map(move |span| value.get(span))
}

fn joint(value: &str, at: usize) -> Range<usize> {
    let (before, after) = value.split_at(at);
    let start = before.trim_ascii_end().len().saturating_sub(LINE_BYTES_MIN);
    let end = value.len() - after.trim_ascii_start().len() + LINE_BYTES_MIN;
    boundary(value, start)..boundary(value, end)
}

/// The first place from `at` on that is between two characters.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}
