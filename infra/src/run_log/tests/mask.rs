//! Every form of a secret is masked, however the output is split, and nothing else is.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::forms::forms;
use super::super::mask::SECRETS_BYTES_MAX;
use super::super::{MaskError, Masks};
use super::Random;
use crate::residue::{Canaries, Encoding, Report};

const PEM: &str = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAA\nQyNTUxOQAAA\
                   CDm0T2+7/xkPw==\nshort\n-----END KEY-----\n";

const SETS: [&[&str]; 9] = [
    &["hunter22"],
    &["s3cr3t/with+all=of%it", "Ümläut \"quoted\" <tag> & tab\tend"],
    &["abcdab", "abX4", "dabc", "bcd!"],
    &["aaaa"],
    &["aabaab", "baabaa", "aaaaaaab"],
    &[PEM, "passphrase of the key"],
    &["postgres://ada:p%40ss@db.example.org:5432/lethe?sslmode=require"],
    &["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
    &["one secret", "one secret and more", "secret and"],
];

pub(super) fn masked(masks: &Masks, pieces: &[&[u8]]) -> Vec<u8> {
    let mut mask = masks.stream();
    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| mask.push(piece)).collect();
    out.extend(mask.finish());
    out
}

pub(super) fn text(masks: &Masks, text: &str) -> String {
    String::from_utf8(masked(masks, &[text.as_bytes()])).unwrap()
}

/// A secret in one of its forms, between neighbours that its encoding may mix with.
fn planted(random: &mut Random, secret: &str) -> Vec<u8> {
    let (before, after) = (random.below(7), random.below(7));
    let around = [random.bytes(before), secret.into(), random.bytes(after)].concat();
    match random.below(8) {
        0 | 1 => secret.into(),
        2 => STANDARD.encode(around).into(),
        3 => URL_SAFE.encode(around).into(),
        4 => hex::encode(around).into(),
        5 => hex::encode_upper(around).into(),
        6 => utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into(),
        _ => serde_json::to_vec(secret).unwrap(),
    }
}

/// Secrets and noise; with `parts`, also the beginnings of secrets, which are no secrets.
fn output(random: &mut Random, secrets: &[&str], parts: bool) -> Vec<u8> {
    let mut output = Vec::new();
    for _ in 0..=random.below(8) {
        let secret = *random.one_of(secrets);
        match random.below(4) {
            0 => output.extend(planted(random, secret)),
            1 if parts => {
                let form = planted(random, secret);
                output.extend(&form[..random.below(form.len() + 1)]);
            }
            2 if parts => {
                output.extend((0..random.below(30)).map(|_| *random.one_of(secret.as_bytes())));
            }
            _ => {
                let length = random.below(20);
                output.extend(random.bytes(length));
            }
        }
        if random.below(3) == 0 {
            output.push(b'\n');
        }
    }
    output
}

/// The forms of secrets, by their first byte.
struct Reference(HashMap<u8, Vec<Vec<u8>>>);

impl Reference {
    fn new(secrets: &[&str]) -> Self {
        let mut all: HashMap<u8, Vec<Vec<u8>>> = HashMap::new();
        for form in forms(secrets) {
            all.entry(form[0]).or_default().push(form);
        }
        Self(all)
    }

    /// Which bytes any form covers.
    fn covered(&self, text: &[u8]) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        for (at, byte) in text.iter().enumerate() {
            for form in self.0.get(byte).into_iter().flatten() {
                if text[at..].starts_with(form) {
                    covered[at..at + form.len()].fill(true);
                }
            }
        }
        covered
    }

    /// Masks every byte that any form covers.
    fn masked(&self, text: &[u8]) -> Vec<u8> {
        let covered = self.covered(text);
        let mut out = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            match (covered[at], at > 0 && covered[at - 1]) {
                (false, _) => out.push(*byte),
                (true, false) => out.extend(b"***"),
                (true, true) => {}
            }
        }
        out
    }
}

#[test]
fn ten_thousand_splits_let_no_secret_through_and_change_nothing_else() {
    let mut random = Random(1);
    for (number, secrets) in (0..).zip(SETS) {
        let masks = Masks::new(secrets).unwrap();
        let single: Vec<&str> = secrets.iter().copied().filter(|one| !one.contains('\n')).collect();
        let canaries = Canaries::new(&single).unwrap();
        let reference = Reference::new(secrets);
        for round in 0..2_400 {
            let parts = round % 2 == 0;
            let output = output(&mut random, secrets, parts);
            let whole = masked(&masks, &[&output]);
            let split = masked(&masks, &random.split(&output));
            assert_eq!(split, whole, "set {number}, round {round}");
            if round % 20 < 2 {
                assert_eq!(whole, reference.masked(&output), "set {number}, round {round}");
                assert!(!reference.covered(&split).contains(&true), "set {number}, round {round}");
            }
            if parts {
                continue;
            }
            let mut report = Report::default();
            canaries.search("out".as_ref(), split.as_slice(), &mut report).unwrap();
            let others =
                [Encoding::LowerCase, Encoding::JsonUnicode, Encoding::Utf16, Encoding::Reversed];
            report.finds.retain(|find| !others.contains(&find.form));
            assert!(report.finds.is_empty(), "set {number}, round {round}: {:?}", report.finds);
        }
    }
}

