//! What the document says of a body is what the server reads: whatever a schema admits fits.

use actix_web::ResponseError;
use futures_util::FutureExt;
use regex::Regex;
use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::fields::{Fields, FromFields};
use crate::api::accounts::{consents, email, erasure, link, me, password, register};
use crate::api::auth::sign_in;
use crate::api::runs::request;
use crate::api::seats::{leases, limit};
use crate::api::servers::{deployments, keys, server};
use crate::api::workspaces::{api_tokens, invitations, members, workspace};

/// A password is refused for being well known, and a scope for being no right in `/v1/roles`.
const NOT_IN_SCHEMA: [&str; 4] = [
    "RegisterRequest.password",
    "ChangePasswordRequest.new",
    "ResetPasswordRequest.password",
    "IssueTokenRequest.scopes",
];

/// Values at the edges: empty, blank, too long, too large, of another type.
fn probes(schema: &Value) -> Vec<Value> {
    let max = schema["maxLength"].as_u64().unwrap_or(40_000);
    let long = |length: u64| Value::from("a".repeat(usize::try_from(length).unwrap()));
    let mut probes =
        vec![long(max), long(max + 1), long(schema["minLength"].as_u64().unwrap_or(0))];
    let texts = ["", " ", "\0", "a", "a b", "-a", "a.", ".", "@", "a@b", "a@b.c", "SHA256:", "ä"];
    probes.extend(texts.map(Value::from));
    probes.extend([-1, 0, 1, 366, 65_536, i64::from(u32::MAX) + 1, i64::MAX].map(Value::from));
    probes.extend([json!(u64::MAX), json!(true), json!([]), json!([""]), json!({})]);
    probes
}

/// As much of JSON Schema as the bodies use; what it does not know it does not admit.
fn admits(schema: &Value, pattern: Option<&Regex>, value: &Value) -> bool {
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
                && pattern.is_none_or(|pattern| pattern.is_match(text))
                && !matches!(format, Some("uuid" | "date-time"))
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
                && items.iter().all(|item| admits(&schema["items"], None, item))
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
    let mut admitted = 0;
    for (name, schema) in schema["properties"].as_object().unwrap() {
        let field = format!("{body}.{name}");
        if NOT_IN_SCHEMA.contains(&field.as_str()) {
            continue;
        }
        let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
        let admits = |value: &Value| admits(schema, pattern.as_ref(), value);
        for value in probes(schema).into_iter().filter(admits) {
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
        sign_in::SignInRequest workspace::WorkspaceRequest members::ChangeRoleRequest
        invitations::InviteRequest api_tokens::IssueTokenRequest server::RegisterServerRequest
        server::ServerAddressRequest server::RenameServerRequest keys::ApproveHostKeyRequest
        keys::AttachCredentialRequest deployments::DeploymentRequest request::StartRunRequest
        request::RetryRunRequest leases::RenewLeaseRequest limit::SetSeatLimitRequest
    };
    assert!(found.is_empty(), "{} of them:\n{}", found.len(), found.join("\n"));
    assert!(admitted.iter().sum::<usize>() > 60, "{admitted:?}");
}
