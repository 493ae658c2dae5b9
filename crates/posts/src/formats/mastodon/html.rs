//! The text of a post's HTML: what its author typed, with line breaks, whole links and no fallback for quotes.
//!
//! Servers clean the HTML they give out, so this reads tags only as far as text depends on them; anything else is taken
//! as text, never lost. Links are shortened for the eye by spans of the class `invisible`, whose text stays.

use std::borrow::Cow;

/// A post's text and the tags that were linked in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Converted {
    pub text: String,
    /// Linked tags in order: as written without `#`, and the last part of the link.
    pub tags: Vec<(String, String)>,
}

/// Elements whose text is none of the post's.
const HIDDEN: [&str; 3] = ["script", "style", "template"];
/// Elements that stand in paragraphs of their own.
const BLOCKS: [&str; 12] = ["p", "blockquote", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "table"];
/// Elements that stand on lines of their own.
const LINES: [&str; 3] = ["li", "div", "tr"];

/// Reads HTML.
pub(super) fn convert(html: &str) -> Converted {
    let mut out = Writer::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.text(&rest[..at]);
        rest = &rest[at..];
        let Some(tag) = tag(rest) else {
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            } else {
                out.text("<");
                rest = &rest[1..];
            }
            continue;
        };
        rest = &rest[tag.length..];
        let name = tag.name.to_ascii_lowercase();
        let hidden = HIDDEN.contains(&name.as_str()) || tag.has_class("quote-inline");
        if hidden && !tag.closes && !tag.inside.ends_with('/') {
            rest = after_element(rest, &name);
            continue;
        }
        match name.as_str() {
            "br" => out.breaks += 1,
            "a" => out.link(&tag),
            "pre" => {
                out.kept = if tag.closes { out.kept.saturating_sub(1) } else { out.kept + 1 };
                out.breaks = out.breaks.max(2);
            }
            name if BLOCKS.contains(&name) => out.breaks = out.breaks.max(2),
            name if LINES.contains(&name) => out.breaks = out.breaks.max(1),
            _ => {}
        }
    }
    out.text(rest);
    out.done
}

/// The text of HTML, where nothing else is asked for.
pub(super) fn text(html: &str) -> String {
    convert(html).text
}

/// A tag at the start of a text.
struct Tag<'a> {
    name: &'a str,
    closes: bool,
    /// What follows the name.
    inside: &'a str,
    length: usize,
}

impl<'a> Tag<'a> {
    fn has_class(&self, class: &str) -> bool {
        self.attribute("class").is_some_and(|c| c.split_ascii_whitespace().any(|c| c == class))
    }

    /// The value of an attribute.
    fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.inside.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let key = &rest[..end];
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let start = usize::from(quote.is_some());
                let stop = after[start..].find(|c: char| quote.map_or(c.is_ascii_whitespace(), |q| c == q));
                let stop = stop.map_or(after.len(), |s| s + start);
                value = &after[start..stop];
                rest = &after[(stop + start).min(after.len())..];
            }
            if key.eq_ignore_ascii_case(name) {
                return Some(htmlize::unescape_attribute(value));
            }
            rest = rest.trim_start();
        }
        None
    }
}

/// The tag that `html` starts with; a `<` that no tag follows is text.
fn tag(html: &str) -> Option<Tag<'_>> {
    let body = html.strip_prefix('<')?;
    let closes = body.starts_with('/');
    let start = 1 + usize::from(closes);
    if !html[start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let name = html[start..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(html.len(), |l| start + l);
    let mut quote = None;
    let end = html.as_bytes()[name..].iter().position(|b| {
        match quote {
            Some(q) if q == *b => quote = None,
            None if matches!(b, b'"' | b'\'') => quote = Some(*b),
            _ => return quote.is_none() && *b == b'>',
        }
        false
    })?;
    Some(Tag { name: &html[start..name], closes, inside: &html[name..name + end], length: name + end + 1 })
}

/// What follows the element that was just opened; nothing, if it is never closed.
fn after_element<'a>(mut rest: &'a str, name: &str) -> &'a str {
    let mut depth = 1;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        match tag(rest) {
            Some(tag) => {
                rest = &rest[tag.length..];
                if tag.name.eq_ignore_ascii_case(name) && !tag.inside.ends_with('/') {
                    depth = if tag.closes { depth - 1 } else { depth + 1 };
                }
                if depth == 0 {
                    return rest;
                }
            }
            None => rest = &rest[1..],
        }
    }
    ""
}

