//! Finds hashtags, mentions, links and cashtags in a text by the twitter-text rules, and what is left without them.
//!
//! Used where a source gives no entities of its own, and by the text branch, which reads a post without its tags,
//! mentions and links. Rules: twitter-text (Apache-2.0) `Regex.java`; checked against its conformance suite in
//! `tests/twitter_text_conformance.rs`. [`entities`], which readers of words use, is careful with bare domains; [`links()`]
//! finds all that X would link.

mod links;
mod top_domains;

use std::ops::Range;

use self::links::{Bare, is_accented};
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
    Entities { text, at: 0, bare: Bare::Sure }.collect()
}

/// Entities of a text from a byte on.
struct Entities<'a> {
    text: &'a str,
    at: usize,
    bare: Bare,
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
                '.' | ':' => {
                    links::link(text, self.at, here, self.bare).map(|range| Entity { kind: EntityKind::Link, range })
                }
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

/// Bytes of the links that X would make, in order.
pub fn links(text: &str) -> Vec<Range<usize>> {
    let all = Entities { text, at: 0, bare: Bare::Any };
    all.filter(|e| e.kind == EntityKind::Link).map(|e| e.range).collect()
}

/// Bytes of the cashtags (`$GOOG`), the sign included, in order.
pub fn cashtags(text: &str) -> Vec<Range<usize>> {
    links::cashtags(text)
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
    for entity in (Entities { text, at: 0, bare: Bare::Sure }) {
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
        fn any_text_gives_ordered_ranges_on_character_borders(text in "([#@.:/$()?a1 é＃＠\u{fe0f}]|https?://|t\\.co/|com|みんな|\\PC){0,40}") {
            let mut end = 0;
            for entity in entities(&text) {
                prop_assert!(entity.range.start >= end && entity.range.end > entity.range.start);
                prop_assert!(text.get(entity.range.clone()).is_some());
                end = entity.range.end;
            }
            for range in links(&text).into_iter().chain(cashtags(&text)) {
                prop_assert!(text.get(range).is_some_and(|t| !t.is_empty()));
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
