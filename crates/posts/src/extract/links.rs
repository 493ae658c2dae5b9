//! Links and cashtags by the rules of twitter-text.

use std::ops::Range;

use super::top_domains;

/// Which bare domains (`example.com` without `https://`) are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// Those under any known top-level domain, as X links them.
    Any,
    /// Those under the most common ones, or with a path: "I am done.in fact" is no link to a reader of words. Behind
    /// `https://` any ending counts.
    Sure,
}

/// Endings that make a bare domain a link for a reader of words.
const COMMON_TOPS: [&str; 9] = ["com", "org", "edu", "gov", "net", "info", "biz", "mil", "int"];
/// Longest label of a host name (RFC 1035).
const MAX_LABEL: usize = 63;
/// Longest key of X's own short links.
const MAX_SHORT: usize = 40;

/// The link that holds the `.` or `:` at `here`; nothing before `floor` belongs to it.
pub(super) fn link(text: &str, floor: usize, here: usize, bare: Bare) -> Option<Range<usize>> {
    if text[here..].starts_with("://") {
        let scheme = ["https", "http"].into_iter().find(|s| ends_with_ignoring_case(&text[floor..here], s))?;
        let start = here - scheme.len();
        let begins = here + 3;
        let known = || host(text, begins, false, false).or_else(|| host(text, begins, true, false));
        let host = known().or_else(|| host(text, begins, true, true).filter(|_| bare == Bare::Sure))?;
        let end = tail_end(text, host.end);
        if !free_before(text, start) {
            return None;
        }
        let short = text[begins..host.end].eq_ignore_ascii_case("t.co");
        return if short { short_link(text, host.end, end, bare).map(|end| start..end) } else { Some(start..end) };
    }
    if !text[here..].starts_with('.') {
        return None;
    }
    // A bare domain: walk back over its first label, then read it from there.
    let label = text[floor..here].chars().rev().take_while(|c| is_label(*c, false)).map(char::len_utf8).sum::<usize>();
    let start = here - label;
    if label == 0 || !free_before(text, start) || text[..start].ends_with(['-', '_', '.', '/']) {
        return None;
    }
    let host = host(text, start, false, false)?;
    let common = || COMMON_TOPS.iter().any(|t| t.eq_ignore_ascii_case(&text[host.top.clone()]));
    let sure = bare == Bare::Any || text[host.end..].starts_with('/') || common();
    sure.then(|| start..tail_end(text, host.end))
}

fn ends_with_ignoring_case(text: &str, end: &str) -> bool {
    text.len().checked_sub(end.len()).and_then(|cut| text.get(cut..)).is_some_and(|t| t.eq_ignore_ascii_case(end))
}

/// A link may not be glued to a word or a sign.
fn free_before(text: &str, start: usize) -> bool {
    let before = text[..start].chars().next_back();
    before.is_none_or(|c| !c.is_ascii_alphanumeric() && !"@＠$#＃\u{fffe}\u{feff}\u{ffff}".contains(c))
}

struct Host {
    end: usize,
    /// Its top-level domain.
    top: Range<usize>,
}

/// The longest host name at `start`: labels, the last but one without `_`, and a top-level domain. `unicode`: labels in any
/// script, which need a scheme before them; `any_top`: endings that are not known count too.
fn host(text: &str, start: usize, unicode: bool, any_top: bool) -> Option<Host> {
    let (mut best, mut at) = (None, start);
    loop {
        let length = text[at..].find(|c| !is_label(c, unicode)).unwrap_or(text.len() - at);
        let label = &text[at..at + length];
        let edge = |c: Option<char>| c.is_some_and(|c| !matches!(c, '-' | '_'));
        let whole = edge(label.chars().next()) && edge(label.chars().next_back()) && label.chars().count() <= MAX_LABEL;
        // What begins like Punycode must be it.
        let coded = label.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--")) && !label.is_ascii();
        if !whole || coded || !text[at + length..].starts_with('.') {
            return best;
        }
        let next = at + length + 1;
        if let Some(top) = top_length(&text[next..], any_top).filter(|_| !label.contains('_')) {
            best = Some(Host { end: next + top, top: next..next + top });
        }
        at = next;
    }
}

fn is_label(c: char, unicode: bool) -> bool {
    if !unicode {
        return c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_accented(c);
    }
    let punctuation = c.is_ascii_punctuation() && c != '-' || ('\u{2000}'..='\u{206f}').contains(&c);
    !punctuation && !c.is_whitespace() && !c.is_control()
}

