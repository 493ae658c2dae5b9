//! What posts hold and when they were posted: days, hashtags, places, texts that were cut.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::PartCounts;
use crate::Post;
use crate::extract::looks_cut;

/// Names shown of each kind.
const TOP: usize = 20;

/// The most frequent of many names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Top {
    /// Different names.
    pub different: usize,
    /// Names that one post only has.
    pub once: usize,
    /// Posts that have any.
    pub posts: usize,
    /// The most frequent, most frequent first.
    pub top: Vec<Counted>,
}

/// A name and how many posts have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The name as people read it.
    pub name: String,
    /// Posts.
    pub posts: usize,
}

/// Counts of names as posts go by.
#[derive(Default)]
pub struct Contents {
    /// Hashtags in lower case.
    tags: HashMap<String, usize>,
    tagged: usize,
    /// Places by id: name and posts.
    places: HashMap<String, (String, usize)>,
    placed: usize,
}

impl Contents {
    /// Counts a post, and in `counts` what is counted by part.
    pub fn add(&mut self, counts: &mut PartCounts, post: &Post) {
        if let Some(at) = post.created_at {
            *counts.days.entry(at.to_zoned(TimeZone::UTC).date()).or_default() += 1;
        }
        counts.truncated += usize::from(looks_cut(&post.text));
        let mut tags: Vec<String> = post.hashtags.iter().map(|t| t.to_lowercase()).collect();
        tags.sort_unstable();
        tags.dedup();
        self.tagged += usize::from(!tags.is_empty());
        for tag in tags {
            *self.tags.entry(tag).or_default() += 1;
        }
        if let Some(place) = &post.place {
            self.placed += 1;
            let known = self.places.entry(place.id.clone()).or_default();
            known.1 += 1;
            if known.0.is_empty() {
                known.0 = place.name.clone().unwrap_or_default();
            }
        }
    }

    /// The most frequent hashtags and places.
    pub fn tops(self) -> (Top, Top) {
        let tags = top(self.tags.into_iter().map(|(tag, n)| (format!("#{tag}"), n)).collect(), self.tagged);
        let place = |(id, (name, n)): (String, (String, usize))| (if name.is_empty() { id } else { name }, n);
        (tags, top(self.places.into_iter().map(place).collect(), self.placed))
    }
}

fn top(mut names: Vec<(String, usize)>, posts: usize) -> Top {
    let once = names.iter().filter(|(_, n)| *n == 1).count();
    let different = names.len();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    names.truncate(TOP);
    Top { different, once, posts, top: names.into_iter().map(|(name, posts)| Counted { name, posts }).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_posts_not_times() {
        let mut contents = Contents::default();
        let mut counts = PartCounts::default();
        for tags in [&["Cats", "cats"][..], &["cats", "dogs"], &[]] {
            let hashtags = tags.iter().map(|t| (*t).to_owned()).collect();
            contents
                .add(&mut counts, &Post { hashtags, text: "so\u{2026} https://t.example/1".into(), ..Post::default() });
        }
        let (tags, places) = contents.tops();
        assert_eq!((tags.different, tags.once, tags.posts, places.posts), (2, 1, 2, 0));
        assert_eq!(tags.top[0], Counted { name: "#cats".into(), posts: 2 });
        assert_eq!(counts.truncated, 3);
    }
}
