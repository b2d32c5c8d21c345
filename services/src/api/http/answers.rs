//! How an operation may answer: the document says it, and each answer is compared with it.

use actix_web::HttpRequest;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Response};

use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};

/// What a test looks for in the log of a node.
const NOT_DOCUMENTED: &str = "an answer that the document does not have";

/// What is refused though the schema admits it, and why: a JSON pointer into the body, which may be empty for all of
/// it, the name of a parameter of the query, or that of a header, which begins with a capital letter.
pub type Unfit = (&'static str, &'static str);

/// How the operations of a path may answer, by method. It stands with the resource.
#[derive(Default)]
pub struct Answers(Vec<(Method, Documented)>);

#[derive(Clone, Default)]
pub struct Documented {
    /// Of the answers that are no problem.
    statuses: Vec<u16>,
    refusals: Vec<ProblemKind>,
    unfit: Vec<Unfit>,
}

impl Documented {
    pub fn new(operation: &Operation, refusals: &[ProblemKind]) -> Self {
        let statuses = operation.responses.responses.keys();
        let statuses = statuses.filter_map(|status| status.parse().ok()).collect();
        let mut documented = Self { statuses, ..Self::default() };
        documented.extend(refusals);
        documented
    }

    pub fn extend(&mut self, kinds: &[ProblemKind]) {
        self.refusals.extend(kinds);
        self.refusals.sort_by_key(|kind| (kind.status().as_u16(), kind.slug()));
        self.refusals.dedup();
    }

    pub fn refuse_values(&mut self, unfit: &[Unfit]) {
        self.unfit.extend(unfit);
    }

    /// Puts every refusal into the operation: a response for each status, with the types that it may have, and an
    /// example of each type and of whatever is refused though the schema admits it.
    pub fn describe(&self, operation: &mut Operation) {
        for kinds in self.refusals.chunk_by(|a, b| a.status() == b.status()) {
            let Some(status) = kinds.first().map(|kind| kind.status().as_u16()) else { continue };
            // Readiness has a form of its own.
            if self.statuses.contains(&status) {
                continue;
            }
            if let Ok(response) = serde_json::from_value::<Response>(response(kinds, &self.unfit)) {
                let responses = &mut operation.responses.responses;
                responses.insert(status.to_string(), RefOr::T(response));
            }
        }
    }

    fn has(&self, status: StatusCode, kind: Option<ProblemKind>) -> bool {
        match kind {
            Some(kind) => self.refusals.contains(&kind),
            None => self.statuses.contains(&status.as_u16()),
        }
    }
}

fn address(kind: ProblemKind) -> String {
    format!("/problems/{}", kind.slug())
}

/// What names such a value, and where it is.
fn place(at: &str) -> (ProblemKind, At) {
    if at.is_empty() || at.starts_with('/') {
        (ProblemKind::BadBody, At::Pointer(at.to_owned()))
    } else if at.starts_with(char::is_uppercase) {
        (ProblemKind::BadHeader, At::Header(at.to_owned()))
    } else {
        (ProblemKind::BadQuery, At::Parameter(at.to_owned()))
    }
}

/// An example of a refusal by its name.
fn example(name: String, problem: &Problem) -> (String, Value) {
    let value = serde_json::to_value(problem.view()).unwrap_or_default();
    (name, json!({ "value": value }))
}

/// One example of the kind, and one of each such value that it names.
fn examples(kind: ProblemKind, unfit: &[Unfit]) -> Vec<(String, Value)> {
    let mut all = vec![example(kind.slug().to_owned(), &Problem::of(kind))];
    for (at, why) in unfit {
        let (of, place) = place(at);
        if of == kind {
            let problem = Problem::invalid(kind, vec![FieldError::new(place, *why)]);
            all.push(example(format!("{} {at}", kind.slug()), &problem));
        }
    }
    all
}

