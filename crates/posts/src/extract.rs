//! Finds hashtags, mentions and links in a text by the twitter-text rules, and what is left without them.
//!
//! Used where a source gives no entities of its own, and by the text branch, which reads a post without its tags,
//! mentions and links. Rules: twitter-text (Apache-2.0) `Regex.java`; checked against its conformance suite in
//! `tests/hashtags_and_mentions.rs`.

use std::ops::Range;

use super::unicode_tables::{DIGITS, LETTERS};

/// What an [`Entity`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// `#tag`
    Hashtag,
    /// `@account`
    Mention,
    /// `@account/list`: names a list, mentions nobody.
    List,
    /// `https://example.com/x` or `example.com/x`
    Link,
}

/// A hashtag, mention, list or link in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Bytes of the text, the sign (`#`, `@`) included.
    pub range: Range<usize>,
}

/// Whether a text ends as X ends one that it cuts: with an ellipsis, and perhaps links after it. People end texts so
/// too, so this is for where nothing better is known.
pub fn looks_cut(text: &str) -> bool {
    let is_link = |word: &str| word.starts_with("https://") || word.starts_with("http://");
    text.split_whitespace().rev().find(|word| !is_link(word)).is_some_and(|word| word.ends_with('\u{2026}'))
}

/// Entities in order of appearance, none overlapping another.
pub fn entities(text: &str) -> Vec<Entity> {
    Entities { text, at: 0 }.collect()
}

/// Entities of a text from a byte on.
struct Entities<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Entities<'_> {
    type Item = Entity;

    fn next(&mut self) -> Option<Entity> {
        let text = self.text;
        // Only these characters can begin an entity: a sign, or the dot or colon inside a link. 0xef begins ＃ and ＠.
        while let Some(step) =
            text.as_bytes()[self.at..].iter().position(|b| matches!(b, b'#' | b'@' | b'.' | b':' | 0xef))
        {
            let here = self.at + step;
            let sign = text[here..].chars().next()?;
            let entity = match sign {
                '#' | '＃' => hashtag(text, here, sign),
                '@' | '＠' => mention(text, here, sign),
                '.' | ':' => link(text, self.at, here),
                _ => None,
            };
            if let Some(entity) = entity {
                self.at = entity.range.end;
                return Some(entity);
            }
            self.at = here + sign.len_utf8();
        }
        None
    }
}

/// Hashtags without `#`, as written, in order, repeated ones included.
pub fn hashtags(text: &str) -> Vec<String> {
    names(text, &entities(text), EntityKind::Hashtag).collect()
}

/// Handles without `@`, as written, in order, repeated ones included.
pub fn mentions(text: &str) -> Vec<String> {
    names(text, &entities(text), EntityKind::Mention).collect()
}

/// The entities of one kind among those `found` in a text, without their sign.
pub fn names<'a>(text: &'a str, found: &'a [Entity], kind: EntityKind) -> impl Iterator<Item = String> + 'a {
    let name = |range: Range<usize>| text[range].trim_start_matches(['#', '＃', '@', '＠']).to_owned();
    found.iter().filter(move |e| e.kind == kind).map(move |e| name(e.range.clone()))
}

/// The text without the hashtags `tags` (lower case, without `#`), whatever their case and however often they occur; all
/// else stays as it is.
///
/// Unlike [`entities`] this also finds tags that are none by the rules but show the same word behind a sign (`#a#b`,
/// `x#a`, `a.com/#b`): what recommends tags must not read the answer there. The bare word without a sign stays.
pub fn without_tags(text: &str, tags: &[String]) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while let Some(step) = text[at..].find(['#', '＃']) {
        let here = at + step;
        let start = here + text[here..].chars().next().map_or(1, char::len_utf8);
        let length = text[start..].find(|c| !is_tag_letter(c) && !is_tag_other(c)).unwrap_or(text.len() - start);
        at = start + length;
        let word = text[start..at].to_lowercase();
        if tags.contains(&word) {
            kept.push_str(&text[from..here]);
            from = at;
        }
    }
    kept.push_str(&text[from..]);
    kept
}

/// Whether [`strip`] leaves anything of a text.
pub fn has_words(text: &str) -> bool {
    let mut at = 0;
    for entity in (Entities { text, at: 0 }) {
        if !text[at..entity.range.start].trim().is_empty() {
            return true;
        }
        at = entity.range.end;
    }
    !text[at..].trim().is_empty()
}

/// The text without hashtags, mentions, lists and links; runs of white space become one space.
pub fn strip(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for entity in entities(text) {
        kept.push_str(&text[at..entity.range.start]);
        kept.push(' ');
        at = entity.range.end;
    }
    kept.push_str(&text[at..]);
    let mut out = String::with_capacity(kept.len());
    for word in kept.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Whether `c` is in a table of code points where membership changes.
fn within(table: &[u32], c: char) -> bool {
    table.partition_point(|&edge| edge <= c as u32) % 2 == 1
}

fn is_tag_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { within(&LETTERS, c) }
}

