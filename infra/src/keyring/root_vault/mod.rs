//! Root keys in Vault's transit engine: a transit key for each, whose MAC of a fixed text is the root.
//!
//! Nothing else is stored: who may ask Vault gets the root again, and once the transit key is deleted
//! nobody does.

mod client;
mod options;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::root_store::{RootErasure, RootFingerprint, RootId, RootStore, RootStoreError};
use super::secret::Secret;
use client::{Answer, VaultClient};

pub use options::{
    RootVaultOptions, VaultAddress, VaultAddressError, VaultMount, VaultNameError, VaultPrefix,
    VaultToken, VaultTokenError, VaultTokenSource,
};

/// What Vault makes the MAC of. Another text would be another root.
const TEXT: &[u8] = b"lethe root key";
/// Whoever rotates the transit key adds versions: the root is that of the first one.
const VERSION: u32 = 1;
const VERSION_PREFIX: &str = "vault:v1:";
/// Between the name of a root's key and its fingerprint, in the name of the mark.
const ERASED: &str = "-erased-";

/// A transit key of Vault for each root. Nodes share it as they would share a folder.
#[derive(Debug)]
pub struct RootVault {
    client: VaultClient,
    mount: VaultMount,
    prefix: VaultPrefix,
}

impl RootVault {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// [`RootStoreError::Authority`].
    pub fn open(options: RootVaultOptions) -> Result<Self, RootStoreError> {
        let RootVaultOptions { address, token, mount, prefix, authority, within } = options;
        let client = VaultClient::new(address, token, authority.as_deref(), within)?;
        Ok(Self { client, mount, prefix })
    }

    fn key_name(&self, id: RootId) -> String {
        format!("{}{id}", self.prefix)
    }

    /// Of the transit key that says that this root was erased here.
    fn mark_name(&self, id: RootId, key: RootFingerprint) -> String {
        format!("{}{id}{ERASED}{}", self.prefix, hex::encode(key.as_bytes()))
    }

    /// The number in the name of a root's key, or of its mark.
    fn id_of(&self, name: &str) -> Option<RootId> {
        let rest = name.strip_prefix(self.prefix.as_str())?;
        let number = rest.split_once(ERASED).map_or(rest, |(number, _)| number);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| is_number).map(RootId)
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.mount)
    }

    async fn exists(&self, name: &str) -> Result<bool, RootStoreError> {
        let path = self.path(&format!("keys/{name}"));
        Ok(matches!(self.client.read(Method::GET, &path, None).await?, Answer::Found(_)))
    }

    /// `false`: it was there already, if this version of Vault says so.
    async fn make(&self, name: &str) -> Result<bool, RootStoreError> {
        let path = self.path(&format!("keys/{name}"));
        let body = json!({ "type": "aes256-gcm96", "exportable": false });
        let Answer::Found(answer) = self.client.write(Method::POST, &path, Some(body)).await?
        else {
            return Err(self
                .client
                .fault(format!("{path} cannot be made: is {} there?", self.mount)));
        };
        let created = serde_json::from_slice::<Created>(&answer).unwrap_or_default();
        Ok(!created
            .warnings
            .unwrap_or_default()
            .iter()
            .any(|text| text.contains("already existed")))
    }

    /// The root of a transit key that is there.
    async fn derive(&self, name: &str) -> Result<Secret, RootStoreError> {
        let path = self.path(&format!("hmac/{name}/sha2-256"));
        let body = json!({ "input": STANDARD.encode(TEXT), "key_version": VERSION });
        let answer = self.client.read(Method::POST, &path, Some(body)).await?;
        let unexpected = || self.client.fault(format!("{path} did not answer a MAC"));
        let Answer::Found(answer) = answer else { return Err(unexpected()) };
        let derived: Derived<'_> = serde_json::from_slice(&answer).map_err(|_| unexpected())?;
        let text = derived.data.hmac.strip_prefix(VERSION_PREFIX).ok_or_else(unexpected)?;
        // The decoder estimates the length from above.
        let mut bytes = Zeroizing::new([0; 48]);
        let length = STANDARD.decode_slice(text, bytes.as_mut_slice()).map_err(|_| unexpected())?;
        let key = bytes.get(..length).and_then(|key| <[u8; 32]>::try_from(key).ok());
        key.map(Secret::from_bytes).ok_or_else(unexpected)
    }

    /// Returns when Vault says that the key is not there: what it answered to the deletion is not
    /// enough, and an answer that was lost does no harm.
    async fn delete(&self, name: &str) -> Result<(), RootStoreError> {
        let deleted = self.try_delete(name).await;
        if self.exists(name).await? {
            deleted?;
            let path = self.path(&format!("keys/{name}"));
            return Err(self.client.fault(format!("{path} is still there after it was deleted")));
        }
        Ok(())
    }

    async fn try_delete(&self, name: &str) -> Result<(), RootStoreError> {
        let path = self.path(&format!("keys/{name}"));
        let allowed = json!({ "deletion_allowed": true });
        self.client.write(Method::POST, &format!("{path}/config"), Some(allowed)).await?;
        self.client.write(Method::DELETE, &path, None).await?;
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>, RootStoreError> {
        let path = self.path("keys");
        match self.client.read(Method::GET, &format!("{path}?list=true"), None).await? {
            // There is no key at all.
            Answer::Absent => Ok(Vec::new()),
            Answer::Found(answer) => serde_json::from_slice::<Listed>(&answer)
                .map(|listed| listed.data.keys)
                .map_err(|_| self.client.fault(format!("{path} did not answer a list"))),
        }
    }
}

