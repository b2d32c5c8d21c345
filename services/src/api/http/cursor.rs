//! Where a listing continues: signed, so that a changed cursor is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::TenantId;
use infra::keyring::{RequestMacKeys, RequestMacs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::api::http::problem::{Problem, ProblemKind};

const MAC_BYTES: usize = 16;

/// One page, and where the next one begins.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// To be sent back as `cursor`, with the same filters, within a day. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Whose listing a cursor belongs to, and with which filters.
pub struct Cursors<'a> {
    pub keys: &'a RequestMacKeys,
    pub of: TenantId,
    pub scope: String,
}

impl Cursors<'_> {
    /// # Errors
    /// The keyring is not reached.
    pub async fn sign(&self, at: &impl Serialize) -> Result<String, Problem> {
        let at = serde_json::to_vec(at).map_err(|error| Problem::internal(&error))?;
        Ok(pack(&self.macs(&at).await?.today, &at))
    }

    /// # Errors
    /// A cursor that was not given here, or is a day old.
    pub async fn read<T: DeserializeOwned>(&self, cursor: &str) -> Result<T, Problem> {
        let bad = || Problem::of(ProblemKind::BadCursor);
        let (mac, at) = unpack(cursor).ok_or_else(bad)?;
        if !fits(&self.macs(&at).await?, &mac) {
            return Err(bad());
        }
        serde_json::from_slice(&at).map_err(|_| bad())
    }

    /// Pages `items`, of which one more than `limit` was queried.
    pub async fn page<T, K: Serialize>(
        &self,
        mut items: Vec<T>,
        limit: i64,
        at: impl Fn(&T) -> K,
    ) -> Result<Page<T>, Problem> {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = match items.last() {
            Some(last) if more => Some(self.sign(&at(last)).await?),
            _ => None,
        };
        Ok(Page { items, next })
    }

    async fn macs(&self, at: &[u8]) -> Result<RequestMacs, Problem> {
        let length = self.scope.len().to_be_bytes();
        let text = [b"cursor".as_slice(), &length, self.scope.as_bytes(), at].concat();
        let macs = self.keys.macs(self.of, &text).await;
        macs.map_err(|error| Problem::unavailable(&error))
    }
}

fn pack(mac: &[u8; 32], at: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([mac.first_chunk::<MAC_BYTES>().map_or(&[][..], |cut| cut), at].concat())
}

fn unpack(cursor: &str) -> Option<([u8; MAC_BYTES], Vec<u8>)> {
    if cursor.len() > 512 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (mac, at) = bytes.split_first_chunk::<MAC_BYTES>()?;
    Some((*mac, at.to_vec()))
}

fn fits(macs: &RequestMacs, received: &[u8; MAC_BYTES]) -> bool {
    let same = |mac: &[u8; 32]| {
        let differ = mac.iter().zip(received).fold(0, |differ, (a, b)| differ | (a ^ b));
        differ == 0
    };
    same(&macs.today) || macs.before.as_ref().is_some_and(same)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_is_read_under_the_key_of_today_or_of_yesterday_only() {
        let (mac, at) = unpack(&pack(&[7; 32], b"12")).unwrap();
        assert_eq!(at, b"12");
        assert!(fits(&RequestMacs { today: [7; 32], before: None }, &mac));
        assert!(fits(&RequestMacs { today: [1; 32], before: Some([7; 32]) }, &mac));
        assert!(!fits(&RequestMacs { today: [1; 32], before: Some([2; 32]) }, &mac));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = unpack(&text);
        }
    }
}
