//! The variables of a run in the body of a request, secret or not.

use std::collections::BTreeMap;

use domain::privacy::{ClearVariables, RunEnvironment, UnfitVariable};
use infra::run_log::Masks;
use serde_json::Value;

use crate::api::http::fields::UnfitObject;

/// Each of them can be masked.
pub fn secrets(value: &Value) -> Result<RunEnvironment, UnfitObject> {
    let environment = RunEnvironment::new(variables(value)?)?;
    let values: Vec<&str> = environment.expose().values().map(String::as_str).collect();
    if let Err(error) = Masks::check(&values) {
        // It may be one of them that cannot be masked, or all together.
        let mut each = environment.expose().iter();
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
