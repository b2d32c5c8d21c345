//! The mail folder, read as a person reads mail: the link of the latest one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli::CliError;

const LIMIT: Duration = Duration::from_secs(30);

pub struct Mailbox(PathBuf);

impl Mailbox {
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The secret of the link in mail number `count` to this address.
    pub async fn secret(&self, address: &str, count: usize) -> Result<String, CliError> {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let found = async {
            loop {
                ticks.tick().await;
                if let Some(text) = self.mails(address).into_iter().nth(count.saturating_sub(1)) {
                    return text;
                }
            }
        };
        let text = tokio::time::timeout(LIMIT, found)
            .await
            .map_err(|_| CliError::Failed(format!("mail {count} to {address} did not come")))?;
        secret(&text).ok_or_else(|| CliError::Failed("a mail holds no link".to_owned()))
    }

    /// The texts of the mails to an address, the oldest first.
    pub fn mails(&self, address: &str) -> Vec<String> {
        let mut mails = read(&self.0);
        mails.sort();
        let texts = mails.into_iter().map(|(_, text)| text);
        texts.filter(|text| is_to(text, address)).collect()
    }
}

fn read(folder: &Path) -> Vec<(SystemTime, String)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mails = files.filter(|file| file.path().extension().is_some_and(|end| end == "eml"));
    mails
        .filter_map(|file| {
            Some((file.metadata().ok()?.modified().ok()?, fs::read_to_string(file.path()).ok()?))
        })
        .collect()
}

fn is_to(text: &str, address: &str) -> bool {
    let line = text.lines().find(|line| line.starts_with("To: "));
    line.is_some_and(|line| line.contains(address))
}

/// What follows the last `=`, `#` or `/` of the first link. Long lines may be folded
/// (quoted-printable, RFC 2045).
fn secret(text: &str) -> Option<String> {
    let text = text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let link = text.split_whitespace().find(|word| word.starts_with("http"))?;
    link.rsplit(['=', '#', '/']).next().map(str::to_owned)
}