#[derive(Default, Deserialize)]
struct Created {
    warnings: Option<Vec<String>>,
}

/// Borrowed: the root is in no further copy.
#[derive(Deserialize)]
struct Derived<'a> {
    #[serde(borrow)]
    data: Mac<'a>,
}

#[derive(Deserialize)]
struct Mac<'a> {
    hmac: &'a str,
}

#[derive(Deserialize)]
struct Listed {
    data: Names,
}

#[derive(Deserialize)]
struct Names {
    keys: Vec<String>,
}

#[async_trait]
impl RootStore for RootVault {
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError> {
        let name = self.key_name(id);
        if !self.exists(&name).await? {
            return Ok(None);
        }
        self.derive(&name).await.map(Some)
    }

    async fn create(&self, id: RootId) -> Result<Secret, RootStoreError> {
        let name = self.key_name(id);
        // Making a key that is there changes nothing, and older versions of Vault do not say so.
        if self.exists(&name).await? || !self.make(&name).await? {
            let path = format!("{}/{}", self.client.address(), self.path(&format!("keys/{name}")));
            return Err(RootStoreError::Taken { path });
        }
        self.derive(&name).await
    }

    async fn erase(&self, id: RootId, key: RootFingerprint) -> Result<RootErasure, RootStoreError> {
        let mark = self.mark_name(id, key);
        let begun = self.exists(&mark).await?;
        match self.read(id).await? {
            Some(found) if RootFingerprint::of(&found) != key => return Ok(RootErasure::OtherKey),
            None if begun => return Ok(RootErasure::Erased),
            None => return Ok(RootErasure::NotFound),
            Some(_) => {}
        }
        if !begun {
            // Before the key goes: after a crash the mark alone can say that it was here.
            self.make(&mark).await?;
        }
        self.delete(&self.key_name(id)).await?;
        Ok(RootErasure::Erased)
    }

    async fn delete_mark(&self, id: RootId) -> Result<(), RootStoreError> {
        let of = format!("{}{ERASED}", self.key_name(id));
        for mark in self.names().await?.iter().filter(|name| name.starts_with(&of)) {
            self.delete(mark).await?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<RootId>, RootStoreError> {
        let mut ids: Vec<RootId> =
            self.names().await?.iter().filter_map(|name| self.id_of(name)).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn place(&self) -> String {
        format!("Vault at {}, {}/keys/{}*", self.client.address(), self.mount, self.prefix)
    }
}
