//! What settings allow, and nobody is likely to want: a start and `lethe doctor` say it.

use super::{Config, PublicUrl, place};

impl Config {
    /// How clients reach the API.
    pub fn network_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.is_private() {
            warnings.push(format!(
                "other machines reach the API without TLS, and links in mails begin with {}: put a proxy with \
                 TLS before it, and set public_url to its https:// URL and trusted_proxies to 1",
                self.public_url_at(self.listen)
            ));
        }
        if self.trusted_proxies == 0
            && self.public_url.as_ref().is_some_and(PublicUrl::is_encrypted)
        {
            warnings.push(
                "clients reach public_url through a proxy with TLS, and trusted_proxies is 0, so all of them \
                 share the limits of its address: set it to the number of proxies that add to X-Forwarded-For"
                    .to_owned(),
            );
        }
        warnings
    }

    /// Nothing has what replaces an old root key when it is erased.
    pub fn copy_warning(&self) -> Option<String> {
        let kept = self.copy_dir.is_some() || self.escrow_recipient.is_some();
        (!kept).then(|| {
            format!(
                "copy_dir and escrow_recipient are empty: old root keys are erased {} hours after the last use, and \
                 a backup of the keyring's server that is restored later opens nothing: set one of the two",
                self.root_retention_hours
            )
        })
    }

    /// Where the root keys are is in most backups.
    pub fn place_warning(&self) -> Option<String> {
        if self.root_vault.is_some() || !place::is_former_root_dir(&self.root_dir) {
            return None;
        }
        let (former, new) = (self.root_dir.parent()?.display(), place::new_keys());
        Some(format!(
            "the root keys are in {former}, where backups of settings find them, with the copy that opens with \
             them: stop every node, move roots, keyring-copy and escrow to {}, and keep that out of backups",
            new.display()
        ))
    }
}