/// Bytes of a top-level domain at the start of a text.
fn top_length(text: &str, any: bool) -> Option<usize> {
    let ends = |length: usize| !text[length..].starts_with(|c: char| c.is_ascii_alphanumeric() || "@+-".contains(c));
    let length = text.bytes().take(MAX_LABEL + 1).take_while(u8::is_ascii_alphanumeric).count();
    if text[length..].starts_with(|c: char| !c.is_ascii()) {
        let known = top_domains::OTHER.iter().filter(|t| text.starts_with(**t)).map(|t| t.len()).max();
        let letters = || text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let other = known.or_else(|| Some(letters()).filter(|_| any && length == 0)).filter(|l| *l > 0 && ends(*l));
        if other.is_some() || length == 0 {
            return other;
        }
    }
    if text.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--")) {
        let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
        return (length > 4).then_some(length);
    }
    let lower = text[..length].to_ascii_lowercase();
    let known = top_domains::ASCII.binary_search(&lower.as_str()).is_ok();
    let like = any && length >= 2 && lower.bytes().all(|b| b.is_ascii_alphabetic());
    ((known || like) && ends(length)).then_some(length)
}

/// Where port, path and query after a host that ends at `end` end, without closing punctuation.
fn tail_end(text: &str, mut end: usize) -> usize {
    if let Some(port) = text[end..].strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        end += if digits > 0 { digits + 1 } else { 0 };
    }
    if text[end..].starts_with('/') {
        end = path_end(text, end + 1);
    }
    query_end(text, end)
}

/// The path may hold brackets in pairs, and ends in a letter, a digit, one of `=_#/+-` or a pair of brackets.
fn path_end(text: &str, start: usize) -> usize {
    let (mut end, mut at) = (start, start);
    while let Some(c) = text[at..].chars().next() {
        if c == '(' {
            match brackets(&text[at..]) {
                Some(length) => {
                    at += length;
                    end = at;
                    continue;
                }
                None => break,
            }
        }
        if !is_path(c) {
            break;
        }
        at += c.len_utf8();
        if !"!*';:,.$%[]–~|&@".contains(c) {
            end = at;
        }
    }
    end
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!*';:=+,.$/%#[]-–_~|&@".contains(c) || is_cyrillic(c) || is_accented(c)
}

/// Bytes of `(...)` or `(..(..)..)` with something inside.
fn brackets(text: &str) -> Option<usize> {
    let run = |from: usize| text[from..].find(|c| !is_path(c)).map_or(text.len(), |l| from + l);
    let first = run(1);
    match text[first..].chars().next()? {
        ')' if first > 1 => Some(first + 1),
        '(' => {
            let inner = run(first + 1);
            let last = (inner > first + 1 && text[inner..].starts_with(')')).then(|| run(inner + 1))?;
            text[last..].starts_with(')').then_some(last + 1)
        }
        _ => None,
    }
}

/// The query ends in a letter, a digit or one of `-_&=#/`.
fn query_end(text: &str, start: usize) -> usize {
    let Some(query) = text[start..].strip_prefix('?') else { return start };
    let part = |c: char| c.is_ascii_alphanumeric() || "!?*'();:&=+$/%#[]-_.,~|@".contains(c);
    let length = query.find(|c| !part(c)).unwrap_or(query.len());
    let kept = query[..length].trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || "-_&=#/".contains(c)));
    if kept.is_empty() { start } else { start + 1 + kept.len() }
}

/// Where a short link of X ends: its keys are letters and digits, so what follows them is not part of it.
fn short_link(text: &str, host: usize, end: usize, bare: Bare) -> Option<usize> {
    let key = text[host..].strip_prefix('/').map_or(0, |p| p.bytes().take_while(u8::is_ascii_alphanumeric).count());
    match key {
        0 => Some(end),
        1..=MAX_SHORT => Some(query_end(text, host + 1 + key)),
        _ => (bare == Bare::Sure).then_some(end),
    }
}

fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{4ff}').contains(&c)
}

/// Latin letters with accents, which names of hosts, paths and (not) handles hold.
pub(super) fn is_accented(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{253}' | '\u{254}' | '\u{256}'
        | '\u{257}' | '\u{259}' | '\u{25b}' | '\u{263}' | '\u{268}' | '\u{26f}' | '\u{272}' | '\u{289}' | '\u{28b}'
        | '\u{2bb}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

/// Cashtags (`$GOOG`, `$BRK.A`), the sign included.
pub(super) fn cashtags(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (here, _) in text.match_indices('$') {
        let marks =
            "\u{180e}\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let free = text[..here].chars().next_back().is_none_or(|c| c.is_whitespace() || marks.contains(c));
        let body = &text[here + 1..];
        let letters =
            |from: usize, most: usize| body.bytes().skip(from).take(most).take_while(u8::is_ascii_alphabetic).count();
        let ends =
            |length: usize| body[length..].chars().next().is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation());
        let first = letters(0, 6);
        let more = if body[first..].starts_with(['.', '_']) { letters(first + 1, 2) } else { 0 };
        let long = first + 1 + more;
        let length = if more > 0 && ends(long) { long } else { first };
        if free && first > 0 && ends(length) {
            found.push(here..here + 1 + length);
        }
    }
    found
}
