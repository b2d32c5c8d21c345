//! E-mail addresses: what is taken, and the one form in which two of them are the same.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::operation::is_number;
use super::unambiguous::{distinct, distinct_letters};
use super::{EmailAddress, Invalid, checked};

const BYTES_MAX: usize = 254;
/// Before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
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

    /// In which other forms it may have been reserved by versions that knew no canonical one.
    pub fn former_forms(&self) -> Vec<String> {
        let mut forms = vec![self.0.to_lowercase()];
        if let Ok(parts) = Parts::read(&self.0) {
            forms.push(format!("{}@{}", parts.local.to_lowercase(), parts.unicode_domain));
        }
        let canonical = self.canonical();
        forms.retain(|form| *form != canonical);
        forms.dedup();
        forms
    }
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
    let is_dot_atom = (1..=LOCAL_BYTES_MAX).contains(&text.len())
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || !c.is_ascii() || SIGNS.contains(c));
    if !is_dot_atom {
        return Err(Invalid::NotAnAddress);
    }
    let local = distinct(text)?;
    if local.len() > LOCAL_BYTES_MAX { Err(Invalid::NotAnAddress) } else { Ok(local) }
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
