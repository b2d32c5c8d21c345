//! A browser that runs no script: a small one of our own, or Chromium where `LETHE_BROWSER` is set.

mod chromium;
mod markup;
mod plain;

use chromium::Chromium;
pub use plain::PlainBrowser;

/// What somebody does with a browser, whichever it is.
pub enum Browser {
    Plain(Box<PlainBrowser>),
    Chromium(Box<Chromium>),
}

impl Browser {
    /// A fresh one, without any cookie.
    pub async fn new() -> Self {
        if std::env::var_os("LETHE_BROWSER").is_none() {
            return Self::Plain(Box::default());
        }
        Self::Chromium(Box::new(Chromium::start().await))
    }

    pub async fn open(&mut self, url: &str) {
        match self {
            Self::Plain(browser) => browser.open(url).await,
            Self::Chromium(browser) => browser.open(url).await,
        }
    }

    /// Types into the field of this name, in place of what it has.
    pub async fn fill(&mut self, name: &str, value: &str) {
        match self {
            Self::Plain(browser) => browser.fill(name, value),
            Self::Chromium(browser) => browser.fill(name, value).await,
        }
    }

    /// Presses the button that says this.
    pub async fn press(&mut self, button: &str) {
        match self {
            Self::Plain(browser) => browser.press(button).await,
            Self::Chromium(browser) => browser.press(button).await,
        }
    }

    /// Follows the link that says this.
    pub async fn follow(&mut self, link: &str) {
        match self {
            Self::Plain(browser) => browser.follow(link).await,
            Self::Chromium(browser) => browser.follow(link).await,
        }
    }

    /// The text of the first element with this name of a tag.
    pub async fn text_of(&self, tag: &str) -> String {
        match self {
            Self::Plain(browser) => browser.text_of(tag),
            Self::Chromium(browser) => browser.text_of(tag).await,
        }
    }

    /// What the field of this name has.
    pub async fn value(&self, name: &str) -> String {
        match self {
            Self::Plain(browser) => browser.value(name),
            Self::Chromium(browser) => browser.value(name).await,
        }
    }

    /// The names of all cookies, sorted.
    pub async fn cookies(&self) -> Vec<String> {
        match self {
            Self::Plain(browser) => browser.cookies(),
            Self::Chromium(browser) => browser.cookies().await,
        }
    }

    /// Fails the test unless the heading is this. Chromium's page is drawn into a file of this name then, for
    /// people to look at.
    #[track_caller]
    pub fn shows(&self, heading: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            if let Self::Chromium(browser) = self {
                browser.draw(heading).await;
            }
            let (found, text) = (self.text_of("h1").await, self.text_of("main").await);
            assert_eq!(found, heading, "at {place}:\n{text}");
        }
    }
}
