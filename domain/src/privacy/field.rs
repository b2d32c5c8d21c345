//! The personal fields, each declared once: the sealing codec, the record of processing (Art. 30),
//! the access bundle and the residue search all read this table.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::value::{
    ClearVariables, CommandLine, DeploymentSteps, EmailAddress, HostName, IpAddress, Label,
    Leftovers, LoginName, PersonName, RunEnvironment, SecretText, UserAgent, Username,
    VariableNames,
};

/// How long a kind of personal data may be kept, and under which keys it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The life of the account; gone within 30 days of its deletion.
    Account,
    /// Addresses and devices: buckets of a day, 90 days by default.
    Security,
    /// Its own key, which survives an erasure: buckets of a month, the statutory period.
    Billing,
    /// The life of the workspace.
    Tenant,
    /// Run logs: a key a blob, outside the event log.
    Content,
}

/// The span of time that shares one key, so that it can be erased as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// A day in UTC.
    Day,
    /// A month in UTC.
    Month,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] =
        [Self::Account, Self::Security, Self::Billing, Self::Tenant, Self::Content];

    /// The stable number in the key rows and in the sealed bytes' authenticated data.
    pub const fn number(self) -> i16 {
        match self {
            Self::Account => 1,
            Self::Security => 2,
            Self::Billing => 3,
            Self::Tenant => 4,
            Self::Content => 5,
        }
    }

    /// The span that shares one key; `None` where a subject has one key of the class.
    pub const fn bucket(self) -> Option<Bucket> {
        match self {
            Self::Account | Self::Tenant => None,
            Self::Security | Self::Content => Some(Bucket::Day),
            Self::Billing => Some(Bucket::Month),
        }
    }

    /// Whether erasing a person erases that person's key of this class.
    pub const fn is_erased_with_person(self) -> bool {
        !matches!(self, Self::Billing)
    }
}

/// Why a value is processed (Art. 5(1)(b) GDPR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To sign in.
    Authentication,
    /// To run the account and the membership of workspaces.
    AccountAdministration,
    /// To send the mails that the service needs.
    ServiceCommunication,
    /// To find attacks on accounts.
    SecurityMonitoring,
    /// To help a person who asks.
    Support,
    /// What a workspace keeps so that Lethe can reach its servers and run its work.
    ProductOperation,
    /// Only with consent.
    UsageAnalysis,
    /// Only with consent.
    ProductNews,
}

impl Purpose {
    /// Whether the purpose rests on consent, and can be withdrawn at any time (Art. 7(3) GDPR).
    pub const fn needs_consent(self) -> bool {
        matches!(self, Self::UsageAnalysis | Self::ProductNews)
    }
}

non_personal!(Purpose, Class);

/// The legal ground (Art. 6(1) GDPR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Needed for the contract with the person, Art. 6(1)(b).
    Contract,
    /// The law demands it, Art. 6(1)(c).
    LegalObligation,
    /// Art. 6(1)(f).
    LegitimateInterest,
    /// Art. 6(1)(a), and it can be withdrawn.
    Consent,
}

/// Who may receive a value (Art. 28 GDPR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Processor {
    /// The mail relay.
    Mail,
    /// The database's host, which sees ciphertext only.
    Database,
}

/// What is declared of one personal field.
#[derive(Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Never reused: sealed bytes are bound to it.
    pub id: u16,
    /// The name in the record of processing.
    pub name: &'static str,
    /// How long the value may be kept.
    pub class: Class,
    /// What the value may be used for.
    pub purposes: &'static [Purpose],
    /// Why that is lawful.
    pub ground: Ground,
    /// Who may receive the value.
    pub processors: &'static [Processor],
}

