//! `[text]`: a post's text -> tokens, and what makes two texts the same.
//!
//! Rules, for every language alike: lower case; links and hashtags are taken out, mentions too unless they are kept;
//! words keep inner apostrophes, numbers inner points and commas; Chinese characters and Japanese kana stand alone;
//! an emoji with its modifiers, and any other symbol, is one token; equal punctuation in a row is one token of at most
//! three characters.

use quintet_kernels::rng::label;

use crate::config;
use crate::posts::Post;
use crate::posts::extract::{EntityKind, entities};

/// What to do with hashtags that stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InText {
    /// Leave them out: they are a component of their own.
    Drop,
    /// Keep them as words without `#`: the word vectors learn them in their context.
    Keep,
}

/// Tokens of a post's text component. With `hashtags_as_text` the tokens are the hashtags alone.
///
/// Punctuation alone says nothing, so a text without any other token has no tokens: the component is missing.
pub fn post_tokens(post: &Post, settings: &config::Text) -> Vec<String> {
    if settings.hashtags_as_text {
        return tags(post);
    }
    plain_tokens(&post.text, settings.keep_mentions)
}

/// Tokens of any text under the rules of the text component (place names are read by it, too).
pub fn plain_tokens(text: &str, keep_mentions: bool) -> Vec<String> {
    let tokens = tokenise(text, keep_mentions, InText::Drop);
    if tokens.iter().all(|t| is_punctuation(t)) { Vec::new() } else { tokens }
}

/// What the word vectors learn from a post: its tokens with the hashtags in their place, then tags that are not in the text.
pub fn learning_tokens(post: &Post, keep_mentions: bool) -> Vec<String> {
    let mut tokens = tokenise(&post.text, keep_mentions, InText::Keep);
    for tag in tags(post) {
        if !tokens.contains(&tag) {
            tokens.push(tag);
        }
    }
    tokens
}

/// The post's hashtags in lower case, without `#`, each once, in order.
pub fn tags(post: &Post) -> Vec<String> {
    let mut tags: Vec<String> = Vec::with_capacity(post.hashtags.len());
    for tag in &post.hashtags {
        let tag = tag.trim_start_matches(['#', '＃']).to_lowercase();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// A number equal for texts with equal tokens; never 0 unless there is no token.
pub fn text_key(tokens: &[String]) -> u64 {
    if tokens.is_empty() { 0 } else { content_key(tokens.iter().map(String::as_str)) }
}

/// A number, never 0, equal for equal lists of strings.
pub fn content_key<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first).max(1)
}

/// The distinct tokens as sorted 32-bit hashes: what near-duplicates are compared by.
pub fn token_set(tokens: &[String]) -> Vec<u32> {
    let mut set: Vec<u32> = tokens
        .iter()
        .map(|t| {
            let hash = label(t);
            (hash ^ (hash >> 32)) as u32
        })
        .collect();
    set.sort_unstable();
    set.dedup();
    set
}

/// Whether a token is nothing but punctuation.
pub fn is_punctuation(token: &str) -> bool {
    token.chars().all(punctuation)
}

fn tokenise(text: &str, keep_mentions: bool, hashtags: InText) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut from = 0;
    for entity in entities(text) {
        let range = entity.range;
        scan(&text[from..range.start], &mut tokens);
        let body = text[range.clone()].trim_start_matches(['#', '＃', '@', '＠']).to_lowercase();
        match entity.kind {
            EntityKind::Hashtag if hashtags == InText::Keep => tokens.push(body),
            EntityKind::Mention if keep_mentions => tokens.push(format!("@{body}")),
            _ => {}
        }
        from = range.end;
    }
    scan(&text[from..], &mut tokens);
    tokens
}

/// Cuts text without entities into tokens.
fn scan(text: &str, tokens: &mut Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        let end = if c.is_whitespace() || c.is_control() || invisible(c) {
            i += 1;
            continue;
        } else if stands_alone(c) {
            i + 1
        } else if c.is_alphanumeric() {
            word_end(&chars, i)
        } else if punctuation(c) {
            i + chars[i..].iter().take_while(|&&d| d == c).count()
        } else {
            symbol_end(&chars, i)
        };
        let kept = if punctuation(c) { end.min(i + 3) } else { end };
        let token: String = chars[i..kept].iter().filter(|&&d| !variation(d)).map(|&d| straight(d)).collect();
        if !token.is_empty() {
            tokens.push(token.to_lowercase());
        }
        i = end;
    }
}

/// End of the word or number that starts at `i`.
fn word_end(chars: &[char], i: usize) -> usize {
    let in_word = |c: char| (c.is_alphanumeric() || mark(c)) && !stands_alone(c);
    let mut end = i + 1;
    while let Some(&c) = chars.get(end) {
        let next = chars.get(end + 1).copied().unwrap_or(' ');
        let joins = match straight(c) {
            '\'' => in_word(chars[end - 1]) && in_word(next),
            '.' | ',' => chars[end - 1].is_numeric() && next.is_numeric(),
            _ => false,
        };
        if !in_word(c) && !joins {
            break;
        }
        end += 1;
    }
    end
}

