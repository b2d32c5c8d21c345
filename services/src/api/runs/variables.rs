//! The variables of a run in the body of a request, secret or not.

use std::collections::BTreeMap;

use domain::privacy::{ClearVariables, RunEnvironment, UnfitVariable};
use infra::run_log::{MaskError, Masks};
use serde_json::Value;

use crate::api::http::fields::UnfitObject;

/// Each of them can be masked.
pub fn secrets(value: &Value) -> Result<RunEnvironment, UnfitObject> {
    let environment = RunEnvironment::new(variables(value)?)?;
    let values: Vec<&str> = environment.expose().values().map(String::as_str).collect();
    if let Err(error) = Masks::check(&values) {
        // It may be one of them that cannot be masked, or all together. All that are too long are too many to be looked at
        // one by one, and none of them is too long alone.
        let mut each = environment.expose().iter().filter(|_| error != MaskError::TooLong);
        let one = each.find(|(_, value)| Masks::check(&[value.as_str()]).is_err());
        let member = one.map(|(name, _)| name.clone());
        return Err(UnfitObject { member, detail: error.to_string() });
    }
    Ok(environment)
}

/// `hidden`: the secrets, none of which is shown beside.
pub fn environment(
    value: &Value,
    hidden: Option<&RunEnvironment>,
) -> Result<ClearVariables, UnfitObject> {
    let environment = ClearVariables::new(variables(value)?)?;
    let is_hidden = |name: &&String| hidden.is_some_and(|all| all.expose().contains_key(*name));
    if let Some(name) = environment.expose().keys().find(is_hidden) {
        let detail = "this is the name of one of the secrets, too: give it once".to_owned();
        return Err(UnfitObject { member: Some(name.clone()), detail });
    }
    Ok(environment)
}

fn variables(value: &Value) -> Result<BTreeMap<String, String>, UnfitObject> {
    let Some(members) = value.as_object() else {
        let detail = "this must be an object whose values are strings".to_owned();
        return Err(UnfitObject { member: None, detail });
    };
    let mut variables = BTreeMap::new();
    for (name, value) in members {
        let Some(text) = value.as_str() else {
            let (member, detail) = (Some(name.clone()), "this must be a string".to_owned());
            return Err(UnfitObject { member, detail });
        };
        variables.insert(name.clone(), text.to_owned());
    }
    Ok(variables)
}

impl From<UnfitVariable> for UnfitObject {
    fn from(unfit: UnfitVariable) -> Self {
        Self { detail: unfit.to_string(), member: unfit.name }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unfit(values: &Value) -> (Option<String>, String) {
        let UnfitObject { member, detail } = secrets(values).unwrap_err();
        (member, detail)
    }

    #[test]
    fn a_secret_is_named_for_what_it_lacks_and_not_for_what_all_have_too_much() {
        let (scattered, long) = ("abcd\nefgh", "x".repeat(16 * 1024));
        let one = unfit(&json!({ "A": "correct-horse", "B": scattered }));
        assert_eq!(one, (Some("B".to_owned()), MaskError::Scattered.to_string()));

        let all = unfit(&json!({ "A": long, "B": scattered, "C": long }));

        assert_eq!(all, (None, MaskError::TooLong.to_string()));
    }
}
