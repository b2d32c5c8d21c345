//! Chromium without a screen and without scripts, driven by `WebDriver` (W3C).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programme::tools;
use crate::until;

/// The name of an element's reference (`WebDriver`, 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Chromium {
    driver: Child,
    http: reqwest::Client,
    session: String,
    pictures: PathBuf,
    _profile: TempDir,
}

impl Chromium {
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let log = profile.path().join("driver.log");
        let out = std::fs::File::create(&log).unwrap();
        let (mut driver, browser) = (Command::new(found("chromedriver")), found("chromium"));
        driver.arg("--port=0").stdout(out).stderr(Stdio::null());
        if let Some(libraries) = libraries() {
            driver.env("LD_LIBRARY_PATH", libraries);
        }
        let driver = driver.spawn().unwrap();
        let port = until("the driver listens", async || {
            let said = std::fs::read_to_string(&log).unwrap();
            let port = said.split("successfully on port ").nth(1)?.split('.').next()?.to_owned();
            Some(port)
        })
        .await;
        let dark = std::env::var("LETHE_BROWSER").is_ok_and(|look| look == "dark");
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-gpu"];
        arguments.extend(dark.then_some("--force-dark-mode"));
        let phone = json!({ "width": 390, "height": 844, "pixelRatio": 2 });
        let options = json!({
            "binary": browser,
            "args": arguments,
            "mobileEmulation": { "deviceMetrics": phone },
            "prefs": { "profile.managed_default_content_settings.javascript": 2 },
        });
        // How long an element is waited for that is not there yet, in milliseconds.
        let timeouts = json!({ "implicit": 5000 });
        let wants =
            json!({ "alwaysMatch": { "goog:chromeOptions": options, "timeouts": timeouts } });
        let pictures = std::env::temp_dir().join("lethe-pages");
        std::fs::create_dir_all(&pictures).unwrap();
        let (http, session) = (reqwest::Client::new(), format!("http://127.0.0.1:{port}/session"));
        let mut chromium = Self { driver, http, session, pictures, _profile: profile };
        let made = chromium.call(Method::POST, "", json!({ "capabilities": wants })).await;
        chromium.session = format!("{}/{}", chromium.session, made["sessionId"].as_str().unwrap());
        chromium.runs_no_script().await;
        chromium
    }

    /// Else the proof would be none.
    async fn runs_no_script(&self) {
        let page =
            "data:text/html,<h1>off</h1><script>document.body.innerHTML='<h1>on</h1>'</script>";
        self.open(page).await;
        assert_eq!(self.text_of("h1").await, "off");
    }

    pub async fn open(&self, url: &str) {
        self.call(Method::POST, "/url", json!({ "url": url })).await;
    }

    pub async fn fill(&self, name: &str, value: &str) {
        let field = self.element(&format!("//input[@name='{name}']")).await;
        self.call(Method::POST, &format!("{field}/clear"), json!({})).await;
        self.call(Method::POST, &format!("{field}/value"), json!({ "text": value })).await;
    }

    pub async fn press(&self, button: &str) {
        self.click(&format!("//button[normalize-space()=\"{button}\"]")).await;
    }

    pub async fn follow(&self, link: &str) {
        self.click(&format!("//a[normalize-space()=\"{link}\"]")).await;
    }

    async fn click(&self, path: &str) {
        let (before, element) = (self.element("/html").await, self.element(path).await);
        self.call(Method::POST, &format!("{element}/click"), json!({})).await;
        until("the next page is there", async || {
            let found = self.find("/html").await.map_err(|error| error.to_string())?;
            if found == before { Err("it is the same".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    pub async fn text_of(&self, tag: &str) -> String {
        let element = self.element(&format!("//{tag}")).await;
        let text = self.call(Method::GET, &format!("{element}/text"), Value::Null).await;
        text.as_str().unwrap().to_owned()
    }

    pub async fn value(&self, name: &str) -> String {
        let field = self.element(&format!("//input[@name='{name}']")).await;
        let value = self.call(Method::GET, &format!("{field}/property/value"), Value::Null).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    pub async fn cookies(&self) -> Vec<String> {
        let all = self.call(Method::GET, "/cookie", Value::Null).await;
        let names =
            all.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// The page as a picture.
    pub async fn draw(&self, name: &str) {
        use base64::Engine;
        let picture = self.call(Method::GET, "/screenshot", Value::Null).await;
        let picture = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap());
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        let path = self.pictures.join(format!("{}.png", name.replace(' ', "-").to_lowercase()));
        std::fs::write(path, picture.unwrap()).unwrap();
    }

    async fn element(&self, path: &str) -> String {
        self.find(path).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// By its path in the document (`XPath`).
    async fn find(&self, path: &str) -> Result<String, Value> {
        let by = json!({ "using": "xpath", "value": path });
        let found = self.try_call(Method::POST, "/element", by).await?;
        Ok(format!("/element/{}", found[ELEMENT].as_str().unwrap()))
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let value = self.try_call(method, path, body).await;
        value.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn try_call(&self, method: Method, path: &str, body: Value) -> Result<Value, Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].clone();
        if value["error"].is_null() { Ok(value) } else { Err(value) }
    }
}

/// The driver ends its browser with itself.
impl Drop for Chromium {
    fn drop(&mut self) {
        let end = format!("kill -TERM {}", self.driver.id());
        let _ = Command::new("sh").args(["-c", &end]).status();
        let _ = self.driver.wait();
    }
}

/// The system's, or what `.ci/tools chromium` has got.
fn found(name: &str) -> PathBuf {
    // The one in `usr/bin` of Debian's package starts the one in `usr/lib` of the system.
    let own =
        ["usr/lib/chromium", "usr/bin"].map(|at| tools().join("chromium").join(at).join(name));
    let system = Path::new("/usr/bin").join(name);
    let found = [system].into_iter().chain(own).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name}: run .ci/tools chromium"))
}

/// Of what was unpacked, where it was.
fn libraries() -> Option<String> {
    let folders = ["usr/lib", "lib"].map(|at| tools().join("chromium").join(at));
    let folders = folders.map(|folder| folder.join("x86_64-linux-gnu"));
    folders[0].exists().then(|| folders.map(|folder| folder.display().to_string()).join(":"))
}
