//! Writes each mail into a file that is named by its id, for an installation without SMTP.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use uuid::Uuid;

use super::{Letter, MailError, RefusalKind, SendOutcome};
use crate::accounts::User;
use crate::durable;

/// A folder that mails are written into.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub(super) async fn open(path: PathBuf) -> Result<Self, MailError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await?;
        }
        // One that is there stays as it is: it may be in use by others.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).await?;
        let found = fs::metadata(&path).await?;
        if User::of_this_process().is_none_or(|me| me.shares_writing(&found)) {
            let reason = format!(
                "others may write to {}: use chmod go-w on it, or set mail_dir to a folder that is new",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason).into());
        }
        Ok(Self(path))
    }

    /// The folder as it is. It may be missing, where mails go by SMTP.
    pub const fn existing(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writing it again is writing the same file.
    pub(super) async fn write(&self, letter: &Letter) -> SendOutcome {
        let (name, bytes) = (file_name(letter.id()), letter.bytes().to_owned());
        match self.blocking(move |dir| durable::write(dir, &name, &bytes)).await {
            Ok(()) => SendOutcome::Accepted,
            Err(error) => SendOutcome::Refused {
                for_good: false,
                kind: RefusalKind::Other,
                trouble: format!("the mail folder: {}", error.kind()),
            },
        }
    }

    /// Overwrites and deletes the files of these mails, those that were not finished among them. A
    /// mail without a file is no error; a folder that is missing is one.
    ///
    /// # Errors
    /// `Folder`: some may be left.
    pub async fn delete(&self, mails: &[Uuid]) -> Result<(), MailError> {
        if mails.is_empty() {
            return Ok(());
        }
        let mails = mails.to_owned();
        let delete = move |dir: &Path| {
            // A folder that is not there, as one that is not mounted, may still have them.
            std::fs::read_dir(dir)?;
            for mail in mails {
                let name = file_name(mail);
                durable::erase(dir, &name)?;
                durable::erase(dir, &format!("{name}.part"))?;
                // As it was named before.
                durable::erase(dir, &format!("{mail}.part"))?;
            }
            Ok(())
        };
        Ok(self.blocking(delete).await?)
    }

    /// The ids of the mails that have a file.
    ///
    /// # Errors
    /// `Folder`.
    pub async fn mails(&self) -> Result<Vec<Uuid>, MailError> {
        let mut mails = Vec::new();
        let mut entries = fs::read_dir(&self.0).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.split('.').next());
            mails.extend(id.and_then(|id| Uuid::try_parse(id).ok()));
        }
        Ok(mails)
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let dir = self.0.clone();
        tokio::task::spawn_blocking(move || work(&dir)).await.map_err(io::Error::other).flatten()
    }
}

fn file_name(mail: Uuid) -> String {
    format!("{mail}.eml")
}
