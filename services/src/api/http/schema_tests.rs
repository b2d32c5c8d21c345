//! What the document says of a body is what the server reads: whatever a schema admits fits.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{LazyLock, Mutex};

use actix_web::ResponseError;
use futures_util::FutureExt;
use regex::Regex;
use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::fields::{Fields, FromFields};
use crate::api::accounts::{consents, email, erasure, link, me, password, register};
use crate::api::auth::{sign_in, step_up};
use crate::api::operators::{accounts as operators, workspaces};
use crate::api::runs::request;
use crate::api::seats::{leases, limit};
use crate::api::servers::{deployments, keys, server};
use crate::api::workspaces::{
    api_token, api_tokens, invitations, member, service_accounts, workspace,
};

/// A password is refused for being well known.
const NOT_IN_SCHEMA: [&str; 3] =
    ["RegisterRequest.password", "ChangePasswordRequest.new", "ResetPasswordRequest.password"];

/// Values at the edges: empty, blank, too long, too large, of another type.
fn probes(schema: &Value) -> Vec<Value> {
    // Of several schemas the first says how long a text may be.
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    let max = schema["maxLength"].as_u64().unwrap_or(40_000);
    let long = |length: u64| Value::from("a".repeat(usize::try_from(length).unwrap()));
    let mut probes =
        vec![long(max), long(max + 1), long(schema["minLength"].as_u64().unwrap_or(0))];
    let texts = [
        "",
        " ",
        "\0",
        "a",
        "a b",
        "-a",
        "a-",
        "a.",
        "..",
        ".",
        "@",
        "SHA256:",
        "ä",
        "अनिता",
        "a\u{200b}",
        "a\u{202e}",
        "\u{200d}",
    ];
    let addresses = [
        "a@b",
        "a@b.c",
        "a..b@c.de",
        ".a@b.c",
        "a.@b.c",
        "a@-b.c",
        "a@b-.c",
        "(@b.c",
        "a@b..c",
        "ä@ö.अनि",
        "a@b.1",
        "a@10.0.0.1",
        "a@b.c1",
    ];
    let hosts =
        ["3a", "web-", "a.b-.c", "10.0.0.256", "010.0.0.1", "2130706433", "0177.1", "a.0x7f", "0x"];
    let addresses_of_hosts =
        ["10.0.0.1", "a.b.", "a..", "::", "::1", "x::y", "a:b:c", "::ffff:10.0.0.1"];
    probes.extend(texts.map(Value::from));
    probes.extend(addresses.map(Value::from));
    probes.extend(hosts.map(Value::from));
    probes.extend(addresses_of_hosts.map(Value::from));
    probes.extend([-1, 0, 1, 366, 65_536, i64::from(u32::MAX) + 1, i64::MAX].map(Value::from));
    probes.extend([json!(u64::MAX), json!(true), json!([]), json!([""]), json!({})]);
    probes
}

/// A pattern is compiled once: those with classes of Unicode take long.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap();
    let regex = compiled.entry(pattern.to_owned()).or_insert_with_key(|it| Regex::new(it).unwrap());
    regex.is_match(text)
}

