//! A post taken apart once, for all features of its author.

use crate::posts::Post;
use crate::posts::extract::{EntityKind, entities};

/// Something about a post, with its name.
pub type Named<T> = (&'static str, fn(&Reading<'_>) -> T);

/// What the features ask of a post.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// The post.
    pub post: &'a Post,
    /// Passes on someone else's post ("RT @...").
    pub retweet: bool,
    /// Answers someone.
    pub reply: bool,
    /// Words of letters and digits in lower case, without tags, mentions and links.
    pub words: Vec<String>,
    /// Everything in order: words in lower case with digits as `0`, single signs, `<url>`, `<user>`, `<tag>`.
    pub tokens: Vec<String>,
    /// Host of each link.
    pub hosts: Vec<String>,
    /// Handles or ids in lower case.
    pub mentions: Vec<String>,
    /// Hashtags in lower case.
    pub hashtags: Vec<String>,
}

impl<'a> Reading<'a> {
    /// Takes `post` apart.
    pub fn of(post: &'a Post) -> Reading<'a> {
        let text = post.text.as_str();
        let mut r = Reading {
            post,
            retweet: text.starts_with("RT @"),
            reply: post.reply_to.is_some() || text.starts_with('@'),
            words: Vec::new(),
            tokens: Vec::new(),
            hosts: Vec::new(),
            mentions: Vec::new(),
            hashtags: post.hashtags.iter().map(|t| t.to_lowercase()).collect(),
        };
        let names = post.mentions.iter().filter_map(|m| m.handle.as_ref().or(m.id.as_ref()));
        r.mentions = names.map(|n| n.to_lowercase()).collect();
        let mut at = 0;
        for entity in entities(text) {
            r.plain(&text[at..entity.range.start]);
            let token = match entity.kind {
                EntityKind::Link => {
                    r.hosts.push(host(&text[entity.range.clone()]));
                    "<url>"
                }
                EntityKind::Hashtag => "<tag>",
                EntityKind::Mention | EntityKind::List => "<user>",
            };
            r.tokens.push(token.into());
            at = entity.range.end;
        }
        r.plain(&text[at..]);
        r
    }

    /// Words and signs of a stretch without entities.
    fn plain(&mut self, text: &str) {
        let mut word = String::new();
        for c in text.chars().chain([' ']) {
            if c.is_alphanumeric() || (c == '\'' && !word.is_empty()) {
                word.extend(c.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                let word = std::mem::take(&mut word);
                self.tokens.push(word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect());
                self.words.push(word);
            }
            if !c.is_whitespace() {
                self.tokens.push(c.to_string());
            }
        }
    }
}

/// Host of a link, lower case.
fn host(link: &str) -> String {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_taken_apart() {
        let text = "RT @Ann: It's 25 degrees! #Hot https://Example.com/x?y";
        let post = Post { text: text.into(), hashtags: vec!["Hot".into()], ..Post::default() };
        let r = Reading::of(&post);
        assert!(r.retweet && !r.reply);
        assert_eq!(r.words, ["rt", "it's", "25", "degrees"]);
        assert_eq!(r.tokens, ["rt", "<user>", ":", "it's", "00", "degrees", "!", "<tag>", "<url>"]);
        assert_eq!((r.hosts[0].as_str(), r.hashtags[0].as_str()), ("example.com", "hot"));
    }
}
