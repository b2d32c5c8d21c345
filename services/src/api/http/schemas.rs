//! Schemas of fields that several bodies have.

use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Object, Schema};

/// An atom of an address before its `@`.
const ATOM: &str = r#"[^\s\x00-\x1f"(),.:;<>@\[\\\]\x7f-\x9f]+"#;
/// A part of a domain's name, in any script.
const LABEL: &str = r"[\p{Alphabetic}\p{N}](?:[\p{Alphabetic}\p{N}-]*[\p{Alphabetic}\p{N}])?";
/// A part of a host's name.
const HOST_LABEL: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
/// The last part: the URL standard takes a name whose last part is a number for an IPv4 address.
const LAST_HOST_LABEL: &str = "(?:[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\
    |[0-9]{1,20}[A-WYZa-wyz-](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?)";

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

const fn known(format: KnownFormat) -> SchemaFormat {
    SchemaFormat::KnownFormat(format)
}

/// What `EmailAddress` takes.
pub fn email() -> Object {
    text()
        .format(Some(known(KnownFormat::Email)))
        .min_length(Some(3))
        .max_length(Some(254))
        .pattern(Some(format!(r"^{ATOM}(?:\.{ATOM})*@{LABEL}(?:\.{LABEL})+$")))
        .build()
}

/// What `HostName` takes.
pub fn host() -> Schema {
    let name = text()
        .min_length(Some(1))
        .max_length(Some(253))
        .pattern(Some(format!(r"^(?:{HOST_LABEL}\.)*{LAST_HOST_LABEL}\.?$")));
    AnyOfBuilder::new()
        .description(Some("A name or an IP address."))
        .item(name)
        .item(text().format(Some(known(KnownFormat::Ipv4))))
        .item(text().format(Some(known(KnownFormat::Ipv6))))
        .into()
}
