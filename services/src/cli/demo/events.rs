//! Server-sent events, one after the other.

use std::time::Duration;

use crate::cli::CliError;

pub struct Events {
    response: reqwest::Response,
    read: Vec<u8>,
}

impl Events {
    pub const fn of(response: reqwest::Response) -> Self {
        Self { response, read: Vec::new() }
    }

    /// The name and the data of the next one; none at the end of the stream.
    pub async fn next(&mut self, within: Duration) -> Result<Option<(String, String)>, CliError> {
        let found = async {
            loop {
                while let Some(at) = self.read.windows(2).position(|two| two == b"\n\n") {
                    let block: Vec<u8> = self.read.drain(..at + 2).collect();
                    let event = parse(&String::from_utf8_lossy(&block));
                    if event.is_some() {
                        return Ok(event);
                    }
                }
                match self.response.chunk().await.map_err(CliError::failed)? {
                    Some(bytes) => self.read.extend(bytes),
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
