//! The document of the API (`OpenAPI` 3.1), made from the handlers, and the page that shows it.

use std::collections::BTreeSet;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa::openapi::content::Content;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::api::auth::signed_in::COOKIE;
use crate::api::http::problem::ProblemView;
use crate::api::http::uniform::completed;

const ADDRESS: &str = "/v1/openapi.json";
const PROBLEM: &str = "Problem";

/// What does not stand with a handler.
pub fn document() -> OpenApi {
    let info =
        InfoBuilder::new().title("Lethe").version(env!("CARGO_PKG_VERSION")).description(Some(
            "Remembers every action and can forget any person. Refusals are problem+json \
             (RFC 9457); their types are listed at /problems. What is refused though a schema admits it has an \
             example of its own in the response; besides, a text has no more bytes in UTF-8 than `maxLength` says \
             characters. A write whose thing cannot be read behind it \
             is answered without a body: `Location` and `ETag` say what is known.",
        ));
    let mut components = Components::new();
    let session = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A session's token (ls_...). Browsers show their cookie instead."));
    let operator = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An operator's token (lo_...), made by `lethe token create`. With the scope `admin` it may do all that \
             `audit` lets it, too.",
        ));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of one workspace (lw_...), with scopes of its own."));
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
    components.add_security_scheme("session", SecurityScheme::Http(session.build()));
    components.add_security_scheme("cookie", cookie);
    components.add_security_scheme("operator", SecurityScheme::Http(operator.build()));
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    let mut schemas = vec![(PROBLEM.to_owned(), ProblemView::schema())];
    ProblemView::schemas(&mut schemas);
    components.schemas.extend(schemas);
    OpenApiBuilder::new().info(info.build()).components(Some(components)).build()
}