/// Characters a hashtag may hold beside letters: decimal digits, `_`, joiners, and the marks twitter-text lists.
fn is_tag_other(c: char) -> bool {
    const SPECIAL: &str = "_\u{200c}\u{200d}\u{a67e}\u{5be}\u{5f3}\u{5f4}\u{ff5e}\u{301c}\u{309b}\u{309c}\u{30a0}\
                           \u{30fb}\u{3003}\u{f0b}\u{f0c}\u{b7}";
    if c.is_ascii() { c.is_ascii_digit() || c == '_' } else { within(&DIGITS, c) || SPECIAL.contains(c) }
}

/// The hashtag whose sign stands at `here`.
fn hashtag(text: &str, here: usize, sign: char) -> Option<Entity> {
    let before = text[..here].chars().next_back();
    // Variation selectors are marks, but they end an emoji, not a word.
    let free = before
        .is_none_or(|c| matches!(c, '\u{fe0e}' | '\u{fe0f}') || !(c == '&' || is_tag_letter(c) || is_tag_other(c)));
    let start = here + sign.len_utf8();
    let rest = &text[start..];
    // "#" with a keycap or an emoji presentation is a picture of the key.
    if !free || rest.starts_with(['\u{fe0f}', '\u{20e3}']) {
        return None;
    }
    let length = rest.find(|c| !is_tag_letter(c) && !is_tag_other(c)).unwrap_or(rest.len());
    let after = &rest[length..];
    let ends = !after.starts_with(['#', '＃']) && !after.starts_with("://");
    let valid = ends && rest[..length].chars().any(is_tag_letter);
    valid.then(|| Entity { kind: EntityKind::Hashtag, range: here..start + length })
}

/// The mention or list whose sign stands at `here`.
fn mention(text: &str, here: usize, sign: char) -> Option<Entity> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = text[..here].chars().next_back();
    let free = before.is_none_or(|c| !word(c) && !"!#$%&*@＠".contains(c));
    if !free && !after_rt(&text[..here]) {
        return None;
    }
    let start = here + sign.len_utf8();
    let rest = &text[start..];
    // X allows 15 characters, older accounts have up to 20; the rules take 20 and leave the rest.
    let length = rest.bytes().take(20).take_while(|b| word(*b as char)).count();
    let after = &rest[length..];
    if length == 0 || after.starts_with(['@', '＠']) || after.starts_with(is_accented) || after.starts_with("://") {
        return None;
    }
    let slug = list_slug(after);
    let kind = if slug > 0 { EntityKind::List } else { EntityKind::Mention };
    Some(Entity { kind, range: here..start + length + slug })
}

/// Bytes of `/list-name` at the start of `after`, 0 if there is none.
fn list_slug(after: &str) -> usize {
    let Some(name) = after.strip_prefix('/').filter(|n| n.starts_with(|c: char| c.is_ascii_alphabetic())) else {
        return 0;
    };
    1 + name.bytes().take(25).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count()
}

/// Whether a text ends in `RT` or `RT:` as a word of its own ("RT@name").
fn after_rt(before: &str) -> bool {
    let before = before.strip_suffix(':').unwrap_or(before);
    let Some(cut) = before.len().checked_sub(2).filter(|&c| before.is_char_boundary(c)) else { return false };
    let (head, rt) = before.split_at(cut);
    let glued = head.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || "_+~.-".contains(c));
    rt.eq_ignore_ascii_case("rt") && !glued
}

