//! Pairs of addresses that look alike: one address, or one of the two is refused.

use serde::Deserialize;

use super::{EmailAddress, Invalid, PersonName, TypedAddress, Username};

/// What becomes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pair {
    /// Both are one address.
    One,
    /// The second is refused.
    Refused,
}
use Pair::{One, Refused};

/// First, second, what becomes of them, and what is alike. Stories send the same ones.
const PAIRS: &str = include_str!("look_alikes.json");

#[test]
fn of_two_addresses_that_look_alike_there_is_one_or_the_second_is_refused() {
    let pairs: Vec<(String, String, Pair, String)> = serde_json::from_str(PAIRS).unwrap();
    let mut wrong = vec![];
    for (first, second, expected, what) in pairs {
        let first = EmailAddress::parse(&first).unwrap().canonical();
        let found = match EmailAddress::parse(&second) {
            Ok(second) if second.canonical() == first => One,
            Ok(_) => {
                wrong.push(format!("{what}: two addresses"));
                continue;
            }
            Err(_) => Refused,
        };
        if found != expected {
            wrong.push(format!("{what}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_address_is_kept_as_it_was_typed_and_is_the_same_in_its_canonical_form() {
    for (typed, canonical) in [
        ("Ada@Example.org", "ada@example.org"),
        ("J\u{d6}RG@B\u{fc}cher.Example", "j\u{f6}rg@xn--bcher-kva.example"),
        ("ada@stra\u{df}e.example", "ada@xn--strae-oqa.example"),
        (
            "\u{434}\u{430}\u{448}\u{430}@\u{43f}\u{43e}\u{447}\u{442}\u{430}.example",
            "\u{434}\u{430}\u{448}\u{430}@xn--80a1acny.example",
        ),
        ("a@kj\u{e6}r.example", "a@xn--kjr-zla.example"),
        ("a@r3---x.example", "a@r3---x.example"),
    ] {
        let address = EmailAddress::parse(typed).unwrap_or_else(|why| panic!("{typed}: {why}"));
        assert_eq!((address.expose(), address.canonical().as_str()), (typed, canonical));
        assert_eq!(EmailAddress::parse(canonical).unwrap().canonical(), canonical);
    }
}

#[test]
fn a_refusal_says_why() {
    for (text, why) in [
        ("\"ada\"@home.example", Invalid::Quoted),
        ("ada@[192.0.2.7]", Invalid::IpAddress),
        ("ada@10.0.0.1", Invalid::IpAddress),
        ("ada@-home.example", Invalid::NotADomain),
        ("ada@ho_me.example", Invalid::NotADomain),
        ("ada@xn--zzzzzz99999.example", Invalid::NotADomain),
    ] {
        assert_eq!(EmailAddress::parse(text), Err(why), "{text}");
    }
    let kelvin = EmailAddress::parse("mar\u{212a}@home.example").unwrap_err().to_string();
    assert!(kelvin.contains("variant of a usual one"), "{kelvin}");
}

#[test]
fn an_address_from_before_is_found_in_the_forms_it_was_reserved_in() {
    let parse = |text| EmailAddress::parse(text).unwrap();
    assert_eq!(parse("Ada@Example.org").former_forms(), Vec::<String>::new());
    let in_letters = ["ada@b\u{fc}cher.example".to_owned()];
    assert_eq!(parse("Ada@B\u{fc}cher.example").former_forms(), in_letters);
    assert_eq!(parse("Ada@xn--bcher-kva.example").former_forms(), in_letters);

    // What is refused today is as it was.
    let stored: EmailAddress = serde_json::from_str("\"Gro\u{df}@home.example\"").unwrap();
    assert_eq!(stored.canonical(), "gro\u{df}@home.example");
    assert!(stored.former_forms().is_empty());
}

#[test]
fn an_address_from_before_is_found_whether_it_was_composed_or_not() {
    let forms = |text| EmailAddress::parse(text).unwrap().former_forms();
    let decomposed = "jo\u{308}rg@home.example";
    assert_eq!(forms("J\u{f6}rg@home.example"), [decomposed]);
    assert_eq!(forms("Jo\u{308}rg@home.example"), [decomposed]);
    let both = forms("j\u{f6}rg@b\u{fc}cher.example");
    for form in ["jo\u{308}rg@b\u{fc}cher.example", "jo\u{308}rg@xn--bcher-kva.example"] {
        assert!(both.contains(&form.to_owned()), "{both:?}");
    }

    // A keyboard of Vietnamese composes the vowel, and not its tone.
    let partly = "\u{e2}\u{301}n@home.example".to_owned();
    let stored: EmailAddress = serde_json::from_str(&format!("\"{partly}\"")).unwrap();
    assert_eq!(stored.canonical(), "\u{1ea5}n@home.example");
    assert!(stored.former_forms().contains(&partly));
    let typed = TypedAddress::parse(&partly).unwrap();
    assert!(typed.to_look_up().former_forms().contains(&partly));
}

#[test]
fn whoever_has_an_address_from_before_may_type_it() {
    let stored = |text: &str| serde_json::from_value::<EmailAddress>(text.into()).unwrap();
    for text in [
        "gro\u{df}@home.example",
        "\u{3c3}\u{3b1}\u{3c3}@home.example",
        "\u{430}da@home.example",
        "ada@10.0.0.1",
    ] {
        let typed = TypedAddress::parse(text).unwrap();
        assert!(!typed.is_taken_today() && typed.can_be(&stored(text)), "{text}");
        assert_eq!(typed.to_look_up(), stored(text));
        assert_eq!(format!("{typed:?}"), "<TypedAddress>");
    }
    let kelvin = TypedAddress::parse("mar\u{212a}@home.example").unwrap();
    assert_eq!(kelvin.to_look_up().canonical(), "mark@home.example");
    assert!(!kelvin.can_be(&stored("mark@home.example")), "that is somebody else");
    assert!(kelvin.can_be(&stored("mar\u{212a}@home.example")));
    let mark = TypedAddress::parse("Mark@home.example").unwrap();
    assert!(mark.is_spelled_as(&stored("mark@home.example")));
    for never in ["ada", "@home.example", "\"ada\"@home.example", "ada@[192.0.2.7]", "ada@home"] {
        assert!(TypedAddress::parse(never).is_err(), "{never}");
    }
}

#[test]
fn a_username_is_taken_for_no_other() {
    for good in ["ada.x", "Ада", "jörg", "अनिता", "田中"] {
        assert!(Username::parse(good).is_ok(), "{good}");
    }
    for bad in ["\u{430}da", "ad\u{ff41}", "ada\u{200d}", "\u{441}\u{43e}\u{440}", "gro\u{df}"] {
        let refused = Username::parse(bad);
        assert!(matches!(refused, Err(Invalid::LooksAlike(_))), "{bad}: {refused:?}");
    }
    assert_eq!(Username::parse("a b"), Err(Invalid::NotAUsername));
}

#[test]
fn a_name_is_composed_and_holds_nothing_unseen() {
    assert_eq!(PersonName::parse("Jo\u{308}rg").unwrap().expose(), "J\u{f6}rg");
    let persian = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";
    assert_eq!(PersonName::parse(persian).unwrap().expose(), persian);
    for bad in ["Ada\u{202e}", "Ada\u{200b}", "A\u{2060}da", "\u{feff}Ada", "Ada\u{2066}"] {
        let refused = PersonName::parse(bad);
        assert!(matches!(refused, Err(Invalid::LooksAlike(_))), "{bad:?}: {refused:?}");
    }
    assert_eq!(PersonName::parse("\u{200d} \u{200d}"), Err(Invalid::Empty));
}
