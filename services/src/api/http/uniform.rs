//! What the document says of all operations alike: which times are taken, that no parameter is null, and where that
//! which was created is read, changed and ended.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Of the years that a time may have, those that stay within 1 to 9999 in UTC whatever the time zone is.
const YEARS: &str = r"^(?:[1-8][0-9]{3}-|9[0-9]{3}-.*Z$)";

/// The document as it is shown. `bodies` are the references to the schemas of what requests send.
pub fn completed(document: &OpenApi, bodies: &BTreeSet<String>) -> Value {
    let mut shown = serde_json::to_value(document).unwrap_or_default();
    for parameter in parameters(&mut shown) {
        never_null(parameter);
        limit_years(parameter);
    }
    for body in bodies {
        if let Some(schema) = shown.pointer_mut(body.trim_start_matches('#')) {
            limit_years(schema);
        }
    }
    link(&mut shown);
    shown
}

/// The schema of every parameter.
fn parameters(document: &mut Value) -> Vec<&mut Value> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    let operations = items.flat_map(Map::values_mut);
    let parameters = operations.filter_map(|it| it.get_mut("parameters")?.as_array_mut());
    parameters.flatten().filter_map(|parameter| parameter.get_mut("schema")).collect()
}

/// What a parameter is instead of null is absent.
fn never_null(schema: &mut Value) {
    let Some(Value::Array(kinds)) = schema.get("type") else { return };
    let mut kinds: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
    let kind = if kinds.len() > 1 { Value::Array(kinds) } else { kinds.pop().unwrap_or_default() };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("type".to_owned(), kind);
    }
}

fn limit_years(within: &mut Value) {
    match within {
        Value::Object(fields) => {
            if fields.get("format").and_then(Value::as_str) == Some("date-time") {
                fields.insert("pattern".to_owned(), json!(YEARS));
            }
            fields.values_mut().for_each(limit_years);
        }
        Value::Array(items) => items.iter_mut().for_each(limit_years),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Says of each answer to a creation which operations are on what was created.
fn link(document: &mut Value) {
    let paths = document.get("paths").and_then(Value::as_object);
    let paths: Vec<String> = paths.into_iter().flat_map(Map::keys).cloned().collect();
    for path in &paths {
        let links: Map<String, Value> =
            paths.iter().flat_map(|other| links(document, path, other)).collect();
        let created = format!("/paths/{}/post/responses/201", path.replace('/', "~1"));
        if let Some(Value::Object(answer)) = document.pointer_mut(&created)
            && !links.is_empty()
        {
            answer.insert("links".to_owned(), Value::Object(links));
        }
    }
}

/// The operations of `other`, where it is the path of one thing of the list at `path`.
fn links(document: &Value, path: &str, other: &str) -> Vec<(String, Value)> {
    let id = other.strip_prefix(path).and_then(|rest| rest.strip_prefix("/{")?.strip_suffix('}'));
    let Some(id) = id.filter(|id| !id.contains('/')) else { return vec![] };
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Map<String, Value> =
        named.map(|name| (name.to_owned(), json!(format!("$request.path.{name}")))).collect();
    parameters.insert(id.to_owned(), json!(format!("$response.body#/{id}")));
    let item = document.get("paths").and_then(|paths| paths.get(other)?.as_object());
    let ids = item.into_iter().flat_map(Map::values).filter_map(|it| it.get("operationId"));
    let link = |of: &str| json!({ "operationId": of, "parameters": parameters });
    ids.filter_map(Value::as_str).map(|of| (of.to_owned(), link(of))).collect()
}

#[cfg(test)]
mod tests {
    use crate::api::http::openapi::tests::shown;

    use super::*;

    fn operations(document: &Value) -> impl Iterator<Item = &Value> {
        let items = document["paths"].as_object().unwrap().values();
        items.flat_map(|item| item.as_object().unwrap().values())
    }

    /// Whether a schema, or a part of it, has the field.
    fn has_field(document: &Value, schema: &Value, name: &str) -> bool {
        if let Some(at) = schema["$ref"].as_str() {
            let schema = document.pointer(at.trim_start_matches('#')).unwrap();
            return has_field(document, schema, name);
        }
        let mut parts = schema["allOf"].as_array().into_iter().flatten();
        schema["properties"][name].is_object() || parts.any(|part| has_field(document, part, name))
    }

    #[test]
    fn no_parameter_is_null() {
        let mut document = shown();
        let all = parameters(&mut document);
        assert!(all.len() > 100, "{}", all.len());
        for schema in all {
            assert!(schema["type"].is_string() || schema["$ref"].is_string(), "{schema}");
        }
    }

    #[test]
    fn a_time_that_is_sent_has_a_year_that_is_read() {
        let document = shown();
        let query = &document["paths"]["/v1/workspaces/{workspace_id}/runs"]["get"]["parameters"];
        let from = query.as_array().unwrap().iter().find(|it| it["name"] == "from").unwrap();
        assert_eq!(from["schema"]["pattern"], YEARS, "{from}");
        let schemas = &document["components"]["schemas"];
        let sent = &schemas["IssueTokenRequest"]["properties"]["expires_at"];
        assert_eq!(sent["pattern"], YEARS, "{sent}");
        let pattern = regex::Regex::new(YEARS).unwrap();
        for good in
            ["1000-01-01T00:00:00+23:59", "8999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"]
        {
            assert!(pattern.is_match(good), "{good}");
            assert!(crate::api::http::fields::time(&json!(good)).is_ok(), "{good}");
        }
        for bad in ["0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01"] {
            assert!(!pattern.is_match(bad), "{bad}");
        }
    }

    #[test]
    fn every_link_leads_to_an_operation_and_takes_its_id_from_the_answer() {
        let document = shown();
        let known: BTreeSet<&str> =
            operations(&document).map(|it| it["operationId"].as_str().unwrap()).collect();
        let mut found = BTreeSet::new();
        for operation in operations(&document) {
            let created = &operation["responses"]["201"];
            let schema = &created["content"]["application/json"]["schema"];
            for (name, link) in created["links"].as_object().into_iter().flatten() {
                assert!(known.contains(name.as_str()), "{name}");
                for (parameter, from) in link["parameters"].as_object().unwrap() {
                    let from = from.as_str().unwrap();
                    assert!(from.ends_with(parameter.as_str()), "{name}: {from}");
                    let of_answer = from.starts_with("$response.body#/");
                    assert!(
                        !of_answer || has_field(&document, schema, parameter),
                        "{name}: {from}"
                    );
                }
                found.insert(name.as_str());
            }
        }
        assert!(found.contains("get_workspaces_workspace_id_runs_run_id"), "{found:?}");
        assert!(found.len() > 15, "{found:?}");
    }
}
