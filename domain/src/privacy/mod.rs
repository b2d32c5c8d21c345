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
    LoginUserAgent, Processor, Purpose, RunCommand, RunEnvironmentText, RunLeft, RunLog,
    RunSecretNames, RunSecrets, ServerHost, ServerName, ServerPrivateKey, ServerUser,
    ServiceAccountName, WorkspaceName,
};
pub use personal::{AnyPersonal, Personal, Sealed};
pub use value::{
    ClearVariables, CommandLine, DeploymentStep, DeploymentSteps, EmailAddress, HostName, Invalid,
    IpAddress, Label, LeftCause, Leftovers, LoginName, PersonName, RunEnvironment, SecretText,
    TypedAddress, UnfitVariable, UserAgent, Username, VariableNames, composed,
};

#[cfg(test)]
mod tests;
