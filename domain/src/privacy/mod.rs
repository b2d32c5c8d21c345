//! Whose data, of what kind, why, for how long and who may receive it.

mod column;
pub mod deadlines;
mod field;
mod personal;
mod value;

pub use column::{put_together, sealed_bytes, take_apart};
pub use field::{
    AccountEmail, AccountName, AccountUsername, ApiTokenName, Bucket, Class, Declaration,
    DeploymentConfig, DeploymentName, FIELDS, Field, Ground, InvitationEmail, LoginIp,
    LoginUserAgent, Processor, Purpose, RunCommand, RunLog, RunSecrets, ServerHost, ServerName,
    ServerPrivateKey, ServerUser, ServiceAccountName, WorkspaceName,
};
pub use personal::{AnyPersonal, Personal, Sealed};
pub use value::{
    CommandLine, DeploymentStep, DeploymentSteps, EmailAddress, HostName, Invalid, IpAddress,
    Label, LoginName, PersonName, RunEnvironment, SecretText, TypedAddress, UserAgent, Username,
    composed,
};

#[cfg(test)]
mod tests;
