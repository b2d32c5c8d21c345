//! Values that fit a schema of the document, and values that nearly do.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, TimeDelta};
use infra::clock::Clock;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};

/// Of what values are made.
pub struct Schemas<'a> {
    pub document: &'a Value,
    /// Ids that exist.
    pub ids: Vec<String>,
}

impl Schemas<'_> {
    /// What fits. `name` is the field's or the parameter's.
    pub fn fitting(&self, schema: &Value, name: &str) -> BoxedStrategy<Value> {
        if let Some(at) = schema["$ref"].as_str() {
            return self.fitting(self.document.pointer(at.trim_start_matches('#')).unwrap(), name);
        }
        for word in ["oneOf", "anyOf", "allOf"] {
            if let Some(options) = schema[word].as_array() {
                return Union::new(options.iter().map(|option| self.fitting(option, name))).boxed();
            }
        }
        match kind(schema) {
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "integer" | "number" => {
                let least = schema["minimum"].as_i64().unwrap_or(0);
                let most = schema["maximum"].as_i64().unwrap_or(least + 100).min(least + 100);
                (least..=most.max(least)).prop_map(Value::from).boxed()
            }
            "array" => {
                let least =
                    schema["minItems"].as_u64().map_or(0, |count| usize::try_from(count).unwrap());
                vec(self.fitting(&schema["items"], name), least..least + 3)
                    .prop_map(Value::from)
                    .boxed()
            }
            "object" => self.object(schema),
            "string" => self.text(schema, name),
            _ => Just(Value::Null).boxed(),
        }
    }

    fn object(&self, schema: &Value) -> BoxedStrategy<Value> {
        let required = schema["required"].as_array();
        let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|it| it == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        let fields: Vec<_> = properties
            .map(|(name, property)| {
                let value = self.fitting(property, name);
                let value = if is_required(name) {
                    value.prop_map(Some).boxed()
                } else {
                    proptest::option::weighted(0.4, value).boxed()
                };
                let name = name.clone();
                value.prop_map(move |value| value.map(|value| (name.clone(), value)))
            })
            .collect();
        if fields.is_empty() {
            let free = [json!({}), json!({ "A": "a value of eight" })];
            return select(free.to_vec()).boxed();
        }
        fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).boxed()
    }

    fn text(&self, schema: &Value, name: &str) -> BoxedStrategy<Value> {
        let one_of = |texts: &[&str]| {
            let texts: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
            select(texts).boxed()
        };
        if let Some(values) = schema["enum"].as_array() {
            return select(values.clone()).boxed();
        }
        match (schema["format"].as_str(), name) {
            (Some("uuid"), _) => select(self.ids.clone()).prop_map(Value::from).boxed(),
            (Some("date-time"), _) | (_, "as_of") => {
                let now = Clock::system().now();
                let time = |days| now + TimeDelta::days(days);
                let text = |days| json!(time(days).to_rfc3339_opts(SecondsFormat::Micros, true));
                let far = ["-5000-01-01T00:00:00Z", "+200000-01-01T00:00:00Z"].map(|at| json!(at));
                select([[text(-1), text(1), text(30)].as_slice(), &far].concat()).boxed()
            }
            // Nothing else is ever run.
            (_, "command") => one_of(&["true"]),
            (_, "email") => "[a-z]{8}@example\\.org".prop_map(Value::from).boxed(),
            (_, "host") => one_of(&["web.example", "192.0.2.7"]),
            (_, "password") => one_of(&["a password of ada", "not the password of ada"]),
            (_, "role") => one_of(&["owner", "admin", "operator", "viewer"]),
            (_, "purpose") => one_of(&["account_administration", "service_communication"]),
            (_, "state") => one_of(&["queued", "running", "succeeded", "failed"]),
            (_, "stream") => one_of(&["out", "err"]),
            (_, "fingerprint") => one_of(&["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]),
            _ => "[a-z]{4,20}".prop_map(Value::from).boxed(),
        }
    }

    /// What fits in most cases, and in the others all but one thing.
    pub fn near(&self, schema: &Value, name: &str) -> BoxedStrategy<Value> {
        let change = prop_oneof![
            5 => Just(Change::None),
            1 => any::<prop::sample::Index>().prop_map(Change::Drop),
            2 => (any::<prop::sample::Index>(), junk()).prop_map(|(at, junk)| Change::Replace(at, junk)),
            1 => junk().prop_map(Change::Add),
        ];
        (self.fitting(schema, name), change).prop_map(|(value, change)| change.apply(value)).boxed()
    }
}

fn kind(schema: &Value) -> &str {
    let kinds = schema["type"].as_array().into_iter().flatten();
    let one = kinds.filter_map(Value::as_str).find(|kind| *kind != "null");
    one.or(schema["type"].as_str()).unwrap_or("null")
}

#[derive(Clone, Debug)]
enum Change {
    None,
    Drop(prop::sample::Index),
    Replace(prop::sample::Index, Value),
    Add(Value),
}

impl Change {
    fn apply(self, value: Value) -> Value {
        let Value::Object(mut fields) = value else { return value };
        let names: Vec<String> = fields.keys().cloned().collect();
        match self {
            Self::Drop(at) if !names.is_empty() => {
                fields.remove(at.get(&names));
            }
            Self::Replace(at, junk) if !names.is_empty() => {
                fields.insert(at.get(&names).clone(), junk);
            }
            Self::Add(junk) => {
                fields.insert("no_such_field".to_owned(), junk);
            }
            Self::None | Self::Drop(_) | Self::Replace(..) => {}
        }
        Value::Object(fields)
    }
}

/// What fits nowhere, or at the edges. As a command it does nothing.
pub fn junk() -> BoxedStrategy<Value> {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let values = vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(1e300),
        json!(""),
        json!("\u{0}"),
        json!(" "),
        json!("\u{202e}\u{feff}"),
        json!(":".repeat(300)),
        json!("2026-02-30T00:00:00Z"),
        json!("00000000-0000-0000-0000-000000000000"),
        json!([]),
        json!({}),
        json!({ "name": "x" }),
        deep,
    ];
    select(values).boxed()
}

