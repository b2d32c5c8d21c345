//! Pairs of addresses that look alike: one address, or one of the two is refused.

use super::{EmailAddress, Invalid, PersonName, TypedAddress, Username};

/// What becomes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    /// Both are one address.
    One,
    /// The second is refused.
    Refused,
}
use Pair::{One, Refused};

const PAIRS: [(&str, &str, Pair, &str); 36] = [
    ("mark@home.example", "Mark@Home.Example", One, "capitals"),
    ("mark@home.example", "mar\u{212a}@home.example", Refused, "Kelvin sign"),
    ("mark@home.example", "mark@home.e\u{445}ample", Refused, "Cyrillic ha in the domain"),
    ("lisa@home.example", "l\u{131}sa@home.example", Refused, "dotless i"),
    ("lisa@home.example", "L\u{130}SA@home.example", Refused, "capital I with a dot"),
    ("lisa@home.example", "li\u{307}sa@home.example", Refused, "a second dot above i"),
    ("lisa@home.example", "\u{ff4c}isa@home.example", Refused, "full width l"),
    ("lisa@home.example", "lisa\u{ff20}home.example", Refused, "full width @"),
    ("lisa@home.example", "lisa@\u{ff48}ome.example", Refused, "full width h in the domain"),
    ("lisa@home.example", "lisa@home\u{3002}example", Refused, "ideographic full stop"),
    ("lisa@home.example", "lisa@home\u{ff0e}example", Refused, "full width full stop"),
    ("lisa@home.example", "li\u{200b}sa@home.example", Refused, "zero width space"),
    ("lisa@home.example", "li\u{200d}sa@home.example", Refused, "zero width joiner"),
    ("lisa@home.example", "li\u{2060}sa@home.example", Refused, "word joiner"),
    ("lisa@home.example", "li\u{feff}sa@home.example", Refused, "byte order mark"),
    ("lisa@home.example", "li\u{ad}sa@home.example", Refused, "soft hyphen"),
    ("lisa@home.example", "lisa\u{202e}@home.example", Refused, "right-to-left override"),
    ("lisa@home.example", "lisa\u{a0}@home.example", Refused, "no-break space"),
    ("lisa@home.example", "lisa@ho\u{200c}me.example", Refused, "ZWNJ in the domain"),
    ("lisa@home.example", "li\u{17f}a@home.example", Refused, "long s"),
    ("cop@home.example", "\u{441}\u{43e}\u{440}@home.example", Refused, "all of it Cyrillic"),
    ("not@home.example", "n\u{3bf}t@home.example", Refused, "Greek omicron among Latin"),
    (
        "hope@home.example",
        "\u{41d}\u{41e}\u{420}\u{415}@home.example",
        Refused,
        "Cyrillic capitals",
    ),
    ("fine@home.example", "\u{fb01}ne@home.example", Refused, "ligature fi"),
    ("x2@home.example", "x\u{b2}@home.example", Refused, "superscript two"),
    ("a-b@home.example", "a\u{2010}b@home.example", Refused, "another hyphen"),
    ("a@b-c.example", "a@b\u{2010}c.example", Refused, "another hyphen in the domain"),
    ("j\u{f6}rg@home.example", "jo\u{308}rg@home.example", One, "composed and not"),
    ("\u{e5}sa@home.example", "\u{212b}sa@home.example", Refused, "Angstrom sign"),
    ("gross@home.example", "gro\u{df}@home.example", Refused, "sharp s before the @"),
    ("a@b\u{fc}cher.example", "a@xn--bcher-kva.example", One, "a domain and its A-label"),
    ("a@B\u{dc}CHER.example", "a@XN--Bcher-KVA.example", One, "the same in capitals"),
    ("a@bu\u{308}cher.example", "a@b\u{fc}cher.example", One, "a domain not composed"),
    ("a@apple.example", "a@xn--80ak6aa92e.example", Refused, "Cyrillic behind an A-label"),
    ("a@strasse.example", "a@xn--strae-oqa.xn--example-", Refused, "an A-label of nothing"),
    ("a@192.0.2.7.example", "a@192.0.2.7", Refused, "an IP address"),
];

#[test]
fn of_two_addresses_that_look_alike_there_is_one_or_the_second_is_refused() {
    let mut wrong = vec![];
    for (first, second, expected, what) in PAIRS {
        let first = EmailAddress::parse(first).unwrap().canonical();
        let found = match EmailAddress::parse(second) {
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
