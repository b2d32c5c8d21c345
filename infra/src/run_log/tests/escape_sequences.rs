//! Colours inside of a secret do not show it, and elsewhere they come through.

use super::super::Masks;
use super::super::escape_sequences::Sequence;
use super::Random;
use super::mask::{masked, text};

const SEQUENCES: [&str; 12] = [
    "\u{1b}[01;31m\u{1b}[K",
    "\u{1b}[m\u{1b}[K",
    "\u{1b}[0m",
    "\u{1b}(B\u{1b}[m",
    "\u{1b}[38;2;1;2;3m",
    "\u{1b}]8;;https://example.org\u{1b}\\",
    "\u{1b}]0;title\u{7}",
    "\u{1b}7",
    // These are none.
    "\u{1b}",
    "\u{1b}[\n",
    "\u{1b}]0;endless",
    "\u{1b}\u{1b}[1m",
];

#[test]
fn grep_colours_a_part_of_a_secret_and_all_of_it_is_masked_wherever_it_is_split() {
    let masks = Masks::new(&["hunter22"]).unwrap();
    // `grep --color=always unter <<< 'password: hunter22.'`
    let output = "password: h\u{1b}[01;31m\u{1b}[Kunter\u{1b}[m\u{1b}[K22.\n".as_bytes();
    for at in 0..=output.len() {
        let (one, two) = output.split_at(at);
        assert_eq!(masked(&masks, &[one, two]), b"password: ***.\n", "at {at}");
    }
    // The sequences around it stay, and so do those of other text.
    assert_eq!(text(&masks, "\u{1b}[1mhunter22\u{1b}[0m"), "\u{1b}[1m***\u{1b}[0m");
    let other = "h\u{1b}[01;31munt\u{1b}[mers and \u{1b}[1mhunter2\u{1b}[m3\n";
    assert_eq!(text(&masks, other), other);
}

#[test]
fn only_a_whole_sequence_is_stepped_over() {
    let of = |text: &str| Sequence::at_start_of(text.as_bytes());
    for (text, bytes) in [
        ("\u{1b}[m", 3),
        ("\u{1b}[38;2;1;2;3mabc", 13),
        ("\u{1b}(Babc", 3),
        ("\u{1b}7abc", 2),
        ("\u{1b}]0;title\u{7}abc", 10),
        ("\u{1b}]8;;https://example.org\u{1b}\\abc", 26),
    ] {
        assert_eq!(of(text), Sequence::Whole(bytes), "{text:?}");
        for length in 1..bytes {
            assert_eq!(of(&text[..length]), Sequence::Partial, "{:?}", &text[..length]);
        }
    }
    let endless = format!("\u{1b}]0;{}", "a".repeat(300));
    for none in ["\u{1b}\n", "\u{1b}[\n", "\u{1b}[1\u{1b}[m", "\u{1b}]0;a\nb\u{7}", &endless, "a"] {
        assert_eq!(of(none), Sequence::None, "{none:?}");
    }
}

/// The text without its sequences.
fn stripped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let Sequence::Whole(bytes) = Sequence::at_start_of(&text[at..]) {
            at += bytes;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

#[test]
fn no_secret_is_left_between_sequences_however_they_are_mixed_and_split() {
    let sets: [&[&str]; 3] =
        [&["hunter22"], &["aabaab", "baabaa", "aaaaaaab"], &["one secret", "secret and"]];
    let mut random = Random(7);
    for secrets in sets {
        let masks = Masks::new(secrets).unwrap();
        for round in 0..1_000 {
            let mut output = Vec::new();
            for _ in 0..=random.below(5) {
                let secret = *random.one_of(secrets);
                let part = random.below(secret.len());
                let length = *random.one_of(&[secret.len(), part]);
                for letter in &secret.as_bytes()[..length] {
                    output.push(*letter);
                    if random.below(5) == 0 {
                        output.extend(random.one_of(&SEQUENCES).bytes());
                    }
                }
                output.extend(random.one_of(&["", "\n", "x", "[m"]).bytes());
            }
            let whole = masked(&masks, &[&output]);
            let split = masked(&masks, &random.split(&output));
            assert_eq!(split, whole, "{secrets:?}, round {round}");
            // What stands before a mask does not go on behind it.
            let parts = String::from_utf8(whole).unwrap().replace("***", "\n").into_bytes();
            for left in [stripped(&parts), parts] {
                let is_left = |secret: &&&str| {
                    left.windows(secret.len()).any(|part| part == secret.as_bytes())
                };
                assert_eq!(secrets.iter().find(is_left), None, "round {round}");
            }
        }
    }
}

#[test]
fn endless_sequences_inside_of_a_secret_are_not_held_back_for_ever() {
    let masks = Masks::new(&["hunter22"]).unwrap();
    let mut mask = masks.stream();
    let mut out = mask.push(b"hunt");
    for _ in 0..2_000 {
        out.extend(mask.push("\u{1b}[0m".repeat(25).as_bytes()));
    }
    assert!(out.len() > 100_000, "{}", out.len());
    out.extend(mask.push(b"er22 hunter22"));
    out.extend(mask.finish());
    assert!(out.ends_with(b"er22 ***"));
}
