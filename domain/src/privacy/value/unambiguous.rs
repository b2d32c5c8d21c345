//! Refuses what could be taken for another text: where two look alike, neither is quietly made the other.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{
    GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection, skeleton,
};

use super::Invalid;

const UNSEEN: Invalid =
    Invalid::LooksAlike("a character of it cannot be seen, or turns the direction of writing");
const VARIANT: Invalid = Invalid::LooksAlike(
    "a character of it is a variant of a usual one, such as a full width letter or a ligature",
);
const NO_LETTER: Invalid =
    Invalid::LooksAlike("a character of it is no letter or digit of a script that is in use");
const MIXED: Invalid = Invalid::LooksAlike("it mixes letters of several scripts");
const UNSEEN_DOT: Invalid = Invalid::LooksAlike("a dot above i, j or l cannot be seen");
const LATIN: Invalid = Invalid::LooksAlike("its letters look like Latin ones and are others");
const CASE: Invalid =
    Invalid::LooksAlike("a letter of it, such as ß or a dotless i, is another one in capitals");

/// Letters that people write, and that nobody takes for the Latin ones of their skeleton (`ae`, `oe`, `p`).
const OWN_LETTERS: [char; 6] = ['æ', 'Æ', 'œ', 'Œ', 'þ', 'Þ'];

/// The composed form (NFC) of a text: names are kept in it, so that what is compared with one is composed first.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The composed form (NFC) of a text that people read, such as a name.
///
/// # Errors
/// It has characters that turn the direction of writing, or that nobody sees.
pub(super) fn readable(text: &str) -> Result<String, Invalid> {
    let composed = composed(text);
    if composed.chars().any(is_unseen) { Err(UNSEEN) } else { Ok(composed) }
}

/// The composed form (NFC) of letters, marks, digits and ASCII signs that are taken for nothing else,
/// whatever their case.
///
/// # Errors
/// What it could be taken for.
pub(super) fn distinct(text: &str) -> Result<String, Invalid> {
    let composed = distinct_letters(text)?;
    if composed.to_uppercase().to_lowercase() == composed.to_lowercase() {
        Ok(composed)
    } else {
        Err(CASE)
    }
}

/// As [`distinct`], where it is known otherwise which letters are the same but for their case.
pub(super) fn distinct_letters(text: &str) -> Result<String, Invalid> {
    if text.is_ascii() {
        return Ok(text.to_owned());
    }
    if text.chars().any(|c| is_unseen(c) || is_joiner(c)) {
        return Err(UNSEEN);
    }
    let composed = composed(text);
    if text.chars().any(is_double) || !composed.nfkc().eq(composed.chars()) {
        return Err(VARIANT);
    }
    let letters: String =
        composed.chars().filter(|c| c.is_ascii_alphanumeric() || !c.is_ascii()).collect();
    let is_letter =
        |c: char| (c.is_alphanumeric() || is_combining_mark(c)) && c.identifier_allowed();
    if !letters.chars().all(is_letter) {
        return Err(NO_LETTER);
    }
    if !letters.check_restriction_level(RestrictionLevel::SingleScript) {
        return Err(MIXED);
    }
    // Both are shown: what was typed, and in some places what it is without case.
    let small = composed.to_lowercase();
    if [&composed, &small].into_iter().any(|text| has_unseen_dot(text)) {
        return Err(UNSEEN_DOT);
    }
    if [&composed, &small].into_iter().any(|text| looks_like_ascii(text)) {
        return Err(LATIN);
    }
    Ok(composed)
}

/// Controls of direction (`Bidi_Control`), what has no width, and fillers.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// ZWNJ and ZWJ: within a name they belong to the spelling of some languages.
pub(super) const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A second code point of one and the same letter, such as the Kelvin sign: NFC has it as that letter.
fn is_double(c: char) -> bool {
    let mut one = std::iter::once(c).nfc();
    one.next() != Some(c) && one.next().is_none()
}

/// i and j have their dot already, and that of l is lost in its stem.
fn has_unseen_dot(text: &str) -> bool {
    let decomposed: Vec<char> = text.nfd().collect();
    decomposed.windows(2).any(|pair| matches!(pair, ['i' | 'j' | 'l' | 'ı' | 'ȷ', '\u{307}']))
}

/// Its skeleton of UTS 39 is that of a text in ASCII, whatever stands beside [`OWN_LETTERS`].
fn looks_like_ascii(text: &str) -> bool {
    let rest: String = text.chars().filter(|c| !OWN_LETTERS.contains(c)).collect();
    !rest.is_ascii() && skeleton(&rest).all(|c| c.is_ascii())
}
