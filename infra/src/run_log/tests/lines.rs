//! Bytes become lines, and no byte is changed, added or lost.

use super::super::lines::LINE_BYTES_MAX;
use super::super::lines::{Lines, Piece, Place};
use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Put {
    continues: bool,
    bytes: Vec<u8>,
    place: Place,
}

fn put(into: &mut Vec<Put>) -> impl FnMut(Piece<'_>) {
    |piece| {
        let Piece { continues, bytes, place } = piece;
        into.push(Put { continues, bytes: bytes.to_vec(), place });
    }
}

fn put_all(from: Place, pieces: &[&[u8]], end: bool) -> Vec<Put> {
    let (mut lines, mut all, mut at) = (Lines::from(from), Vec::new(), from.raw);
    for piece in pieces {
        lines.push(at, piece, piece, &mut put(&mut all));
        at += piece.len() as u64;
    }
    if end {
        lines.finish(at, b"", &mut put(&mut all));
    }
    all
}

/// Short lines, empty ones, and some that are longer than a piece.
fn text(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(12) {
        let length = *random.one_of(&[0, 1, 30, LINE_BYTES_MAX - 1, LINE_BYTES_MAX, 150_000]);
        let letter = *random.one_of(&["a", "\u{e4}", "\u{1f600}", "\u{ff}x"]);
        text.extend(letter.bytes().cycle().take(length));
        text.push(b'\n');
    }
    let open = random.below(20);
    text.extend(random.bytes(open));
    text
}

#[test]
fn the_lines_of_a_stream_are_the_stream() {
    let mut random = Random(2);
    for _ in 0..300 {
        let text = text(&mut random);
        let whole = put_all(Place::default(), &[&text], true);
        let size = 1 + random.below(70_000);
        let split: Vec<&[u8]> = text.chunks(size).collect();
        assert_eq!(put_all(Place::default(), &split, true), whole);
        let bytes: Vec<u8> = whole.iter().flat_map(|line| line.bytes.clone()).collect();
        assert_eq!(bytes, text);
        let mut open = false;
        for line in &whole {
            assert!((1..=LINE_BYTES_MAX).contains(&line.bytes.len()));
            assert!(!line.bytes[..line.bytes.len() - 1].contains(&b'\n'));
            assert_eq!(line.continues, open);
            open = !line.bytes.ends_with(b"\n");
        }
    }
}

#[test]
fn what_is_read_on_from_any_line_goes_on_with_the_next_one() {
    let mut random = Random(3);
    for _ in 0..100 {
        let text = text(&mut random);
        let whole = put_all(Place::default(), &[&text], true);
        for (number, line) in whole.iter().enumerate() {
            let rest = &text[usize::try_from(line.place.raw).unwrap()..];
            let on = put_all(line.place, &[rest], true);
            assert_eq!(on, whole[number + 1..]);
        }
    }
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let text = format!("x{}", "\u{1f600}".repeat(LINE_BYTES_MAX));
    let lines = put_all(Place::default(), &[text.as_bytes()], true);
    assert!(lines.len() > 3 && lines.iter().all(|line| str::from_utf8(&line.bytes).is_ok()));
    let noise = vec![0x80; 3 * LINE_BYTES_MAX];
    let lines = put_all(Place::default(), &[&noise], true);
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_line_is_told_only_when_it_is_whole() {
    assert_eq!(put_all(Place::default(), &[b"half"], false), []);
    let lines = put_all(Place::default(), &[b"half", b" and half\nmore"], false);
    let place = Place { raw: 14, skip: 0 };
    assert_eq!(lines, [Put { continues: false, bytes: b"half and half\n".to_vec(), place }]);
}