/// Latin letters with accents: a handle that runs into one is no handle.
fn is_accented(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{253}' | '\u{254}' | '\u{256}'
        | '\u{257}' | '\u{259}' | '\u{25b}' | '\u{263}' | '\u{268}' | '\u{26f}' | '\u{272}' | '\u{289}' | '\u{28b}'
        | '\u{2bb}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

/// The link that holds the `.` or `:` at `here`; nothing before `floor` belongs to it.
fn link(text: &str, floor: usize, here: usize) -> Option<Entity> {
    if text[here..].starts_with("://") {
        let scheme = ["https", "http"].into_iter().find(|s| ends_with_ignoring_case(&text[floor..here], s))?;
        let start = here - scheme.len();
        let host = here + 3;
        let end = host + host_length(&text[host..])?;
        return free_before_link(text, start)
            .then(|| Entity { kind: EntityKind::Link, range: start..end + tail_length(text, end) });
    }
    if !text[here..].starts_with('.') {
        return None;
    }
    // A bare domain: walk back over its first label, then read it from there.
    let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let first: usize = text[floor..here].bytes().rev().take_while(|b| label(*b as char)).count();
    let start = here - first;
    if first == 0 || !free_before_link(text, start) {
        return None;
    }
    let length = host_length(&text[start..])?;
    let end = start + length;
    let top = text[start..end].rsplit('.').next()?;
    let path = text[end..].starts_with('/');
    let known = COMMON_TOPS.iter().any(|t| t.eq_ignore_ascii_case(top));
    // Two letters may be a country or a missing space ("done.in"): a path decides.
    let country = top.len() == 2 && path;
    (known || country).then(|| Entity { kind: EntityKind::Link, range: start..end + tail_length(text, end) })
}

/// Endings that make a bare domain a link without a path.
const COMMON_TOPS: [&str; 9] = ["com", "org", "edu", "gov", "net", "info", "biz", "mil", "int"];

fn ends_with_ignoring_case(text: &str, end: &str) -> bool {
    text.len().checked_sub(end.len()).and_then(|cut| text.get(cut..)).is_some_and(|t| t.eq_ignore_ascii_case(end))
}

/// A link may not be glued to a word, a sign or another address.
fn free_before_link(text: &str, start: usize) -> bool {
    let before = text[..start].chars().next_back();
    before.is_none_or(|c| {
        !c.is_ascii_alphanumeric() && !"@＠$#＃_-./".contains(c) && !('\u{202a}'..='\u{202e}').contains(&c)
    })
}

/// Bytes of `label.label.top`, where the top has two or more letters and no digit; `None` if there is none.
fn host_length(text: &str) -> Option<usize> {
    let length = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    let host = text[..length].trim_end_matches(['.', '-', '_']);
    let (name, top) = host.rsplit_once('.')?;
    // Letters of other scripts may follow an ASCII ending without a space.
    let ascii = top.bytes().take_while(u8::is_ascii_alphabetic).count();
    let top = if ascii >= 2 && !top[ascii..].starts_with(|c: char| c.is_ascii()) { ascii } else { top.len() };
    let valid = !name.is_empty() && !name.starts_with('.') && top >= 2 && !host[name.len() + 1..].contains(['-', '_']);
    valid.then_some(name.len() + 1 + top)
}

/// Bytes of port, path, query and fragment after a host that ends at `end`, without closing punctuation.
fn tail_length(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    if !rest.starts_with(['/', '?', '#', ':']) {
        return 0;
    }
    let part = |c: char| c.is_ascii_alphanumeric() || "!*';:=+,.$%[]~|&@-_#?()/".contains(c) || is_accented(c);
    let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
    let mut tail =
        rest[..length].trim_end_matches(['!', '*', '\'', ';', ':', ',', '.', '$', '%', '[', ']', '~', '|', '?', '(']);
    // A closing bracket belongs to the link only if the link opened it.
    while tail.ends_with(')') && tail.matches(')').count() > tail.matches('(').count() {
        tail = tail[..tail.len() - 1].trim_end_matches(['.', ',', '!', '?', ';', ':']);
    }
    tail.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_branch_reads_a_post_without_tags_mentions_and_links() {
        assert_eq!(strip("RT @a_b: Sun #now in #Köln!  see https://t.co/aB1, ok"), "RT : Sun in ! see , ok");
        assert_eq!(strip("  plain\n words "), "plain words");
        assert_eq!(strip("#only @these http://t.co/x"), "");
    }

    #[test]
    fn tags_in_links_and_numbers_are_no_tags() {
        assert_eq!(hashtags("http://a.com/#x twitter.com/#y #16 &#39; #ok #a#b"), ["ok"]);
        assert_eq!(mentions("mail me@home.org, not f!@x, but .@you and RT@me"), ["you", "me"]);
    }

    #[test]
    fn named_tags_go_in_every_form_and_all_else_stays() {
        let tags = ["love".to_owned(), "köln".to_owned()];
        let text = "Love is  #LOVE ＃love, #loves #love#life x#Love &#love; a.com/#love #KÖLN #köln… #other #";
        assert_eq!(without_tags(text, &tags), "Love is   , #loves #life x &; a.com/  … #other #");
        assert_eq!(without_tags("#a\u{fe0f} plain", &[]), "#a\u{fe0f} plain");
    }

    #[test]
    fn bare_dots_are_not_links() {
        for text in ["I am done.in fact", "v1.2.3", "e.g. this...", "a.b", "... . .com"] {
            assert_eq!(entities(text), [], "{text}");
        }
    }

    #[test]
    fn links_end_before_closing_punctuation() {
        let text = "(see http://en.wikipedia.org/wiki/Primer_(film)). And bit.ly/x.";
        let found: Vec<&str> = entities(text).into_iter().map(|e| &text[e.range]).collect();
        assert_eq!(found, ["http://en.wikipedia.org/wiki/Primer_(film)", "bit.ly/x"]);
    }

    proptest! {
        #[test]
        fn any_text_gives_ordered_ranges_on_character_borders(text in "([#@.:/a1 é＃＠\u{fe0f}]|https?://|\\PC){0,40}") {
            let mut end = 0;
            for entity in entities(&text) {
                prop_assert!(entity.range.start >= end && entity.range.end > entity.range.start);
                prop_assert!(text.get(entity.range.clone()).is_some());
                end = entity.range.end;
            }
            prop_assert_eq!(has_words(&text), !strip(&text).is_empty());
        }

        #[test]
        fn no_removed_tag_is_left(text in "([#＃a1_ é\u{fe0f}]|\\PC){0,30}") {
            let tags: Vec<String> = hashtags(&text).iter().map(|tag| tag.to_lowercase()).collect();
            let left = without_tags(&text, &tags);
            prop_assert!(hashtags(&left).iter().all(|tag| !tags.contains(&tag.to_lowercase())), "{}", left);
        }
    }
}
