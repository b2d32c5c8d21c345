//! What real encoders print of a secret is masked: each text here is the output of the tool that is
//! named beside it.

use super::super::Masks;
use super::mask::text;

const LINE: &str = r#"it's "5" \ & <b> $HOME `x` a=~b é!"#;
const LINES: &str = "first line\nit's 2nd\tß";

#[track_caller]
fn all_masked(secret: &str, printed: &[(&str, &str, &str)]) {
    let masks = Masks::new(&[secret]).unwrap();
    for (tool, printed, masked) in printed {
        assert_eq!(text(&masks, printed), *masked, "{tool}");
    }
}

#[test]
fn what_shells_quote_is_masked() {
    all_masked(
        LINE,
        &[
            ("bash, printf %q", r#"it\'s\ \"5\"\ \\\ \&\ \<b\>\ \$HOME\ \`x\`\ a=\~b\ é\!"#, "***"),
            (
                "bash, printf %q, without UTF-8",
                r#"$'it\'s "5" \\ & <b> $HOME `x` a=~b \303\251!'"#,
                "$'***'",
            ),
            ("bash, set -x", r#"+ : 'it'\''s "5" \ & <b> $HOME `x` a=~b é!'"#, "+ : '***'"),
            ("bash, declare -p", r#"X="it's \"5\" \\ & <b> \$HOME \`x\` a=~b é!""#, "X=\"***\""),
            ("dash, export -p", r#"X='it'"'"'s "5" \ & <b> $HOME `x` a=~b é!'"#, "X='***'"),
            ("Compose", r#"it's "5" \ & <b> $$HOME `x` a=~b é!"#, "***"),
            ("SQL", r#"'it''s "5" \ & <b> $HOME `x` a=~b é!'"#, "'***'"),
            ("node, util.inspect", r#"'it\'s "5" \\ & <b> $HOME `x` a=~b é!'"#, "'***'"),
            ("Python, ascii", r#"'it\'s "5" \\ & <b> $HOME `x` a=~b \xe9!'"#, "'***'"),
        ],
    );
    all_masked(
        LINES,
        &[
            ("bash, printf %q", r"$'first line\nit\'s 2nd\tß'", "$'***'"),
            ("without UTF-8", r"$'first line\nit\'s 2nd\t\303\237'", "$'***'"),
            ("bash, set -x", "+ : 'first line\nit'\\''s 2nd\tß'", "+ : '***\n***'"),
            ("dash, export -p", "X='first line\nit'\"'\"'s 2nd\tß'", "X='***\n***'"),
        ],
    );
}

#[test]
fn what_stands_in_markup_is_masked() {
    all_masked(
        LINE,
        &[
            (
                "Python, html.escape",
                "it&#x27;s &quot;5&quot; \\ &amp; &lt;b&gt; $HOME `x` a=~b é!",
                "***",
            ),
            (
                "Python, quoteattr",
                "\"it's &quot;5&quot; \\ &amp; &lt;b&gt; $HOME `x` a=~b é!\"",
                "\"***\"",
            ),
            (
                "Python, xmlcharrefreplace",
                "it's \"5\" \\ &amp; &lt;b&gt; $HOME `x` a=~b &#233;!",
                "***",
            ),
            ("jq, @html", "it&apos;s &quot;5&quot; \\ &amp; &lt;b&gt; $HOME `x` a=~b é!", "***"),
            ("Go", "it&#39;s &#34;5&#34; \\ &amp; &lt;b&gt; $HOME `x` a=~b é!", "***"),
        ],
    );
    all_masked(
        LINES,
        &[
            ("Python, html.escape", "first line\nit&#x27;s 2nd\tß", "***\n***"),
            ("Python, quoteattr", "\"first line&#10;it's 2nd&#9;ß\"", "\"***\""),
            ("Go", "first line&#xA;it&#39;s 2nd&#x9;ß", "***"),
        ],
    );
}

#[test]
fn what_json_and_urls_hold_is_masked() {
    all_masked(
        "https://é.example/<a b>",
        &[
            ("PHP, json_encode", r#""https:\/\/\u00e9.example\/<a b>""#, "\"***\""),
            ("Go, json.Marshal", r#""https://é.example/\u003ca b\u003e""#, "\"***\""),
            ("node, URLSearchParams", "x=https%3A%2F%2F%C3%A9.example%2F%3Ca+b%3E", "x=***"),
            ("node, encodeURI", "https://%C3%A9.example/%3Ca%20b%3E", "***"),
        ],
    );
}

#[test]
fn hex_is_masked_in_rows_and_with_separators() {
    all_masked(
        "hunter22 and more text here and more and more",
        &[
            (
                "xxd -p",
                "68756e746572323220616e64206d6f72652074657874206865726520616e\n\
                 64206d6f726520616e64206d6f7265\n",
                "***\n***\n",
            ),
            (
                "od -An -tx1",
                " 68 75 6e 74 65 72 32 32 20 61 6e 64 20 6d 6f 72\n 65 20 74 65 78 74 20 68\n",
                " ***\n ***\n",
            ),
            (
                "xxd",
                "00000000: 6875 6e74 6572 3232 2061 6e64 206d 6f72  hun\n00000010: 6520 7465 78  e te\n",
                "00000000: ***  hun\n00000010: ***  e te\n",
            ),
            (
                "hexdump -C",
                "00000000  68 75 6e 74 65 72 32 32  20 61 6e 64 20 6d 6f 72  |hun|\n",
                "00000000  ***  ***  |hun|\n",
            ),
            ("openssl", "68:75:6E:74:65:72:32:32:20:61", "***"),
        ],
    );
    let masks = Masks::new(&["hunter22"]).unwrap();
    // A row holds fewer than four bytes of it.
    assert_eq!(text(&masks, "2d2d6875\n6e7465723232\n"), "2d2d6875\n***\n");
}

#[test]
fn a_folded_line_is_masked_but_for_short_words() {
    let secret =
        "host=db.example.org port=5432 user=ada dbname=lethe password=hunter22 a b sslmode=off";
    all_masked(
        secret,
        &[
            (
                "PyYAML",
                "url: host=db.example.org port=5432 user=ada dbname=lethe password=hunter22\n  a b sslmode=off\n",
                "url: *** *** *** *** ***\n  ***\n",
            ),
            (
                "PyYAML, double quotes",
                "\"host=db.example.org port=5432 user=ada dbname=lethe\\\n  \\ password=hunter22 a b sslmode=off\"",
                "\"*** *** *** ***\\\n  \\ ***\"",
            ),
            ("a word", "a b sslmode=off a b", "*** a b"),
        ],
    );
}

#[test]
fn the_password_of_a_url_is_masked_on_its_own_and_the_rest_is_not() {
    let masks = Masks::new(&["postgres://ada:p%40ss%2Fword@db.example.org:5432/lethe"]).unwrap();
    let printed = "postgres://ada:p%40ss%2Fword@db.example.org:5432/lethe\n\
                   p@ss/word p%40ss%2Fword \"p@ss\\/word\"\npostgres ada db.example.org 5432 lethe\n";
    let masked = "***\n*** *** \"***\"\npostgres ada db.example.org 5432 lethe\n";
    assert_eq!(text(&masks, printed), masked);

    // Too short, without a password, without a user.
    let masks =
        Masks::new(&["redis://:abc@host x://user@host https://example.org:443/a@b"]).unwrap();
    assert_eq!(text(&masks, "abc user host 443 443/a"), "abc user host 443 443/a");
    let masks = Masks::new(&["amqp://:s3cr3t@host"]).unwrap();
    assert_eq!(text(&masks, "s3cr3t host"), "*** host");
}

#[test]
fn a_long_secret_is_masked_as_one_in_every_style() {
    let secret: String = ('!'..='~').cycle().take(1_000).collect();
    let masks = Masks::new(&[&secret]).unwrap();
    assert_eq!(text(&masks, &secret), "***");
    assert_eq!(text(&masks, &serde_json::to_string(&secret).unwrap()), "\"***\"");
    assert_eq!(text(&masks, &hex::encode(&secret)), "***");
    // A command may print a part of it: it is masked in pieces.
    assert_eq!(text(&masks, &secret[320..448]), "***");
}
