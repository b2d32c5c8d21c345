//! Whose data, of what kind, why, for how long and who may receive it: facts as data.

mod column;
mod field;
mod personal;
mod value;

pub use column::{put_together, sealed_bytes, take_apart};
pub use field::{
    AccountEmail, AccountName, AccountUsername, Bucket, Class, Declaration, FIELDS, Field, Ground,
    LoginIp, LoginUserAgent, Processor, Purpose,
};
pub use personal::{AnyPersonal, Personal, Sealed};
pub use value::{EmailAddress, Invalid, IpAddress, PersonName, UserAgent, Username};

#[cfg(test)]
mod tests;
