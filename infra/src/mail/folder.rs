//! Writes each mail into a file that is named by its id, for an installation without SMTP.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{Letter, MailError, SendOutcome};

/// A folder that mails are written into.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub(super) async fn open(path: PathBuf) -> Result<Self, MailError> {
        fs::create_dir_all(&path).await?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&path, private).await?;
        Ok(Self(path))
    }

    pub(super) const fn existing(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writing it again is writing the same file.
    pub(super) async fn write(&self, letter: &Letter) -> SendOutcome {
        match self.put(letter).await {
            Ok(()) => SendOutcome::Accepted,
            Err(error) => SendOutcome::Refused {
                for_good: false,
                trouble: format!("the mail folder: {}", error.kind()),
            },
        }
    }

    async fn put(&self, letter: &Letter) -> std::io::Result<()> {
        let unfinished = self.0.join(format!("{}.part", letter.id()));
        let mut file = fs::File::create(&unfinished).await?;
        file.write_all(letter.bytes()).await?;
        file.sync_all().await?;
        fs::rename(&unfinished, self.file(letter.id())).await?;
        fs::File::open(&self.0).await?.sync_all().await
    }

    pub(super) async fn delete(&self, mails: &[Uuid]) -> Result<(), MailError> {
        for mail in mails {
            for path in [self.file(*mail), self.0.join(format!("{mail}.part"))] {
                match fs::remove_file(path).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The ids of the mails that have a file.
    pub async fn mails(&self) -> Result<Vec<Uuid>, MailError> {
        let mut mails = Vec::new();
        let mut entries = fs::read_dir(&self.0).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let stem = Path::new(&name).file_stem().and_then(|stem| stem.to_str());
            mails.extend(stem.and_then(|stem| Uuid::try_parse(stem).ok()));
        }
        Ok(mails)
    }

    fn file(&self, mail: Uuid) -> PathBuf {
        self.0.join(format!("{mail}.eml"))
    }
}
