//! Schemas of fields that several bodies have, and of headers that several operations read.

use domain::privacy::{ClearVariables, RunEnvironment};
use domain::workspace::Right;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Object, Required, Schema};

/// An atom of an address before its `@`.
const ATOM: &str = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\p{Alphabetic}\p{M}\p{N}-]+";
/// A part of a domain's name, in any script.
const LABEL: &str =
    r"[\p{Alphabetic}\p{N}](?:[\p{Alphabetic}\p{M}\p{N}-]*[\p{Alphabetic}\p{M}\p{N}])?";
/// The last part: that of an IP address is a number.
const LAST_LABEL: &str =
    r"\p{Alphabetic}(?:[\p{Alphabetic}\p{M}\p{N}-]*[\p{Alphabetic}\p{M}\p{N}])?";
/// Control characters, and what is not seen or turns the direction of writing. The last ones as they are: not every
/// language has an escape for them.
macro_rules! unseen {
    () => {
        concat!(
            r"\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164",
            r"\ufeff\uffa0\ufff9-\ufffb",
            "\u{e0000}-\u{e0fff}"
        )
    };
}
/// Of its characters one at least is a letter, a sign, …
const READABLE: &str =
    concat!("^[^", unseen!(), r"]*[^\s\u200c\u200d", unseen!(), "][^", unseen!(), "]*$");
const DISTINCT: &str = "What could be taken for another one is refused: other letters that look \
    like Latin ones, letters of several scripts, variants of a letter, what is not seen.";
/// How such a value is refused.
pub const LOOKS_ALIKE: &str = "this could be taken for another one";
/// How a chosen password is refused that fits its schema.
pub const WELL_KNOWN: &str = "this is one of the passwords that are tried first";
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
    address(LAST_LABEL).description(Some(format!("At most 254 bytes in UTF-8. {DISTINCT}"))).build()
}

/// What `TypedAddress` takes.
pub fn typed_email() -> Object {
    let description =
        "At most 254 bytes in UTF-8. Also an address that is refused for new accounts.";
    address(LABEL).description(Some(description)).build()
}

fn address(last_label: &str) -> ObjectBuilder {
    text()
        .format(Some(known(KnownFormat::Email)))
        .min_length(Some(3))
        .max_length(Some(254))
        .pattern(Some(format!(r"^{ATOM}(?:\.{ATOM})*@(?:{LABEL}\.)+{last_label}$")))
}

/// What `PersonName` takes.
pub fn person_name() -> Object {
    readable(200).build()
}

/// What `Username` takes, or null.
pub fn username() -> Object {
    distinct().schema_type(SchemaType::from_iter([Type::String, Type::Null])).build()
}

/// What `Label` takes.
pub fn label() -> Object {
    readable(100).build()
}

fn readable(bytes_max: usize) -> ObjectBuilder {
    let description = format!("At most {bytes_max} bytes in UTF-8.");
    text()
        .min_length(Some(1))
        .max_length(Some(bytes_max))
        .pattern(Some(READABLE))
        .description(Some(description))
}

fn distinct() -> ObjectBuilder {
    text()
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some(r"^[\p{Alphabetic}\p{M}\p{N}._-]+$"))
        .description(Some(format!("At most 64 bytes in UTF-8. {DISTINCT}")))
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

/// What `RunEnvironment` takes, or null.
pub fn secrets() -> Object {
    let least = RunEnvironment::SECRET_BYTES_MIN;
    let description = format!(
        "Passed to the command as environment variables, masked in its log, and kept until its end. A value has \
         {least} to 16,384 bytes, and all together 32 KiB at most.",
    );
    variables(text().min_length(Some(least)).max_length(Some(16_384)), &description)
}

/// What `ClearVariables` takes, or null.
pub fn environment() -> Object {
    let most = ClearVariables::BYTES_MAX;
    let description = "Passed to the command as environment variables, too: not masked, shown with the run, and the \
        same for each attempt. Names and values have 32 KiB together at most, and none is the name of a secret.";
    variables(text().max_length(Some(most)), description)
}

fn variables(value: ObjectBuilder, description: &str) -> Object {
    let name = text().max_length(Some(100)).pattern(Some("^[A-Za-z_][A-Za-z0-9_]*$"));
    let reserved = RunEnvironment::RESERVED.join(", ");
    let description = format!("{description} These names are refused: {reserved}.");
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(description))
        .max_properties(Some(RunEnvironment::VARIABLES_MAX))
        .property_names(Some(name.build()))
        .additional_properties(Some(value.pattern(Some(r"^[^\x00]*$"))))
        .build()
}

/// The rights that a token may have.
pub fn scopes() -> Schema {
    let names = Right::ALL.iter().filter(|right| right.is_for_tokens()).map(|right| right.as_str());
    let name = text().enum_values(Some(names.collect::<Vec<_>>()));
    let description = "Rights of `/v1/rights` that tokens may have; no more than the caller has.";
    let names = ArrayBuilder::new().items(name.build()).min_items(Some(1));
    Schema::Array(names.description(Some(description)).build())
}

/// A header of a request.
pub fn header(
    name: &str,
    required: Required,
    description: &str,
    schema: ObjectBuilder,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}
