//! One line of a log as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use infra::run_log::LogLine;
use serde::Serialize;

use crate::api::http::problem::Problem;

/// One line of a log.
#[derive(Serialize)]
pub struct LogLineView {
    n: u64,
    stream: &'static str,
    /// With its line end, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// In place of `text`, where the bytes are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// It continues the previous line of its stream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continued: bool,
    logged_at: DateTime<Utc>,
}

impl From<LogLine> for LogLineView {
    fn from(line: LogLine) -> Self {
        let LogLine { number, stream, continues, at: logged_at, bytes } = line;
        let (text, base64) = match String::from_utf8(bytes) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        let stream = stream.as_str();
        Self { n: number, stream, text, base64, continued: continues, logged_at }
    }
}

pub fn to_json(line: LogLine) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(&LogLineView::from(line)).map_err(|error| Problem::internal(&error))
}