/// A query of the parameters of an operation, each fitting in most cases.
pub fn query(schemas: &Schemas<'_>, spec: &Value) -> BoxedStrategy<Vec<(String, String)>> {
    let parameters = spec["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<_> = parameters
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let share = if parameter["required"] == true { 0.95 } else { 0.3 };
            let fitting = schemas.fitting(&parameter["schema"], &name);
            let value = prop_oneof![8 => fitting, 1 => junk()];
            proptest::option::weighted(share, value).prop_map(move |value| {
                let text =
                    value.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
                text.map(|text| (name.clone(), text))
            })
        })
        .collect();
    parameters.prop_map(|all| all.into_iter().flatten().collect()).boxed()
}

/// The headers that an operation knows, each fitting in most cases.
pub fn headers(spec: &Value) -> BoxedStrategy<BTreeMap<String, String>> {
    let parameters = spec["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<_> = parameters
        .filter(|parameter| parameter["in"] == "header")
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap().to_owned();
            // Nobody can guess a position that was given to them.
            let is_token = name == "Lethe-Min-Position";
            let share = match () {
                () if parameter["required"] == true => 0.95,
                () if is_token => 0.05,
                () => 0.4,
            };
            let text = |texts: &[&str]| {
                let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
                select(texts).boxed()
            };
            let fitting = match name.as_str() {
                "If-Match" => text(&["*", "*", "*", "\"1\"", "\"999999\"", "W/\"1\""]),
                "Idempotency-Key" => "[a-z0-9]{20}".boxed(),
                "Lethe-Min-Position" => text(&["0", "1", "2"]),
                // The last two are beyond any line.
                "Last-Event-ID" => {
                    text(&["0", "1", "2", "9223372036854775808", "18446744073709551615"])
                }
                "Range" => text(&["bytes=0-3", "bytes=-2", "bytes=999-"]),
                _ => "[a-z]{1,20}".boxed(),
            };
            let value = prop_oneof![9 => fitting, 1 => "[ -~]{0,12}"];
            proptest::option::weighted(share, value)
                .prop_map(move |value| value.map(|value| (name.clone(), value)))
        })
        .collect();
    parameters.prop_map(|all| all.into_iter().flatten().collect()).boxed()
}

/// The schema of an operation's body, if it has one.
pub fn body(spec: &Value) -> Option<&Value> {
    let schema = &spec["requestBody"]["content"]["application/json"]["schema"];
    (!schema.is_null()).then_some(schema)
}

/// An object without fields.
pub fn empty() -> Value {
    Value::Object(Map::new())
}
