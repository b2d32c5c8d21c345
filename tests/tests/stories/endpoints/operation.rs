//! The operations of the document.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::Value;
use tests::Client;

const WORKSPACE: &str = "/v1/workspaces/{workspace_id}";

pub struct Operation {
    pub method: Method,
    pub path: String,
    /// What the document says of it.
    pub spec: Value,
}

impl Operation {
    /// Method and path, such as `GET /v1/me`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn is_below_a_workspace(&self) -> bool {
        self.path.starts_with(WORKSPACE)
    }

    pub fn needs_header(&self, name: &str) -> bool {
        let parameters = self.spec["parameters"].as_array();
        let needed =
            |it: &&Value| it["name"] == name && it["in"] == "header" && it["required"] == true;
        parameters.into_iter().flatten().any(|it| needed(&it))
    }

    pub fn has_query(&self) -> bool {
        let parameters = self.spec["parameters"].as_array();
        parameters.into_iter().flatten().any(|it| it["in"] == "query")
    }

    /// The path with each name replaced by what `id` says.
    pub fn filled(&self, id: impl Fn(&str) -> String) -> String {
        filled(&self.path, id)
    }
}

/// The names of a path.
pub fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

pub fn filled(path: &str, id: impl Fn(&str) -> String) -> String {
    names(path).fold(path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), &id(name)))
}

pub async fn document(client: &Client) -> Value {
    client.get("/v1/openapi.json").await.expect(200).json()
}

/// All of the document, in its order.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, spec) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            found.push(Operation { method, path: path.clone(), spec: spec.clone() });
        }
    }
    assert!(found.len() >= 70, "{} operations", found.len());
    found
}

/// The operations below a workspace.
pub async fn operations_of_workspaces(client: &Client) -> Vec<Operation> {
    let mut found = operations(&document(client).await);
    found.retain(Operation::is_below_a_workspace);
    assert!(found.len() >= 40, "{} operations", found.len());
    found
}

/// An id, or an idempotency key, that nobody has used.
pub fn fresh() -> String {
    Ids::system().uuid().to_string()
}