/// The response of a status, of which there is at least one kind.
fn response(kinds: &[ProblemKind], unfit: &[Unfit]) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
    let types: Vec<String> = kinds.iter().map(|kind| address(*kind)).collect();
    let examples: Map<String, Value> =
        kinds.iter().flat_map(|kind| examples(*kind, unfit)).collect();
    let narrowed = json!({ "type": "object", "properties": { "type": {
        "type": "string", "enum": types
    } } });
    let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Problem" }, narrowed] });
    let content = json!({ "schema": schema, "examples": examples });
    let waits = [429, 503].contains(&kinds.first().map_or(0, |kind| kind.status().as_u16()));
    let header = json!({ "Retry-After": { "schema": { "type": "integer" } } });
    json!({
        "description": titles.join("; "),
        "content": { "application/problem+json": content },
        "headers": if waits { header } else { json!({}) },
    })
}

impl Answers {
    pub fn add(&mut self, method: Method, documented: Documented) {
        self.0.push((method, documented));
    }

    pub fn get_mut(&mut self, method: &Method) -> Option<&mut Documented> {
        self.0.iter_mut().find(|(of, _)| of == method).map(|(_, documented)| documented)
    }

    /// Logs an answer that the document does not have: clients do not expect it.
    pub fn compare(request: &HttpRequest, answer: &ServiceResponse<BoxBody>) {
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let all = request.app_data::<Self>().into_iter().flat_map(|answers| &answers.0);
        let Some((_, documented)) = all.into_iter().find(|(of, _)| of == method) else { return };
        let error = answer.response().error();
        let kind = error.and_then(|error| error.as_error::<Problem>()).map(Problem::kind);
        let status = answer.status();
        if !documented.has(status, kind) {
            let route = request.match_pattern().unwrap_or_default();
            let (status, kind) = (status.as_u16(), kind.map(ProblemKind::slug));
            tracing::error!(%method, route, status, kind, "{NOT_DOCUMENTED}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_documented_by_its_type_and_an_answer_by_its_status() {
        let mut operation = Operation::new();
        let response = RefOr::T(Response::new("Made"));
        operation.responses.responses.insert("201".to_owned(), response);
        let mut documented = Documented::new(&operation, &[ProblemKind::SeatHeld]);
        documented.extend(&[ProblemKind::SeatNeeded, ProblemKind::SeatHeld]);
        documented.describe(&mut operation);

        let document = serde_json::to_value(&operation).unwrap();
        let types =
            "/responses/409/content/application~1problem+json/schema/allOf/1/properties/type/enum";
        let wanted = json!(["/problems/seat-held", "/problems/seat-needed"]);
        assert_eq!(document.pointer(types), Some(&wanted), "{document}");
        assert!(documented.has(StatusCode::CREATED, None));
        assert!(!documented.has(StatusCode::OK, None));
        assert!(documented.has(StatusCode::CONFLICT, Some(ProblemKind::SeatNeeded)));
        assert!(!documented.has(StatusCode::CONFLICT, Some(ProblemKind::Refused)));
        assert!(!documented.has(StatusCode::CONFLICT, None));
    }

    #[test]
    fn a_value_that_the_schema_admits_and_that_is_refused_is_documented_by_an_example() {
        let kinds = [ProblemKind::BadBody, ProblemKind::BadHeader, ProblemKind::BadQuery];
        let mut documented = Documented::new(&Operation::new(), &kinds);
        documented.refuse_values(&[
            ("/expires_at", "it is over"),
            ("to", "it is not later"),
            ("Range", "it is none"),
        ]);
        let mut operation = Operation::new();
        documented.describe(&mut operation);

        let document = serde_json::to_value(&operation).unwrap();
        let example = |status: u16, name: &str| {
            let all = format!("/responses/{status}/content/application~1problem+json/examples");
            document.pointer(&all).unwrap()[name]["value"].clone()
        };
        let errors = json!([{ "pointer": "/expires_at", "detail": "it is over" }]);
        assert_eq!(example(422, "bad-body /expires_at")["errors"], errors, "{document}");
        let errors = json!([{ "parameter": "to", "detail": "it is not later" }]);
        assert_eq!(example(400, "bad-query to")["errors"], errors, "{document}");
        let errors = json!([{ "header": "Range", "detail": "it is none" }]);
        assert_eq!(example(400, "bad-header Range")["errors"], errors, "{document}");
        assert_eq!(example(400, "bad-query")["type"], "/problems/bad-query");
        assert_eq!(example(400, "bad-query /expires_at"), Value::Null);
    }
}
