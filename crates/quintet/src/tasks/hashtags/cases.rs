//! What is asked and what may be answered: posts without their tags, and the tags of the training part.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::features::Ragged;
use crate::features::text::{plain_tokens, tags, token_set};
use crate::posts::extract::without_tags;
use crate::posts::{Part, Post};

/// A post that has tags, as a recommender sees it, and its tags apart.
#[derive(Clone, Debug)]
pub struct Case {
    /// The post with every form of its tags taken out of the text, and without its list of tags.
    pub post: Post,
    /// Its tags in lower case, each once; never empty.
    pub tags: Vec<String>,
    /// Words of its text, mentions included, links and any other tags not.
    pub words: Vec<String>,
}

impl Case {
    /// The case of a post; `None` if it has no tag.
    pub fn of(post: &Post) -> Option<Case> {
        let tags = tags(post);
        (!tags.is_empty()).then(|| Case::without(post, tags))
    }

    /// A post to recommend tags for, whether it has some or not. What tags it has are hidden all the same.
    pub fn asking(post: &Post) -> Case {
        Case::without(post, tags(post))
    }

    fn without(post: &Post, tags: Vec<String>) -> Case {
        let post = Post { text: without_tags(&post.text, &tags), hashtags: Vec::new(), ..post.clone() };
        let words = plain_tokens(&post.text, true);
        Case { post, tags, words }
    }

    /// The author's id, where it is known.
    pub fn author(&self) -> Option<&str> {
        self.post.author.as_ref().map(|author| author.id.as_str())
    }

    /// The place's id, where there is one.
    pub fn place(&self) -> Option<&str> {
        self.post.place.as_ref().map(|place| place.id.as_str())
    }
}

/// The tags that may be recommended: those of the training part, most frequent first, equally frequent ones by name. A list
/// with equal scores keeps this order, so a model that tells nothing apart recommends the most frequent tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, u32)>", into = "Vec<(String, u32)>")]
pub struct Candidates {
    /// Tag and number of training posts that have it.
    pub tags: Vec<(String, u32)>,
    index: HashMap<String, u32>,
}

impl From<Vec<(String, u32)>> for Candidates {
    fn from(tags: Vec<(String, u32)>) -> Candidates {
        Candidates::new(tags)
    }
}

impl From<Candidates> for Vec<(String, u32)> {
    fn from(candidates: Candidates) -> Vec<(String, u32)> {
        candidates.tags
    }
}

impl Candidates {
    /// The tags of training cases.
    pub fn of(train: &[Case]) -> Candidates {
        let mut counts: HashMap<&str, u32> = HashMap::new();
        train.iter().flat_map(|case| &case.tags).for_each(|tag| *counts.entry(tag).or_default() += 1);
        let mut tags: Vec<(String, u32)> = counts.into_iter().map(|(tag, count)| (tag.to_owned(), count)).collect();
        tags.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Candidates::new(tags)
    }

    /// Candidates in this order.
    pub fn new(tags: Vec<(String, u32)>) -> Candidates {
        let index = tags.iter().zip(0..).map(|((tag, _), at)| (tag.clone(), at)).collect();
        Candidates { tags, index }
    }

    /// Number of candidates.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// True if no training post has a tag.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Position of a tag, if it is one.
    pub fn position(&self, tag: &str) -> Option<u32> {
        self.index.get(tag).copied()
    }

    /// Positions of the tags of each case; tags that are no candidates are left out.
    pub fn of_cases(&self, cases: &[Case]) -> Ragged<u32> {
        let mut all = Ragged::default();
        cases.iter().for_each(|case| all.push(case.tags.iter().filter_map(|tag| self.position(tag))));
        all
    }
}

/// Which training posts a training post must not learn from when it stands in for an unknown one: itself, its
/// near-duplicates, and, where the authors of the dev part are strangers to the training part, its author's other posts.
#[derive(Clone, Debug)]
pub struct Apart {
    /// Equal numbers are equal authors; a post without one has a number of its own.
    author: Vec<u32>,
    strangers: bool,
    /// Distinct words, hashed and sorted.
    words: Vec<Vec<u32>>,
}