/// End of the emoji sequence or other symbol that starts at `i` (Unicode TR 51: modifiers, joiners, tags, flags).
fn symbol_end(chars: &[char], i: usize) -> usize {
    let flag_letter = |c: Option<&char>| c.is_some_and(|c| ('\u{1F1E6}'..='\u{1F1FF}').contains(c));
    if flag_letter(chars.get(i)) {
        return if flag_letter(chars.get(i + 1)) { i + 2 } else { i + 1 };
    }
    let mut end = i + 1;
    while let Some(&c) = chars.get(end) {
        match c {
            '\u{200D}' if chars.get(end + 1).is_some_and(|n| !n.is_alphanumeric() && !n.is_whitespace()) => end += 2,
            '\u{1F3FB}'..='\u{1F3FF}' | '\u{20E3}' | '\u{E0020}'..='\u{E007F}' => end += 1,
            _ if variation(c) => end += 1,
            _ => break,
        }
    }
    end
}

/// Typographic apostrophes become the plain one.
fn straight(c: char) -> char {
    if matches!(c, '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{FF07}') { '\'' } else { c }
}

fn variation(c: char) -> bool {
    ('\u{FE00}'..='\u{FE0F}').contains(&c)
}

fn invisible(c: char) -> bool {
    variation(c)
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Scripts written without spaces: Han, Hiragana, Katakana. (Hangul has spaces.)
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309D}'..='\u{309F}'
        | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

/// Marks that continue a word and that `char::is_alphanumeric` does not count: accents, viramas, tone marks, joiners.
fn mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5BD}' | '\u{610}'..='\u{61A}'
        | '\u{64B}'..='\u{65F}' | '\u{6D6}'..='\u{6ED}' | '\u{E47}'..='\u{E4E}' | '\u{EC8}'..='\u{ECE}'
        | '\u{F18}'..='\u{F84}' | '\u{1037}'..='\u{103A}' | '\u{17B4}'..='\u{17D3}' | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}' | '\u{200C}' | '\u{200D}' | '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FE20}'..='\u{FE2F}')
        // Every Indic block of 128 has its nukta at 3C and its virama at 4D.
        || (('\u{900}'..='\u{D7F}').contains(&c) && matches!(c as u32 & 0x7F, 0x3C | 0x4D))
}

fn punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '\u{A1}' | '\u{A7}' | '\u{AB}' | '\u{B6}' | '\u{B7}' | '\u{BB}' | '\u{BF}' | '\u{589}' | '\u{5BE}'
            | '\u{5C0}' | '\u{5C3}' | '\u{60C}' | '\u{61B}' | '\u{61F}' | '\u{66A}'..='\u{66D}' | '\u{6D4}' | '\u{964}'
            | '\u{965}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{203B}' | '\u{203D}'..='\u{2048}'
            | '\u{204A}'..='\u{205E}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301F}'
            | '\u{30FB}' | '\u{FF01}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{FF3B}'..='\u{FF40}'
            | '\u{FF5B}'..='\u{FF65}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<String> {
        plain_tokens(text, false)
    }

    #[test]
    fn words_numbers_symbols_and_scripts() {
        assert_eq!(plain("Don’t stop, it's 3,000.50!!!!!"), ["don't", "stop", ",", "it's", "3,000.50", "!!!"]);
        assert_eq!(plain("I ❤️ NY 👩🏽‍🚀🇳🇿🇳🇿 ok"), ["i", "❤", "ny", "👩🏽‍🚀", "🇳🇿", "🇳🇿", "ok"]);
        assert_eq!(plain("東京タワーへ行くCafé"), ["東", "京", "タ", "ワ", "ー", "へ", "行", "く", "café"]);
        assert_eq!(plain("हिन्दी สวัสดี'"), ["हिन्दी", "สวัสดี", "'"]);
        assert_eq!(plain("1️⃣ e\u{301}t\u{200b}e"), ["1\u{20e3}", "e\u{301}t", "e"]);
    }

    #[test]
    fn entities_go_and_mentions_may_stay() {
        let text = "@Ann look #Sunset at https://t.co/abc?x=1 with a@b";
        assert_eq!(plain(text), ["look", "at", "with", "a", "@", "b"]);
        assert_eq!(plain_tokens(text, true)[0], "@ann");
        assert!(plain("#one #two, @x … https://t.co/1").is_empty());
    }

    #[test]
    fn hashtags_as_text_and_in_their_context() {
        let post = Post {
            text: "a #Red day".into(),
            hashtags: vec!["Red".into(), "red".into(), "Blue".into()],
            ..Post::default()
        };
        let settings = config::Text { hashtags_as_text: true, ..config::Text::default() };
        assert_eq!(post_tokens(&post, &settings), ["red", "blue"]);
        assert_eq!(learning_tokens(&post, false), ["a", "red", "day", "blue"]);
    }

    #[test]
    fn keys_tell_texts_apart() {
        assert_eq!(text_key(&plain("Hello  World")), text_key(&plain("hello world #tag")));
        assert_ne!(text_key(&plain("hello world")), text_key(&plain("helloworld")));
        assert_eq!(text_key(&[]), 0);
        assert_eq!(token_set(&plain("b a b")), token_set(&plain("a b")));
    }
}
