//! What came in: the numbers of an import, for people (Markdown) and for programs (JSON).

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::extract;
use super::facts::{Facts, author_hash};
use super::post::Post;
use crate::component::{Component, PerComponent};

/// Which of the five components a post has. Text counts if words remain without tags, mentions and links.
pub fn components(post: &Post) -> PerComponent<bool> {
    components_with(post, extract::has_words(&post.text))
}

/// [`components`] of a post whose text is known to have words or not.
fn components_with(post: &Post, words: bool) -> PerComponent<bool> {
    PerComponent::from_fn(|c| match c {
        Component::Text => words,
        Component::Image => !post.images.is_empty(),
        Component::Hashtags => !post.hashtags.is_empty(),
        Component::Location => post.place.is_some(),
        Component::User => post.author.is_some(),
    })
}

/// Counts over posts as they go by.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    posts: u64,
    authors: HashSet<u64>,
    /// Posts by the set of their components, a bit each.
    combinations: [u64; 1 << Component::COUNT],
    coordinates: u64,
    profile_location: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    timed: u64,
    languages: BTreeMap<String, u64>,
}

/// Counts and shares of posts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Posts in the corpus.
    pub posts: u64,
    /// Different authors.
    pub authors: u64,
    /// Posts that have a component, in the fixed order.
    pub components: Vec<Share>,
    /// Posts by the components they have, most frequent first ("text+user").
    pub combinations: Vec<Share>,
    /// Posts whose text the source cut and no copy gave whole.
    pub truncated: u64,
    /// Posts with exact coordinates.
    pub coordinates: u64,
    /// Posts whose author's profile names a location.
    pub profile_location: u64,
    /// Posts with a time.
    pub timed: u64,
    /// Earliest time.
    pub first: Option<Timestamp>,
    /// Latest time.
    pub last: Option<Timestamp>,
    /// Languages as the source says, most frequent first; "" is unknown.
    pub languages: Vec<Share>,
}

/// How many posts something holds for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// What.
    pub name: String,
    /// Posts.
    pub posts: u64,
    /// Of all posts, 0 to 1.
    pub share: f64,
}

impl Tally {
    /// Counts a post.
    pub fn add(&mut self, post: &Post, facts: &Facts) {
        self.posts += 1;
        let has = components_with(post, facts.words);
        let bits = has.iter().fold(0, |bits, (c, has)| bits | usize::from(*has) << c as usize);
        self.combinations[bits] += 1;
        if let Some(author) = &post.author {
            self.authors.extend(facts.author);
            self.profile_location += u64::from(author.location.is_some());
        }
        self.coordinates += u64::from(post.geo.is_some());
        if let Some(time) = post.created_at {
            self.timed += 1;
            self.first = Some(self.first.map_or(time, |t| t.min(time)));
            self.last = Some(self.last.map_or(time, |t| t.max(time)));
        }
        let lang = post.lang.as_deref().unwrap_or("");
        super::formats::count_name(&mut self.languages, lang, 1);
    }

    /// Whether a post of this author was counted.
    pub fn has_author(&self, id: &str) -> bool {
        self.has_author_hash(author_hash(id))
    }

    /// [`Tally::has_author`] for an id whose hash is known.
    pub(super) fn has_author_hash(&self, hash: u64) -> bool {
        self.authors.contains(&hash)
    }

    /// The counts as shares.
    pub fn summary(&self) -> Summary {
        let share = |name: &str, posts: u64| Share {
            name: name.to_owned(),
            posts,
            share: if self.posts == 0 { 0.0 } else { posts as f64 / self.posts as f64 },
        };
        let with = |c: Component| {
            let sets = self.combinations.iter().enumerate().filter(|(bits, _)| bits >> c as usize & 1 == 1);
            sets.map(|(_, n)| n).sum()
        };
        let names = |bits: usize| {
            let all: Vec<&str> =
                Component::ALL.into_iter().filter(|c| bits >> *c as usize & 1 == 1).map(Component::name).collect();
            if all.is_empty() { "none".to_owned() } else { all.join("+") }
        };
        let used = self.combinations.iter().enumerate().filter(|(_, n)| **n > 0);
        let mut combinations: Vec<Share> = used.map(|(bits, n)| share(&names(bits), *n)).collect();
        let mut languages: Vec<Share> = self.languages.iter().map(|(l, n)| share(l, *n)).collect();
        for list in [&mut combinations, &mut languages] {
            list.sort_by(|a, b| b.posts.cmp(&a.posts).then_with(|| a.name.cmp(&b.name)));
        }
        Summary {
            posts: self.posts,
            authors: self.authors.len() as u64,
            components: Component::ALL.into_iter().map(|c| share(c.name(), with(c))).collect(),
            combinations,
            truncated: 0,
            coordinates: self.coordinates,
            profile_location: self.profile_location,
            timed: self.timed,
            first: self.first,
            last: self.last,
            languages,
        }
    }
}

impl fmt::Display for Summary {
    /// Markdown: a table of components, then the rest in lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} posts of {} authors\n", self.posts, self.authors)?;
        writeln!(f, "| component | posts | share |\n|---|---:|---:|")?;
        for c in &self.components {
            writeln!(f, "| {} | {} | {:.1} % |", c.name, c.posts, 100.0 * c.share)?;
        }
        writeln!(f, "\nexact coordinates: {}; profile location: {}", self.coordinates, self.profile_location)?;
        if self.truncated > 0 {
            writeln!(f, "texts that are cut and came whole nowhere: {}", self.truncated)?;
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            writeln!(f, "times: {first} to {last} ({} posts have one)", self.timed)?;
        }
        let list = |shares: &[Share], n: usize| -> String {
            let name = |s: &Share| if s.name.is_empty() { "unknown".to_owned() } else { s.name.clone() };
            let shown: Vec<String> = shares.iter().take(n).map(|s| format!("{} {}", name(s), s.posts)).collect();
            let more = if shares.len() > n { format!(", {} more", shares.len() - n) } else { String::new() };
            shown.join(", ") + &more
        };
        writeln!(f, "combinations: {}", list(&self.combinations, 6))?;
        writeln!(f, "languages: {}", list(&self.languages, 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_posts_and_combinations_add_up() {
        let mut tally = Tally::default();
        let mut add = |post: Post| tally.add(&post, &Facts::of(&post, false));
        add(Post { text: "words #a".into(), hashtags: vec!["a".into()], ..Post::default() });
        add(Post { text: "#a @b https://t.co/x".into(), lang: Some("en".into()), ..Post::default() });
        let summary = tally.summary();
        assert_eq!(summary.components[0], Share { name: "text".into(), posts: 1, share: 0.5 });
        assert_eq!(summary.combinations.iter().map(|c| c.posts).sum::<u64>(), 2);
        assert!(summary.combinations.iter().any(|c| c.name == "text+hashtags"));
        assert!(summary.to_string().contains("| hashtags | 1 | 50.0 % |"));
    }
}
