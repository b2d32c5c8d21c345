//! How commands write a secret: most of it by other code than that which masks it, some by bash itself.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Random;

type Encoder = fn(&mut Random, &str) -> Vec<u8>;

const ENCODERS: [(&str, Encoder); 11] = [
    ("json", |_, secret| serde_json::to_vec(secret).unwrap()),
    ("percent", |_, secret| secret.bytes().flat_map(percent).collect()),
    ("hex", |_, secret| hex::encode(secret).into_bytes()),
    ("base64", |random, secret| rows(&STANDARD.encode(around(random, secret)), 76)),
    ("xxd -p", |random, secret| rows(&hex::encode(around(random, secret)), 60)),
    ("od -An -tx1", |random, secret| hex_rows(&around(random, secret), " ")),
    ("openssl", |random, secret| hex_rows(&around(random, secret), ":").to_ascii_uppercase()),
    ("markup", markup),
    ("compose", |_, secret| secret.replace('$', "$$").into_bytes()),
    ("yaml", |_, secret| folded(secret).into_bytes()),
    ("colours", coloured),
];

/// What each encoder writes of each secret.
pub fn encoded(random: &mut Random, secrets: &[String]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut all: Vec<(&str, Vec<Vec<u8>>)> = Vec::new();
    for (name, encode) in ENCODERS {
        all.push((name, secrets.iter().map(|secret| encode(random, secret)).collect()));
    }
    let locale = random.one_of(&["C", "C.UTF-8"]);
    let bash = |script: &str| {
        let mut bash = Command::new("/bin/bash");
        bash.env("LC_ALL", locale).args(["-c", script, "bash"]).args(secrets);
        bash.output().unwrap()
    };
    let lines = |text: &[u8], begin: &[u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(begin));
        lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    };
    all.push(("printf %q", lines(&bash(r#"printf '%q\n' "$@""#).stdout, b"")));
    all.push(("set -x", lines(&bash(r#"set -x; for each; do : "$each"; done"#).stderr, b"+ : ")));
    all
}

/// In the middle of other text, which its encoding is mixed with.
fn around(random: &mut Random, secret: &str) -> Vec<u8> {
    let (before, after) = (random.below(40), random.below(40));
    let letters: Vec<char> = ('a'..='z').collect();
    let text = [random.text(&letters, before), secret.into(), random.text(&letters, after)];
    text.concat().into_bytes()
}

fn percent(byte: u8) -> Vec<u8> {
    if byte.is_ascii_alphanumeric() { vec![byte] } else { format!("%{byte:02X}").into_bytes() }
}

fn rows(text: &str, width: usize) -> Vec<u8> {
    let rows: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
    rows.join(&b'\n')
}

fn hex_rows(bytes: &[u8], separator: &str) -> Vec<u8> {
    let row = |bytes: &[u8]| {
        let digits: Vec<String> = bytes.iter().map(|byte| hex::encode([*byte])).collect();
        digits.join(separator)
    };
    let rows: Vec<String> = bytes.chunks(16).map(row).collect();
    rows.join("\n").into_bytes()
}

fn markup(random: &mut Random, secret: &str) -> Vec<u8> {
    let (quote, apostrophe) = random.one_of(&[
        ("\"", "'"),
        ("&quot;", "&#x27;"),
        ("&#34;", "&#39;"),
        ("&quot;", "&apos;"),
    ]);
    let numeric = random.below(2) == 0;
    let mut out = String::new();
    for c in secret.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += quote,
            '\'' => out += apostrophe,
            _ if numeric && !c.is_ascii() => {
                for part in ["&#", &u32::from(c).to_string(), ";"] {
                    out += part;
                }
            }
            _ => out.push(c),
        }
    }
    out.into_bytes()
}

/// As YAML's emitters do: at the first space behind column 80.
fn folded(secret: &str) -> String {
    let mut out = String::from("url: ");
    let mut column = out.len();
    for (index, word) in secret.split(' ').enumerate() {
        if index > 0 && column > 80 {
            out += "\n  ";
            column = 2;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += word.len();
    }
    out
}

fn coloured(random: &mut Random, secret: &str) -> Vec<u8> {
    let mut out = String::new();
    for c in secret.chars() {
        out.push(c);
        if random.below(6) == 0 {
            out += random.one_of(&["\u{1b}[01;31m\u{1b}[K", "\u{1b}[m\u{1b}[K", "\u{1b}[38;5;9m"]);
        }
    }
    out.into_bytes()
}