impl Apart {
    /// For the training cases; `others` are the authors of the dev part.
    pub fn new<'a>(train: &[Case], others: impl IntoIterator<Item = &'a str>) -> Apart {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut next = 0;
        let mut fresh = || {
            next += 1;
            next - 1
        };
        let author = train.iter().map(|case| match case.author() {
            Some(author) => *numbers.entry(author).or_insert_with(&mut fresh),
            None => fresh(),
        });
        let author = author.collect();
        let mut others = others.into_iter().peekable();
        let strangers = others.peek().is_some() && !others.any(|author| numbers.contains_key(author));
        Apart { author, strangers, words: train.iter().map(|case| token_set(&case.words)).collect() }
    }

    /// Whether training post `a` must not learn from `b`.
    pub fn hidden(&self, a: usize, b: usize) -> bool {
        a == b
            || (self.strangers && self.author[a] == self.author[b])
            || (!self.words[a].is_empty() && alike(&self.words[a], &self.words[b]))
    }
}

/// Whether two sets of words share four fifths of their union.
fn alike(a: &[u32], b: &[u32]) -> bool {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    if short * 5 < long * 4 {
        return false;
    }
    let common = a.iter().filter(|word| b.binary_search(word).is_ok()).count();
    common * 5 >= (a.len() + b.len() - common) * 4
}

/// The posts of one part.
pub fn of_part(posts: &[Post], parts: &HashMap<String, Part>, part: Part) -> Vec<Case> {
    posts.iter().filter(|post| parts.get(&post.id) == Some(&part)).filter_map(Case::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Author;

    fn post(author: &str, text: &str, tags: &[&str]) -> Post {
        Post {
            text: text.into(),
            hashtags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            author: Some(Author { id: author.into(), ..Author::default() }),
            ..Post::default()
        }
    }

    #[test]
    fn a_case_hides_its_tags_in_every_form() {
        let case = Case::of(&post("a", "Sun #Sea, sea #SEA#x @joe #Sun!", &["Sea", "sun", "SEA"])).unwrap();
        assert_eq!(case.tags, ["sea", "sun"]);
        assert_eq!(case.post.text, "Sun , sea #x @joe !");
        assert_eq!(case.words, ["sun", ",", "sea", "@joe", "!"]);
        assert!(case.post.hashtags.is_empty());
        assert!(Case::of(&post("a", "no tag", &[])).is_none());
    }

    #[test]
    fn candidates_are_ordered_by_count_then_name() {
        let cases: Vec<Case> = [("a", &["x", "y"][..]), ("b", &["y", "X"]), ("c", &["b", "a"])]
            .iter()
            .filter_map(|(a, t)| Case::of(&post(a, "", t)))
            .collect();
        let candidates = Candidates::of(&cases);
        let tags: Vec<(&str, u32)> = candidates.tags.iter().map(|(tag, n)| (tag.as_str(), *n)).collect();
        assert_eq!(tags, [("x", 2), ("y", 2), ("a", 1), ("b", 1)]);
        assert_eq!(candidates.of_cases(&cases).get(2), [3, 2]);
        assert_eq!(candidates.position("z"), None);
    }

    #[test]
    fn training_posts_are_kept_from_what_a_new_post_would_not_see() {
        let texts = [
            ("a", "one two three four five"),
            ("a", "six seven"),
            ("b", "one two three four five #y"),
            ("b", "eight nine"),
        ];
        let train: Vec<Case> =
            texts.iter().filter_map(|(author, text)| Case::of(&post(author, text, &["y"]))).collect();
        let strangers = Apart::new(&train, ["c"]);
        let hidden = |apart: &Apart| (0..4).map(|b| apart.hidden(0, b)).collect::<Vec<_>>();
        assert_eq!(hidden(&strangers), [true, true, true, false]);
        let known = Apart::new(&train, ["c", "b"]);
        assert_eq!(hidden(&known), [true, false, true, false]);
    }
}