/// A personal field: its declaration and the type of its value.
pub trait Field: Send + Sync + 'static {
    /// The type of the clear value.
    type Value: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static;
    /// What the record of processing says of it.
    const DECLARATION: &'static Declaration;
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $declaration:ident: $value:ty = $id:literal $label:literal,
        $class:ident, [$($purpose:ident),*], $ground:ident, [$($processor:ident),*];)*) => {
        $(
            #[doc = concat!("The field `", $label, "`.")]
            $(#[$doc])*
            pub struct $name;

            const $declaration: Declaration = Declaration {
                id: $id,
                name: $label,
                class: Class::$class,
                purposes: &[$(Purpose::$purpose),*],
                ground: Ground::$ground,
                processors: &[$(Processor::$processor),*],
            };

            impl Field for $name {
                type Value = $value;
                const DECLARATION: &'static Declaration = &$declaration;
            }
        )*

        /// Every declared field.
        pub const FIELDS: &[&Declaration] = &[$(&$declaration),*];
    };
}

fields! {
    AccountEmail EMAIL: EmailAddress = 1 "account.email",
        Account, [Authentication, ServiceCommunication], Contract, [Mail, Database];
    AccountName NAME: PersonName = 2 "account.name",
        Account, [AccountAdministration, ServiceCommunication], Contract, [Mail, Database];
    AccountUsername USERNAME: Username = 3 "account.username",
        Account, [AccountAdministration], Contract, [Database];
    LoginIp IP: IpAddress = 4 "login.ip",
        Security, [SecurityMonitoring], LegitimateInterest, [Database];
    LoginUserAgent USER_AGENT: UserAgent = 5 "login.user_agent",
        Security, [SecurityMonitoring], LegitimateInterest, [Database];
    WorkspaceName WORKSPACE_NAME: Label = 6 "workspace.name",
        Tenant, [ProductOperation], Contract, [Database];
    InvitationEmail INVITATION_EMAIL: EmailAddress = 7 "invitation.email",
        Tenant, [ServiceCommunication], Contract, [Mail, Database];
    ApiTokenName API_TOKEN_NAME: Label = 8 "api_token.name",
        Tenant, [ProductOperation], Contract, [Database];
    ServerName SERVER_NAME: Label = 9 "server.name",
        Tenant, [ProductOperation], Contract, [Database];
    ServerHost SERVER_HOST: HostName = 10 "server.host",
        Tenant, [ProductOperation], Contract, [Database];
    ServerUser SERVER_USER: LoginName = 11 "server.user",
        Tenant, [ProductOperation], Contract, [Database];
    /// In a working row only.
    ServerPrivateKey SERVER_PRIVATE_KEY: SecretText = 12 "server.private_key",
        Tenant, [ProductOperation], Contract, [Database];
    DeploymentName DEPLOYMENT_NAME: Label = 13 "deployment.name",
        Tenant, [ProductOperation], Contract, [Database];
    DeploymentConfig DEPLOYMENT_CONFIG: DeploymentSteps = 14 "deployment.config",
        Tenant, [ProductOperation], Contract, [Database];
    RunCommand RUN_COMMAND: CommandLine = 15 "run.command",
        Tenant, [ProductOperation], Contract, [Database];
    /// In a working row only.
    RunSecrets RUN_SECRETS: RunEnvironment = 16 "run.secrets",
        Tenant, [ProductOperation], Contract, [Database];
    ServiceAccountName SERVICE_ACCOUNT_NAME: Label = 18 "service_account.name",
        Tenant, [ProductOperation], Contract, [Database];
    RunLeft RUN_LEFT: Leftovers = 19 "run.left",
        Tenant, [ProductOperation], Contract, [Database];
    RunSecretNames RUN_SECRET_NAMES: VariableNames = 20 "run.secret_names",
        Tenant, [ProductOperation], Contract, [Database];
    RunEnvironmentText RUN_ENVIRONMENT: ClearVariables = 21 "run.environment",
        Tenant, [ProductOperation], Contract, [Database];
    /// In blobs outside the log only.
    RunLog RUN_LOG: Vec<u8> = 17 "run.log",
        Content, [ProductOperation], Contract, [Database];
}
