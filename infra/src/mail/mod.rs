//! Mails on their way out: by SMTP, or into a folder.

mod folder;
mod letter;
mod smtp;
#[cfg(test)]
mod tests;

pub use folder::Folder;
pub use letter::{Letter, Mailbox};
pub use smtp::Smtp;

use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("the SMTP URL cannot be read: smtp://HOST[:PORT] or smtps://USER:PASSWORD@HOST[:PORT]")]
    Url,
    #[error("the sender is not a mailbox: NAME <ADDRESS> or ADDRESS")]
    From,
    #[error("TLS cannot be set up for mail")]
    Tls,
    #[error("the mail folder: {0}")]
    Folder(#[from] std::io::Error),
    #[error("the mail cannot be composed: {0}")]
    Compose(&'static str),
}

/// What became of a mail that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    /// Certainly not taken. `for_good`: the address or the mail itself was refused.
    Refused {
        for_good: bool,
        trouble: String,
    },
    /// The connection ended between the last byte of the mail and the answer to it.
    Unknown {
        trouble: String,
    },
}

impl Outcome {
    /// A reply code or a few words; no value of the mail, whose text a server may repeat.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Taken => None,
            Self::Refused { trouble, .. } | Self::Unknown { trouble } => Some(trouble),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Smtp,
    Folder,
}

impl Via {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Folder => "folder",
        }
    }
}

#[derive(Clone)]
pub enum Transport {
    Smtp(Smtp),
    Folder(Folder),
}

impl Transport {
    /// `smtp://` or `smtps://`. Beyond loopback TLS is required, with STARTTLS for `smtp://`.
    pub fn smtp(url: &str) -> Result<Self, MailError> {
        Smtp::parse(url).map(Self::Smtp)
    }

    pub async fn folder(path: impl Into<std::path::PathBuf>) -> Result<Self, MailError> {
        Folder::open(path.into()).await.map(Self::Folder)
    }

    pub const fn via(&self) -> Via {
        match self {
            Self::Smtp(_) => Via::Smtp,
            Self::Folder(_) => Via::Folder,
        }
    }

    pub async fn send(&self, letter: &Letter) -> Outcome {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Folder(folder) => folder.write(letter).await,
        }
    }

    /// Destroys what this node still holds of these mails: files of the folder.
    pub async fn destroy(&self, mails: &[Uuid]) -> Result<(), MailError> {
        match self {
            Self::Smtp(_) => Ok(()),
            Self::Folder(folder) => folder.destroy(mails).await,
        }
    }
}
