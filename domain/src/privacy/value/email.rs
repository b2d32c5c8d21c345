//! E-mail addresses: what is taken, and the one form in which two of them are the same.

use std::collections::BTreeSet;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::operation::is_number;
use super::unambiguous::{distinct, distinct_letters};
use super::{EmailAddress, Invalid, TypedAddress, checked};

const BYTES_MAX: usize = 254;
/// Before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Between two dots (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// What may stand in an atom besides letters and digits (RFC 5322, 3.2.3), and the dot.
const SIGNS: &str = "!#$%&'*+-/=?^_`{|}~.";

impl EmailAddress {
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let parts = Parts::read(checked(text, BYTES_MAX)?)?;
        if parts.canonical().len() > BYTES_MAX {
            return Err(Invalid::TooLong(BYTES_MAX));
        }
        let Parts { local, domain, .. } = parts;
        Ok(Self(format!("{local}@{domain}")))
    }

    /// The form in which two addresses are the same address: without case, and the domain as the DNS has
    /// it. An address from before the rules of today that they refuse is as it was typed, without case.
    pub fn canonical(&self) -> String {
        Parts::read(&self.0).map_or_else(|_| self.0.to_lowercase(), |parts| parts.canonical())
    }

    /// In which other forms it may have been reserved by versions that knew no canonical one: without case,
    /// and otherwise as it was typed: composed (NFC) or not (NFD), the domain in letters or as the DNS has it.
    pub fn former_forms(&self) -> Vec<String> {
        let Some((local, domain)) = self.0.rsplit_once('@') else { return vec![] };
        let mut domains = spellings(domain).to_vec();
        if let Ok(parts) = Parts::read(&self.0) {
            domains.extend([parts.unicode_domain, parts.ascii_domain]);
        }
        let locals = spellings(local);
        let forms = locals
            .iter()
            .flat_map(|local| domains.iter().map(move |domain| format!("{local}@{domain}")));
        let canonical = self.canonical();
        let forms: BTreeSet<String> =
            forms.filter(|form| *form != canonical && was_taken_before(form)).collect();
        forms.into_iter().collect()
    }
}

impl TypedAddress {
    /// # Errors
    /// What is wrong with it: no version ever took it for an address.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = checked(text, BYTES_MAX)?;
        match EmailAddress::parse(text) {
            Err(why) if !was_taken_before(text) => Err(why),
            Ok(_) | Err(_) => Ok(Self(text.to_owned())),
        }
    }

    /// As it may be stored, to look it up. Do not give it to an account.
    pub fn to_look_up(&self) -> EmailAddress {
        EmailAddress(self.0.clone())
    }

    /// Whether a new account may have it.
    pub fn is_taken_today(&self) -> bool {
        EmailAddress::parse(&self.0).is_ok()
    }

    /// Whether it can be the address that an account has. One that is refused today is never the one that
    /// it looks like, though both have one form without case.
    pub fn can_be(&self, stored: &EmailAddress) -> bool {
        self.is_taken_today() || EmailAddress::parse(&stored.0).is_err()
    }

    /// Whether both are the same but for case.
    pub fn is_spelled_as(&self, stored: &EmailAddress) -> bool {
        self.0.to_lowercase() == stored.0.to_lowercase()
    }
}

fn spellings(text: &str) -> [String; 3] {
    let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
    [text.to_lowercase(), composed.to_lowercase(), decomposed.to_lowercase()]
}

/// Whether versions took it that knew no look-alikes, and no IDNA.
fn was_taken_before(text: &str) -> bool {
    let label_fits = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        is_dot_atom(local) && domain.contains('.') && domain.split('.').all(label_fits)
    })
}

/// Both sides of the `@`.
struct Parts {
    /// As it was typed, in NFC.
    local: String,
    /// As it was typed, in NFC.
    domain: String,
    /// Of A-labels.
    ascii_domain: String,
    /// Of U-labels.
    unicode_domain: String,
}

impl Parts {
    fn read(text: &str) -> Result<Self, Invalid> {
        let (local, domain) = text.rsplit_once('@').ok_or(Invalid::NotAnAddress)?;
        let local = read_local(local)?;
        let (domain, ascii_domain, unicode_domain) = read_domain(domain)?;
        Ok(Self { local, domain, ascii_domain, unicode_domain })
    }

    fn canonical(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.ascii_domain)
    }
}

fn read_local(text: &str) -> Result<String, Invalid> {
    if text.starts_with('"') {
        return Err(Invalid::Quoted);
    }
    if !is_dot_atom(text) {
        return Err(Invalid::NotAnAddress);
    }
    let local = distinct(text)?;
    if local.len() > LOCAL_BYTES_MAX { Err(Invalid::NotAnAddress) } else { Ok(local) }
}

fn is_dot_atom(text: &str) -> bool {
    (1..=LOCAL_BYTES_MAX).contains(&text.len())
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || !c.is_ascii() || SIGNS.contains(c))
}

/// The domain as it was typed, of A-labels, and of U-labels.
fn read_domain(text: &str) -> Result<(String, String, String), Invalid> {
    let last = text.rsplit('.').next().unwrap_or_default();
    if text.starts_with('[') || !last.is_empty() && is_number(last) {
        return Err(Invalid::IpAddress);
    }
    if !text.contains('.') || text.split('.').any(str::is_empty) {
        return Err(Invalid::NotAnAddress);
    }
    let composed: Vec<String> = text.split('.').map(distinct_letters).collect::<Result<_, _>>()?;
    let domain = composed.join(".");
    let (deny, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), deny, hyphens, DnsLength::Verify);
    let ascii = ascii.map_err(|_| Invalid::NotADomain)?.into_owned();
    let (unicode, fits) = Uts46::new().to_unicode(ascii.as_bytes(), deny, hyphens);
    fits.map_err(|_| Invalid::NotADomain)?;
    for (typed, label) in composed.iter().zip(unicode.split('.')) {
        // The mapping of UTS 46 may change the case, and nothing else.
        if distinct_letters(label)? != label || !typed.is_ascii() && typed.to_lowercase() != label {
            return Err(Invalid::LooksAlike("a letter of its domain stands for another one"));
        }
    }
    let unicode = unicode.into_owned();
    Ok((domain, ascii, unicode))
}