/// A field that a body does not have is refused: its schema says so. These are the references to such schemas.
fn close_bodies(document: &mut OpenApi) -> BTreeSet<String> {
    // A step stands within the body of a deployment.
    let mut bodies = BTreeSet::from([Ref::from_schema_name("DeploymentStep").ref_location]);
    for item in document.paths.paths.values() {
        for operation in [&item.post, &item.put, &item.patch, &item.delete].into_iter().flatten() {
            let Some(RefOr::T(body)) = &operation.request_body else { continue };
            bodies.extend(body.content.values().filter_map(schema_of));
        }
    }
    let components = document.components.get_or_insert_default();
    for (name, schema) in &mut components.schemas {
        if bodies.contains(&Ref::from_schema_name(name).ref_location)
            && let RefOr::T(Schema::Object(object)) = schema
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
    bodies
}

/// Where the schema of a content stands.
fn schema_of(content: &RefOr<Content>) -> Option<String> {
    let RefOr::T(content) = content else { return None };
    match &content.schema {
        Some(RefOr::Ref(schema)) => Some(schema.ref_location.clone()),
        Some(RefOr::T(_)) | None => None,
    }
}

/// Serves the document, and at /docs a page for it that loads nothing from elsewhere.
pub fn serve(mut document: OpenApi, config: &mut web::ServiceConfig) {
    let bodies = close_bodies(&mut document);
    let shown = completed(&document, &bodies);
    let json = web::Bytes::from(serde_json::to_vec(&shown).unwrap_or_default());
    let answer = move || {
        let json = json.clone();
        async move { HttpResponse::Ok().content_type("application/json").body(json) }
    };
    let to_page = || async {
        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
    };
    let page = Config::from(ADDRESS).validator_url("none");
    config
        .route(ADDRESS, web::get().to(answer))
        .route("/docs", web::get().to(to_page))
        .service(SwaggerUi::new("/docs/{_:.*}").config(page));
}

#[cfg(test)]
pub(super) mod tests {
    use actix_web::test::{TestRequest, call_and_read_body_json, init_service};
    use actix_web::{App, rt};
    use serde_json::Value;

    use super::*;

    pub(in crate::api::http) fn shown() -> Value {
        rt::System::new().block_on(async {
            let app = init_service(App::new().configure(crate::api::configure)).await;
            let request = TestRequest::get().uri(ADDRESS).to_request();
            call_and_read_body_json(&app, request).await
        })
    }

    fn references(within: &Value, found: &mut BTreeSet<String>) {
        match within {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = shown();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_how_it_is_refused() {
        let document = shown();
        let mut names = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                let unforeseen =
                    &operation["responses"]["500"]["content"]["application/problem+json"];
                assert!(unforeseen.is_object(), "{name}");
                assert!(names.insert(name.clone()), "{name} twice");
            }
        }
        assert!(names.contains("delete_me_sessions_session_id"), "{names:?}");
    }

    #[test]
    fn every_refusal_is_documented_as_problem_json() {
        let document = shown();
        let mut refusals = 0;
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    // Readiness says what is not ready in a form of its own.
                    let own = operation["operationId"] == "get_readyz";
                    if own || !(status.starts_with('4') || status.starts_with('5')) {
                        continue;
                    }
                    let content: Vec<_> = response["content"].as_object().unwrap().keys().collect();
                    let problem = ["application/problem+json"];
                    assert_eq!(content, problem, "{} {status}", operation["operationId"]);
                    refusals += 1;
                }
            }
        }
        assert!(refusals > 20, "{refusals}");
    }

    /// The errors of the examples of an operation's refusals.
    fn errors(operation: &Value) -> impl Iterator<Item = &Value> {
        let responses = operation["responses"].as_object().unwrap().values();
        let problems = responses.map(|it| &it["content"]["application/problem+json"]["examples"]);
        let examples = problems.filter_map(Value::as_object).flat_map(|all| all.values());
        examples.filter_map(|example| example["value"]["errors"].as_array()).flatten()
    }

    #[test]
    fn what_is_refused_besides_is_a_field_a_parameter_or_a_header_that_there_is() {
        let document = shown();
        let items = document["paths"].as_object().unwrap().values();
        let mut found = 0;
        for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let body = body.as_str().and_then(|at| document.pointer(at.trim_start_matches('#')));
            let parameters = operation["parameters"].as_array();
            let is_there = |kind: &str, name: &str| {
                let mut all = parameters.into_iter().flatten();
                all.any(|it| it["in"] == kind && it["name"] == name)
            };
            for error in errors(operation) {
                let fits = if let Some(at) = error["pointer"].as_str() {
                    let name = at.trim_start_matches('/');
                    let has = |body: &Value| name.is_empty() || !body["properties"][name].is_null();
                    body.is_some_and(has)
                } else if let Some(name) = error["parameter"].as_str() {
                    is_there("query", name)
                } else {
                    is_there("header", error["header"].as_str().unwrap())
                };
                assert!(fits, "{}: {error}", operation["operationId"]);
                found += 1;
            }
        }
        assert!(found > 30, "{found}");
    }

    /// Proxies and clients drop it, or refuse to send it.
    #[test]
    fn no_delete_takes_a_body() {
        let document = shown();
        let paths = document["paths"].as_object().unwrap();
        let deletes = paths.iter().filter(|(_, item)| item["delete"].is_object());
        let (with_a_body, others): (Vec<_>, Vec<_>) =
            deletes.partition(|(_, item)| item["delete"]["requestBody"].is_object());
        assert!(others.len() >= 10, "{others:?}");
        assert!(with_a_body.is_empty(), "{with_a_body:?}");
    }

    #[test]
    fn no_body_has_fields_that_its_schema_does_not_name() {
        let document = shown();
        let mut bodies = 0;
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let content = &operation["requestBody"]["content"]["application/json"];
                let Some(schema) = content["schema"]["$ref"].as_str() else { continue };
                let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
                assert!(schema["example"].is_object(), "{}: an example", operation["operationId"]);
                assert_eq!(schema["additionalProperties"], false, "{}", operation["operationId"]);
                bodies += 1;
            }
        }
        assert!(bodies > 20, "{bodies}");
    }
}
