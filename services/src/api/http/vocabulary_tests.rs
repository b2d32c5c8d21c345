//! One word for one thing, over all of the document: ids, times and lists are named alike everywhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::openapi::tests::shown;

/// What a path names that has no id.
const NO_IDS: [&str; 6] = ["claim_code", "generation", "name", "purpose", "reader", "slug"];

/// The ends of a range of time, and the time as of which something is read.
const RANGES: [&str; 3] = ["as_of", "from", "to"];

fn operations(document: &Value) -> impl Iterator<Item = (String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, spec)| (format!("{method} {path}"), path, spec))
    })
}

/// Every property of a schema, at whatever depth, with its name.
fn properties<'a>(within: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    match within {
        Value::Object(fields) => {
            if let Some(Value::Object(of)) = fields.get("properties") {
                found.extend(of.iter().map(|(name, schema)| (name.as_str(), schema)));
            }
            fields.values().for_each(|value| properties(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| properties(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every property of a schema and every parameter of a query, with its name.
fn named(document: &Value) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    properties(&document["components"]["schemas"], &mut found);
    for (_, _, spec) in operations(document) {
        let parameters = spec["parameters"].as_array().into_iter().flatten();
        let queries = parameters.filter(|parameter| parameter["in"] == "query");
        found.extend(queries.map(|it| (it["name"].as_str().unwrap(), &it["schema"])));
    }
    found
}

#[test]
fn what_a_path_names_is_an_id_and_ends_so() {
    let document = shown();
    let mut found = BTreeSet::new();
    for (name, _, spec) in operations(&document) {
        for parameter in spec["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "path" {
                continue;
            }
            let of = parameter["name"].as_str().unwrap();
            let is_id = parameter["schema"]["format"] == "uuid";
            assert_eq!(of.ends_with("_id"), is_id, "{name}: {of}");
            assert!(is_id || NO_IDS.contains(&of), "{name}: {of}");
            found.insert(of.to_owned());
        }
    }
    assert!(found.len() >= 13, "{found:?}");
}

#[test]
fn ids_and_times_are_named_by_what_they_are() {
    let document = shown();
    let (mut ids, mut times) = (0, 0);
    for (name, schema) in named(&document) {
        let format = &schema["format"];
        let several = schema["items"]["format"] == "uuid";
        assert_eq!(name.ends_with("_id"), format == "uuid", "{name}: {schema}");
        assert_eq!(name.ends_with("_ids"), several, "{name}: {schema}");
        let is_time = format == "date-time" && !RANGES.contains(&name);
        assert_eq!(name.ends_with("_at"), is_time, "{name}: {schema}");
        ids += usize::from(format == "uuid" || several);
        times += usize::from(is_time);
    }
    assert!(ids > 50 && times > 40, "{ids} ids, {times} times");
}

#[test]
fn what_lists_things_has_them_as_its_items() {
    let document = shown();
    let mut lists = 0;
    for (name, path, spec) in operations(&document) {
        let schema = &spec["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        // What a path names by its id is one thing, and not a list of them.
        let Some(schema) = schema.as_str().filter(|_| !path.ends_with('}')) else { continue };
        let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
        let fields = schema["properties"].as_object().into_iter().flatten();
        for (field, _) in fields.filter(|(_, schema)| schema["items"].is_object()) {
            assert!(field == "items" || !name.starts_with("get "), "{name}: {field}");
            lists += usize::from(field == "items");
        }
    }
    assert!(lists >= 18, "{lists} lists");
}
