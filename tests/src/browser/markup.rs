//! Reads the markup of our own pages, which is regular: values are quoted, and what they hold is escaped.

use std::collections::BTreeMap;

/// A tag, and the text from there to the next one.
#[derive(Debug)]
pub struct Tag {
    /// Closing tags begin with a slash.
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
}

/// A form, as it would be sent.
#[derive(Debug, Default)]
pub struct SentForm {
    pub action: String,
    pub method: String,
    /// Names and values, in their order.
    pub fields: Vec<(String, String)>,
    /// Texts of the buttons, and what each adds.
    pub buttons: Vec<(String, Option<(String, String)>)>,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

pub fn tags(markup: &str) -> Vec<Tag> {
    let parts = markup.split('<').skip(1).filter_map(|part| part.split_once('>'));
    parts.map(|(tag, text)| read(tag, unescaped(text))).collect()
}

fn read(tag: &str, text: String) -> Tag {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (attribute, after) = rest.split_at(end);
        let quoted = after.strip_prefix("=\"").and_then(|after| after.split_once('"'));
        let (value, after) = quoted.unwrap_or(("", after));
        attributes.insert(attribute.to_owned(), unescaped(value));
        rest = after;
    }
    Tag { name: name.to_owned(), attributes, text }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// The text of the first element with this tag, and of all inside it.
pub fn text_of(markup: &str, name: &str) -> String {
    let close = format!("/{name}");
    let all = tags(markup);
    let inside = all.iter().skip_while(|tag| tag.name != name).take_while(|tag| tag.name != close);
    let texts: Vec<&str> =
        inside.map(|tag| tag.text.trim()).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

pub fn forms(markup: &str) -> Vec<SentForm> {
    let mut forms: Vec<SentForm> = Vec::new();
    for tag in tags(markup) {
        if tag.name == "form" {
            let [action, method] = ["action", "method"].map(|of| tag.attribute(of).to_owned());
            forms.push(SentForm { action, method, ..SentForm::default() });
        }
        let Some(form) = forms.last_mut() else { continue };
        let named = || (tag.attribute("name").to_owned(), tag.attribute("value").to_owned());
        match tag.name.as_str() {
            "input" => form.fields.push(named()),
            "button" => {
                let adds = tag.attributes.contains_key("name").then(named);
                form.buttons.push((tag.text.clone(), adds));
            }
            _ => {}
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<main><h1>Sign <b>in</b></h1><form method="post" action="a?b=1&amp;c=2">
        <input type="hidden" name="next" value="&quot;x&quot;"><input name="e" value required autofocus>
        <button name="answer" value="yes">Join</button><button>Go</button></form></main>"#;

    #[test]
    fn a_form_is_read_as_a_browser_would_send_it() {
        let forms = forms(PAGE);
        assert_eq!((forms.len(), forms[0].method.as_str()), (1, "post"));
        assert_eq!(forms[0].action, "a?b=1&c=2");
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(forms[0].fields, [field("next", "\"x\""), field("e", "")]);
        assert_eq!(forms[0].buttons[0], ("Join".to_owned(), Some(field("answer", "yes"))));
        assert_eq!(forms[0].buttons[1], ("Go".to_owned(), None));
        assert_eq!(text_of(PAGE, "h1"), "Sign in");
    }
}
