//! The API as a person's programme uses it.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::Value;

use super::events::Events;
use crate::cli::CliError;

/// One caller: from where, with what, and as whom.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    address: String,
    agent: String,
    token: Option<String>,
}

pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Value,
}

impl Api {
    pub fn new(base: &str, address: &str, agent: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.trim_end_matches('/').to_owned(),
            address: address.to_owned(),
            agent: agent.to_owned(),
            token: None,
        }
    }

    pub fn at(&self, base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.call(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Answer, CliError> {
        self.call(Method::POST, path, Some(body), None).await
    }

    /// A POST that changes something as it was read.
    pub async fn post_on(&self, path: &str, body: Value, etag: &str) -> Result<Answer, CliError> {
        self.call(Method::POST, path, Some(body), Some(etag)).await
    }

    /// An answer that has a value on each line.
    pub async fn lines(&self, path: &str) -> Result<Vec<Value>, CliError> {
        let response = self.request(Method::GET, path).send().await.map_err(CliError::failed)?;
        let text = response.text().await.map_err(CliError::failed)?;
        text.lines().map(|line| serde_json::from_str(line).map_err(CliError::failed)).collect()
    }

    /// What a server-sent stream tells from its beginning on.
    pub async fn events(&self, path: &str) -> Result<Events, CliError> {
        let request = self.request(Method::GET, path).header("Accept", "text/event-stream");
        Ok(Events::of(request.send().await.map_err(CliError::failed)?))
    }

    pub async fn put(&self, path: &str, body: Value, etag: &str) -> Result<Answer, CliError> {
        self.call(Method::PUT, path, Some(body), Some(etag)).await
    }

    pub async fn delete(&self, path: &str, etag: Option<&str>) -> Result<Answer, CliError> {
        self.call(Method::DELETE, path, None, etag).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        etag: Option<&str>,
    ) -> Result<Answer, CliError> {
        let mut request = self.request(method.clone(), path);
        if method == Method::POST {
            let key = Ids::system().uuid().to_string();
            request = request.header("Idempotency-Key", key);
        }
        if let Some(etag) = etag {
            request = request.header("If-Match", etag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("User-Agent", &self.agent);
        let request = request.header("X-Forwarded-For", &self.address);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Answer {
    /// The answer, when it has this status.
    pub fn expect(self, status: u16, what: &str) -> Result<Self, CliError> {
        if self.status == status {
            return Ok(self);
        }
        let told = format!("{what}: status {}, {}", self.status, self.body);
        Err(CliError::Failed(told))
    }

    pub fn text(&self, pointer: &str) -> String {
        match self.body.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        }
    }

    pub fn etag(&self) -> &str {
        self.etag.as_deref().unwrap_or_default()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, CliError> {
    let response = request.send().await.map_err(CliError::failed)?;
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let etag = header("etag");
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(CliError::failed)?;
    Ok(Answer { status, etag, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}
