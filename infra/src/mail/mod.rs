//! Sends mails: by SMTP, or into a folder.

mod folder;
mod letter;
mod smtp;
#[cfg(test)]
mod tests;

pub use folder::Folder;
pub use letter::{Letter, Mailbox};
pub use smtp::Smtp;

/// Mail is not configured as it must be, or a mail cannot be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum MailError {
    #[error(
        "the SMTP URL cannot be read: use smtp://HOST[:PORT] or smtps://USER:PASSWORD@HOST[:PORT]; \
         write a special character of the password as % and its code, such as %2F for /"
    )]
    Url,
    #[error("the sender is not a mailbox: use NAME <ADDRESS> or ADDRESS")]
    From,
    #[error("TLS cannot be set up for mail")]
    Tls,
    #[error("the mail folder: {0}")]
    Folder(#[from] std::io::Error),
    #[error("the mail cannot be composed: {0}")]
    Compose(&'static str),
}

/// The result of sending a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The server has accepted it, or the file is written.
    Accepted,
    /// Certainly not accepted.
    Refused {
        /// The address or the mail itself was refused: sending it again is of no use.
        for_good: bool,
        /// What it says of the address.
        kind: RefusalKind,
        /// See [`Self::trouble`].
        trouble: String,
    },
    /// The connection ended between the last byte of the mail and the answer to it.
    Unknown {
        /// See [`Self::trouble`].
        trouble: String,
    },
}

impl SendOutcome {
    /// What went wrong: a reply code or a few words of Lethe's own, since a server's text may repeat
    /// the address.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Accepted => None,
            Self::Refused { trouble, .. } | Self::Unknown { trouble } => Some(trouble),
        }
    }

    /// Of what kind the refusal is. `None`: it is none.
    pub const fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Refused { kind, .. } => Some(*kind),
            Self::Accepted | Self::Unknown { .. } => None,
        }
    }
}

domain::named_enum! {
    /// The kind of a refusal.
    pub enum RefusalKind {
        /// The server takes no mail for this address (5xx to RCPT, RFC 5321). One that refuses everybody may say the same.
        Recipient = "recipient",
        /// Nothing is said of the address.
        Other = "other",
    }
}

domain::named_enum! {
    /// The kind of a transport.
    pub enum Via {
        /// To a server.
        Smtp = "smtp",
        /// Into files.
        Folder = "folder",
    }
}

/// How mails leave Lethe.
#[derive(Clone)]
#[allow(missing_docs, reason = "the name of each variant says what it is")]
pub enum Transport {
    Smtp(Smtp),
    Folder(Folder),
}

impl Transport {
    /// Opens the folder, which is created with mode 0700 if it is missing.
    ///
    /// # Errors
    /// `Folder`.
    pub async fn folder(path: impl Into<std::path::PathBuf>) -> Result<Self, MailError> {
        Folder::open(path.into()).await.map(Self::Folder)
    }

    /// The folder as it is, for a process that sends no mails.
    pub fn existing_folder(path: impl Into<std::path::PathBuf>) -> Self {
        Self::Folder(Folder::existing(path.into()))
    }

    /// What is noted with each mail that is sent.
    pub const fn via(&self) -> Via {
        match self {
            Self::Smtp(_) => Via::Smtp,
            Self::Folder(_) => Via::Folder,
        }
    }

    /// Sends one mail. It takes up to 130 seconds.
    pub async fn send(&self, letter: &Letter) -> SendOutcome {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Folder(folder) => folder.write(letter).await,
        }
    }
}
