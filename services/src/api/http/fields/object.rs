//! Objects in a body whose members have names of the client's.

use serde_json::Value;

use super::{Fields, is_plain};

/// An object that does not fit, or one of its members.
pub struct UnfitObject {
    /// Which member; `None`: the object.
    pub member: Option<String>,
    pub detail: String,
}

impl Fields {
    /// As [`Self::optional`], of an object in a body: the error points at the member that does not fit.
    #[allow(clippy::option_option, reason = "the outer one is whether it fits")]
    pub fn object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, UnfitObject>,
    ) -> Option<Option<T>> {
        let mut unfit = None;
        let found = self.optional(name, |value| {
            read(value).map_err(|UnfitObject { member, detail }| {
                unfit = member.filter(|member| is_plain(member));
                detail
            })
        });
        if let (Some(member), Some(error)) = (unfit, self.errors.last_mut()) {
            error.descend(&member);
        }
        found
    }
}