/// Writes text with white space as a browser shows it.
#[derive(Default)]
struct Writer {
    done: Converted,
    /// Line breaks due before the next word.
    breaks: usize,
    /// A space is due before the next word.
    space: bool,
    /// Depth of elements whose white space is kept.
    kept: usize,
    /// Where the text of an open tag link begins, and the last part of its address.
    link: Option<(usize, String)>,
}

impl Writer {
    fn text(&mut self, html: &str) {
        for c in htmlize::unescape(html).chars() {
            if c.is_ascii_whitespace() {
                match (self.kept > 0, c) {
                    (true, '\n') => self.breaks += 1,
                    (true, ' ' | '\t') if self.breaks == 0 => self.done.text.push(c),
                    _ => self.space = true,
                }
                continue;
            }
            if !self.done.text.is_empty() {
                if self.breaks > 0 {
                    self.done.text.extend(std::iter::repeat_n('\n', self.breaks));
                } else if self.space {
                    self.done.text.push(' ');
                }
            }
            (self.breaks, self.space) = (0, false);
            self.done.text.push(c);
        }
    }

    /// Notes where a link to a tag begins, or the tag where it ends.
    fn link(&mut self, tag: &Tag) {
        if !tag.closes {
            let of_tag = tag.has_class("hashtag")
                || tag.attribute("rel").is_some_and(|r| r.split_ascii_whitespace().any(|r| r == "tag"));
            let last = |href: Cow<str>| href.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            self.link = of_tag.then(|| (self.done.text.len(), tag.attribute("href").map(last).unwrap_or_default()));
        } else if let Some((start, last)) = self.link.take() {
            let written = self.done.text[start..].trim().trim_start_matches(['#', '＃']);
            if !written.is_empty() {
                self.done.tags.push((written.to_owned(), last));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_post_reads_as_it_was_typed() {
        let html = r#"<p>Hi <span class="h-card"><a href="https://a.example/@ann" class="u-url mention">@<span>ann</span></a></span>,<br />see
            <a href="https://b.example/long/way" rel="nofollow"><span class="invisible">https://</span><span class="ellipsis">b.example/lo</span><span class="invisible">ng/way</span></a></p><p>1 &lt; 2 &amp;amp; &quot;x&quot;&nbsp;&#x1F600; <a href="https://a.example/tags/koln/" class="mention hashtag" rel="tag">#<span>Köln</span></a></p>"#;
        let found = convert(html);
        assert_eq!(found.text, "Hi @ann,\nsee https://b.example/long/way\n\n1 < 2 &amp; \"x\"\u{a0}\u{1f600} #Köln");
        assert_eq!(found.tags, [("Köln".to_owned(), "koln".to_owned())]);
    }

    #[test]
    fn lists_code_and_quotes_keep_their_lines() {
        assert_eq!(
            text("<ul><li>one</li><li>two</li></ul><pre><code>a  b\n  c</code></pre>z"),
            "one\ntwo\n\na  b\nc\n\nz"
        );
        assert_eq!(text("<p class='quote-inline'>RE: <a href='x'>x</a></p><p>mine</p>"), "mine");
        assert_eq!(text("<span class=\"a quote-inline\">RE: <span>y</span></span>mine<br><br>more"), "mine\n\nmore");
        assert_eq!(text("a<script>1 < 2</script><!-- c --><style>x</style>b"), "ab");
    }

    #[test]
    fn what_is_no_tag_is_text() {
        for plain in ["1 < 2", "<3", "a <b", "x<>y", "<", "< p>", "a & b &unknown; &"] {
            assert_eq!(text(plain), plain);
        }
        assert_eq!(text("<p title='a>b'>x</P>"), "x");
        assert_eq!(text("<!-- open"), "");
    }

    proptest! {
        #[test]
        fn nothing_panics(html in "(</?(p|br|a|pre|li|script)( ?/| class=\"hashtag\"| href='x/y')?>|[<>&;'\"= /!-]|&amp;|&#[0-9]{1,9};|\\PC){0,30}") {
            convert(&html);
        }
    }
}
