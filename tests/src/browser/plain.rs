//! Requests, cookies and forms as a browser has them, without a browser.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};

use super::markup::{SentForm, forms, tags, text_of};

pub struct PlainBrowser {
    http: reqwest::Client,
    at: Option<Url>,
    status: StatusCode,
    headers: HeaderMap,
    markup: String,
    typed: BTreeMap<String, String>,
    cookies: BTreeMap<String, String>,
    /// Each `Set-Cookie` so far.
    pub set: Vec<String>,
}

impl Default for PlainBrowser {
    fn default() -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(crate::LIMIT);
        Self {
            http: http.build().unwrap(),
            at: None,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            markup: String::new(),
            typed: BTreeMap::new(),
            cookies: BTreeMap::new(),
            set: Vec::new(),
        }
    }
}

impl PlainBrowser {
    /// A fresh one, without any cookie.
    pub fn new() -> Self {
        Self::default()
    }

    pub async fn open(&mut self, url: &str) {
        let url = Url::parse(url).unwrap();
        self.go(Method::GET, url, None).await;
    }

    pub fn fill(&mut self, name: &str, value: &str) {
        let all = forms(&self.markup);
        let fields = all.iter().flat_map(|form| &form.fields);
        assert!(fields.clone().any(|(of, _)| of == name), "no field {name}: {}", self.markup);
        self.typed.insert(name.to_owned(), value.to_owned());
    }

    pub async fn press(&mut self, button: &str) {
        let (form, body) = self.form(button);
        let url = self.url(&form.action);
        if form.method == "get" {
            let mut url = url;
            url.set_query(Some(&body));
            self.go(Method::GET, url, None).await;
        } else {
            self.go(Method::POST, url, Some(body)).await;
        }
    }

    /// Sends what [`Self::form`] gave once: again, or after another page, as from another tab.
    pub async fn submit(&mut self, url: &str, body: &str) {
        self.go(Method::POST, Url::parse(url).unwrap(), Some(body.to_owned())).await;
    }

    /// The form with this button, and what it would send.
    #[track_caller]
    pub fn form(&self, button: &str) -> (SentForm, String) {
        let has = |form: &SentForm| form.buttons.iter().position(|(text, _)| text == button);
        let found = forms(&self.markup).into_iter().find_map(|form| Some((has(&form)?, form)));
        let (at, form) = found.unwrap_or_else(|| panic!("no button {button}: {}", self.markup));
        let values = form
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), self.typed.get(name).unwrap_or(value).clone()));
        let all: Vec<_> = values.chain(form.buttons[at].1.clone()).collect();
        let mut url = Url::parse("http://form").unwrap();
        url.query_pairs_mut().extend_pairs(all);
        let body = url.query().unwrap_or_default().to_owned();
        (form, body)
    }

    pub async fn follow(&mut self, link: &str) {
        let all = tags(&self.markup);
        let tag = all.iter().find(|tag| tag.name == "a" && tag.text == link);
        let tag = tag.unwrap_or_else(|| panic!("no link {link}: {}", self.markup));
        let url = self.url(tag.attribute("href"));
        self.go(Method::GET, url, None).await;
    }

    pub fn text_of(&self, tag: &str) -> String {
        text_of(&self.markup, tag)
    }

    pub fn value(&self, name: &str) -> String {
        let all = forms(&self.markup);
        let mut fields = all.iter().flat_map(|form| &form.fields);
        fields.find(|(of, _)| of == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// What it sends with each request.
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        cookies.collect::<Vec<_>>().join("; ")
    }

    pub fn cookies(&self) -> Vec<String> {
        self.cookies.keys().cloned().collect()
    }

    /// Of the page that it shows.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn markup(&self) -> &str {
        &self.markup
    }

    pub const fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Where it is.
    pub fn at(&self) -> &str {
        self.at.as_ref().map_or("", Url::as_str)
    }

    fn url(&self, reference: &str) -> Url {
        self.at.as_ref().unwrap().join(reference).unwrap()
    }

    async fn go(&mut self, method: Method, url: Url, form: Option<String>) {
        let mut response = self.send(method, url.clone(), form).await;
        self.at = Some(url);
        while response.status().is_redirection() {
            let url = self.url(response.headers()[LOCATION].to_str().unwrap());
            response = self.send(Method::GET, url.clone(), None).await;
            self.at = Some(url);
        }
        self.typed.clear();
        (self.status, self.headers) = (response.status(), response.headers().clone());
        self.markup = response.text().await.unwrap();
    }

    /// One request, with all cookies. A page without a referrer sends its forms from the origin `null`.
    pub async fn send(&mut self, method: Method, url: Url, form: Option<String>) -> Response {
        let mut request = self.http.request(method, url).header(COOKIE, self.cookie_header());
        if let Some(form) = form {
            request = request.header(ORIGIN, "null").header("Sec-Fetch-Site", "same-origin");
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            self.set.push(set.to_owned());
        }
        response
    }
}
