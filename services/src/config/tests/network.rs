//! How clients and links reach the API.

use super::{layers, refusal};
use crate::config::Config;

/// Behind a proxy all clients have its address, and share what one may ask.
#[test]
fn a_proxy_that_is_not_counted_is_warned_of() {
    let warned = |settings: &[(&str, &str)]| {
        Config::of(&layers(settings, &[])).unwrap().network_warnings().join(" ")
    };
    let everywhere = ("listen", "0.0.0.0:8080");
    let public = ("public_url", "https://lethe.example");
    assert_eq!(warned(&[]), "");
    assert_eq!(warned(&[everywhere, public, ("trusted_proxies", "1")]), "");
    assert!(warned(&[everywhere, public]).contains("trusted_proxies is 0"));
    assert!(warned(&[public]).contains("trusted_proxies is 0"));
    let local = warned(&[everywhere, ("public_url", "http://localhost:8080")]);
    assert!(local.contains("links in mails begin with http://localhost:8080"), "{local}");
    let alone = warned(&[("listen", "192.0.2.1:8080")]);
    assert!(alone.contains("links in mails begin with http://192.0.2.1:8080"), "{alone}");
}

#[test]
fn links_do_not_lead_to_an_address_that_is_every_address() {
    let url = |settings: &[(&str, &str)], listens: &str| {
        Config::of(&layers(settings, &[])).unwrap().public_url_at(listens.parse().unwrap())
    };
    assert_eq!(url(&[], "127.0.0.1:7"), "http://127.0.0.1:7");
    for everywhere in ["0.0.0.0:7", "[::]:7", "[::ffff:0.0.0.0]:7"] {
        let refused = refusal(&[("listen", everywhere)]);
        assert!(refused.starts_with("public_url: is needed, since"), "{refused}");
        let local = ("public_url", "http://localhost:7");
        assert_eq!(url(&[("listen", everywhere), local], everywhere), "http://localhost:7");
    }
    assert_eq!(
        url(&[("public_url", "https://lethe.example/")], "0.0.0.0:7"),
        "https://lethe.example"
    );
}