#[test]
fn a_secret_becomes_three_stars_wherever_it_is_cut() {
    let masks = Masks::new(&["hunter22"]).unwrap();
    let line = b"password is hunter22, hunter2 is not\n";
    for at in 0..line.len() {
        let (one, two) = line.split_at(at);
        let out = masked(&masks, &[one, two]);
        assert_eq!(out, b"password is ***, hunter2 is not\n");
    }
}

#[test]
fn only_what_may_be_the_beginning_of_a_secret_is_held_back() {
    let masks = Masks::new(&["hunter22"]).unwrap();
    let mut mask = masks.stream();
    assert_eq!(mask.push(b"Continue? [y/N] "), b"Continue? [y/N] ");
    assert_eq!(mask.push(b"the hunt"), b"the ");
    assert_eq!(mask.push(b"er2\n"), b"hunter2\n");
    assert_eq!(mask.push(b"hunter2"), b"");
    assert_eq!(mask.finish(), b"hunter2");
}

#[test]
fn an_endless_secret_is_not_held_back_for_ever() {
    let masks = Masks::new(&["aaaa"]).unwrap();
    let mut mask = masks.stream();
    let mut out = Vec::new();
    for _ in 0..1_000 {
        out.extend(mask.push(&[b'a'; 100]));
    }
    out.extend(mask.push(b"b"));
    assert_eq!(out, b"***b");
}

#[test]
fn each_long_line_of_a_secret_is_masked_on_its_own() {
    let masks = Masks::new(&[PEM]).unwrap();
    let out = text(&masks, &format!("key:\n{PEM}.\n"));
    assert_eq!(out, "key:\n***\n***\n***\nshort\n***\n.\n");
    let indented = PEM.replace('\n', "\r\n    ");
    let out = text(&masks, &indented);
    assert_eq!(out, "***\r\n    ***\r\n    ***\r\n    short\r\n    ***\r\n    ");
    assert_eq!(text(&masks, &serde_json::to_string(PEM).unwrap()), "\"***\\n\"");
}

#[test]
fn base64_is_masked_also_where_it_is_wrapped() {
    let secret = String::from_utf8((0..200).map(|n| 33 + n % 90).collect()).unwrap();
    let masks = Masks::new(&[&secret]).unwrap();
    for before in 0..60 {
        let encoded = STANDARD.encode("-".repeat(before) + &secret);
        for width in [64, 76] {
            let lines: Vec<&[u8]> = encoded.as_bytes().chunks(width).collect();
            let out = masked(&masks, &[&lines.join(&b'\n')]);
            let out: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
            assert_eq!(out.len(), lines.len());
            // The first and the last line are shared with other text.
            for line in &out[before.div_ceil(width / 4 * 3)..out.len() - 1] {
                assert_eq!(line, b"***", "after {before}, width {width}");
            }
        }
    }
}

#[test]
fn what_cannot_be_masked_is_refused_without_being_told() {
    let refused = |secret: &str| Masks::new(&[secret]).unwrap_err();
    assert_eq!(refused("abc"), MaskError::TooShort);
    assert_eq!(refused("  abc\n"), MaskError::TooShort);
    assert_eq!(refused(""), MaskError::TooShort);
    assert_eq!(refused("abcd\nefgh\n"), MaskError::Scattered);
    assert_eq!(refused(&"x".repeat(SECRETS_BYTES_MAX + 1)), MaskError::TooLong);
    assert_eq!(refused(&"\"&'<".repeat(SECRETS_BYTES_MAX / 4)), MaskError::TooMany);
    assert!(Masks::new(&["abcd"]).is_ok());
    let shown = format!("{:?} {:?}", Masks::new(&["hunter22"]), Masks::default().stream());
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn without_secrets_all_comes_through_at_once() {
    let mut mask = Masks::default().stream();
    assert_eq!(mask.push(b"\xff\x00 any\n"), b"\xff\x00 any\n");
    assert_eq!(mask.finish(), b"");
}
