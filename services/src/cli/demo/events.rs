//! Server-sent events, one after the other.

use std::time::Duration;

use crate::cli::CliError;

pub struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    pub const fn of(response: reqwest::Response) -> Self {
        Self { response, read: String::new() }
    }

    /// The name and the data of the next one; none at the end of the stream.
    pub async fn next(&mut self, within: Duration) -> Result<Option<(String, String)>, CliError> {
        let found = async {
            loop {
                while let Some((block, rest)) = self.read.split_once("\n\n") {
                    let (event, rest) = (parse(block), rest.to_owned());
                    self.read = rest;
                    if event.is_some() {
                        return Ok(event);
                    }
                }
                match self.response.chunk().await.map_err(CliError::failed)? {
                    Some(bytes) => self.read.push_str(&String::from_utf8_lossy(&bytes)),
                    None => return Ok(None),
                }
            }
        };
        let found = tokio::time::timeout(within, found).await;
        found.map_err(|_| CliError::Failed("nothing more is told".to_owned()))?
    }
}

/// None for a comment.
fn parse(block: &str) -> Option<(String, String)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    Some((field("event: ")?.to_owned(), field("data: ")?.to_owned()))
}
