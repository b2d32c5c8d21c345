//! A small client of the API: a path, a body, an answer.

use std::time::{Duration, Instant};

use infra::ids::Ids;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{LIMIT, until};

#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        Self { http, base: base.to_owned(), token: None, headers: Vec::new() }
    }

    /// The same client, for the server at another address.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same client, with a session's or an operator's token.
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same client, which sends this header each time.
    pub fn saying(&self, name: &str, value: &str) -> Self {
        let mut saying = self.clone();
        saying.headers.push((name.to_owned(), value.to_owned()));
        saying
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    /// What is shown once the read side has come to a position that this caller was given.
    pub async fn get_at(&self, path: &str, position: &str) -> Answer {
        self.saying("Lethe-Min-Position", position).get_read(path).await
    }

    /// What is shown of a list that is answered once its reader has come to the end of the log, or to a position:
    /// on a machine that is busy it takes longer than a request waits.
    pub async fn get_read(&self, path: &str) -> Answer {
        until("the read side has come so far", async || {
            let answer = self.get(path).await;
            if answer.status == 503 { Err(answer.text()) } else { Ok(answer) }
        })
        .await
    }

    pub async fn post(&self, path: &str, body: impl Serialize) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    /// With an `Idempotency-Key` of its own.
    pub async fn post_once(&self, path: &str, body: impl Serialize) -> Answer {
        let key = Ids::system().uuid().to_string();
        let call = self.call(Method::POST, path).header("Idempotency-Key", &key);
        call.json(body).send().await
    }

    /// Asks to be forgotten. While it is not known yet whether others depend on the account, the answer
    /// is 503, and nothing is entered.
    pub async fn ask_for_erasure(&self, body: impl Serialize) -> Answer {
        until("it is known whether others depend on the account", async || {
            let answer = self.post("/v1/me/erasure", &body).await;
            if answer.status == 503 { Err(answer.text()) } else { Ok(answer) }
        })
        .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    pub async fn put(&self, path: &str, etag: &str, body: impl Serialize) -> Answer {
        self.call(Method::PUT, path).header("If-Match", etag).json(body).send().await
    }

    pub async fn patch(&self, path: &str, etag: &str, body: impl Serialize) -> Answer {
        self.call(Method::PATCH, path).header("If-Match", etag).json(body).send().await
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Call(request)
    }
}

/// One request under way.
pub struct Call(reqwest::RequestBuilder);

impl Call {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn json(self, body: impl Serialize) -> Self {
        Self(self.0.json(&body))
    }

    pub fn bytes(self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.header("Content-Type", kind).body(body.into()))
    }

    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    pub(crate) fn into_request(self) -> reqwest::Request {
        self.0.build().unwrap()
    }

    /// Reads the answer's head only.
    pub async fn begin(self) -> reqwest::Response {
        self.0.send().await.unwrap()
    }

    /// For tests in which the server may die meanwhile.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Fails the test, showing the body, unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A string of the body, by JSON pointer.
    #[track_caller]
    pub fn field(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("no {pointer} in {}", self.text()),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag").expect("an ETag").to_owned()
    }

    /// `Lethe-Position`: where in the log the write stands; a number for operators, a token for others.
    #[track_caller]
    pub fn position(&self) -> String {
        self.header("lethe-position").expect("a position").to_owned()
    }

    /// `X-Request-Id`, which stands on the events of the request.
    #[track_caller]
    pub fn request(&self) -> Uuid {
        self.header("x-request-id").expect("a request's id").parse().unwrap()
    }
}

/// Sent again as long as the answer has one of these statuses, each time after as long as it says: a machine may be
/// too busy for a try (503).
pub async fn answered(again: &[u16], send: impl AsyncFn() -> Answer) -> Answer {
    let answered = async {
        loop {
            let answer = send().await;
            if !again.contains(&answer.status) {
                return answer;
            }
            let seconds = answer.header("retry-after").map_or(1, |it| it.parse().unwrap());
            let due = Instant::now() + Duration::from_secs(seconds);
            tokio::time::sleep_until(due.into()).await;
        }
    };
    let answered = tokio::time::timeout(LIMIT, answered).await;
    answered.unwrap_or_else(|_| panic!("answered with one of {again:?} for {LIMIT:?}"))
}