/// As much of JSON Schema as the bodies use; what it does not know it does not admit.
fn admits(schema: &Value, value: &Value) -> bool {
    if let Some(options) = schema["anyOf"].as_array() {
        return options.iter().any(|option| admits(option, value));
    }
    let kind = &schema["type"];
    let kinds = kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]);
    let is = |kind: &str| kinds.iter().any(|of| of == kind);
    let at_least =
        |name: &str, count: usize| schema[name].as_u64().is_none_or(|n| count as u64 >= n);
    let at_most =
        |name: &str, count: usize| schema[name].as_u64().is_none_or(|n| count as u64 <= n);
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            let format = schema["format"].as_str();
            is("string")
                && at_least("minLength", length)
                && at_most("maxLength", length)
                && schema["enum"].as_array().is_none_or(|all| all.iter().any(|it| it == text))
                && schema["pattern"].as_str().is_none_or(|pattern| matches(pattern, text))
                && match format {
                    Some("uuid" | "date-time") => false,
                    Some("ipv4") => text.parse::<Ipv4Addr>().is_ok(),
                    Some("ipv6") => text.parse::<Ipv6Addr>().is_ok(),
                    _ => true,
                }
        }
        Value::Number(number) => {
            let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_u64());
            is("integer")
                && least.is_none_or(|least| number.as_f64().is_some_and(|n| n >= least))
                && most.is_none_or(|most| number.as_u64().is_none_or(|n| n <= most))
        }
        Value::Array(items) => {
            is("array")
                && at_least("minItems", items.len())
                && at_most("maxItems", items.len())
                && items.iter().all(|item| admits(&schema["items"], item))
        }
        Value::Bool(_) => is("boolean"),
        Value::Null | Value::Object(_) => false,
    }
}

/// Whether the server refuses this very field.
fn refuses<F: FromFields>(name: &str, value: &Value) -> bool {
    let body = serde_json::to_vec(&json!({ name: value })).unwrap();
    let Err(problem) = Fields::body::<F>(&body) else { return false };
    let bytes = actix_web::body::to_bytes(problem.error_response().into_body());
    let bytes = bytes.now_or_never().unwrap().unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().any(|error| error["pointer"] == format!("/{name}"))
}

/// The fields of which the schema admits what the server refuses.
fn differ<F: FromFields + PartialSchema>(body: &str, found: &mut Vec<String>) -> usize {
    let schema = serde_json::to_value(F::schema()).unwrap();
    let example = serde_json::to_vec(&schema["example"]).unwrap();
    if Fields::body::<F>(&example).is_err() {
        found.push(format!("{body}: its example"));
    }
    let mut admitted = 0;
    for (name, schema) in schema["properties"].as_object().unwrap() {
        let field = format!("{body}.{name}");
        if NOT_IN_SCHEMA.contains(&field.as_str()) {
            continue;
        }
        for value in probes(schema) {
            if !admits(schema, &value) {
                continue;
            }
            admitted += 1;
            if refuses::<F>(name, &value) {
                let shown = value.to_string().chars().take(40).collect::<String>();
                found.push(format!("{field}: {shown}"));
            }
        }
    }
    admitted
}

macro_rules! bodies {
    ($found:ident $($module:ident::$body:ident)*) => {
        [$(differ::<$module::$body>(stringify!($body), &mut $found)),*]
    };
}

#[test]
fn what_the_schema_of_a_body_admits_is_read() {
    let mut found = vec![];
    let admitted = bodies! { found
        register::RegisterRequest link::LinkRequest me::RectifyRequest email::ChangeEmailRequest
        password::ChangePasswordRequest password::ForgottenPasswordRequest
        password::ResetPasswordRequest consents::GiveConsentRequest erasure::ErasureRequest
        erasure::AccountErasureRequest step_up::PasswordRequest workspaces::AppointOwnerRequest
        sign_in::SignInRequest workspace::WorkspaceRequest member::ChangeRoleRequest
        invitations::InviteRequest api_tokens::IssueTokenRequest
        service_accounts::ServiceAccountRequest
        api_token::RenameTokenRequest api_token::RotateTokenRequest server::RegisterServerRequest
        server::ServerAddressRequest server::RenameServerRequest keys::ApproveHostKeyRequest
        keys::AttachCredentialRequest deployments::DeploymentRequest request::StartRunRequest
        request::RetryRunRequest leases::RenewLeaseRequest limit::SetSeatLimitRequest
        operators::FindAccountRequest
    };
    assert!(found.is_empty(), "{} of them:\n{}", found.len(), found.join("\n"));
    assert!(admitted.iter().sum::<usize>() > 60, "{admitted:?}");
}
