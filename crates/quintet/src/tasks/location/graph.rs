//! Who mentions whom, as evidence of where an author is: shares of places spread from authors whose place is known along
//! mentions, in both directions (label propagation, Zhu and Ghahramani 2002).
//!
//! Inductive: what is kept is a place's share at every name; an author's own comes from the names in their posts and from those
//! who name them. Names are kept as hashes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::items::{Item, View};
use crate::posts::Post;

/// Rounds of spreading.
const ROUNDS: usize = 4;
/// Weight of what the neighbours say against what is known.
const SPREAD: f64 = 0.9;

/// Shares of the classes, above those of all training items, at every name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    classes: usize,
    /// Hash of a name -> its shares.
    shares: BTreeMap<u64, Vec<f32>>,
    /// Hash of a name -> names by whom it is named, and how often.
    named_by: BTreeMap<u64, Vec<(u64, f32)>>,
}

impl Graph {
    /// Spreads the classes of `items` along the mentions in the posts of `items` and of `others`, authors without a class.
    pub fn fit(view: &View, items: &[Item], others: &[Item], classes: usize) -> Graph {
        let mut edges: BTreeMap<u64, BTreeMap<u64, f32>> = BTreeMap::new();
        let mut named_by: BTreeMap<u64, Vec<(u64, f32)>> = BTreeMap::new();
        let mut known: HashMap<u64, usize> = HashMap::new();
        for (item, labelled) in items.iter().map(|i| (i, true)).chain(others.iter().map(|i| (i, false))) {
            let Some(own) = item.posts.first().and_then(|&post| name_of(&view.posts[post])) else { continue };
            if labelled {
                known.insert(own, item.class);
            }
            for (name, weight) in names_in(view, item) {
                if name != own {
                    *edges.entry(own).or_default().entry(name).or_default() += weight;
                    *edges.entry(name).or_default().entry(own).or_default() += weight;
                    named_by.entry(name).or_default().push((own, weight));
                }
            }
        }
        let mut counts = vec![0.0f64; classes];
        known.values().for_each(|&class| counts[class] += 1.0);
        let all = counts.iter().sum::<f64>().max(1.0);
        let start = |name: &u64| -> Vec<f64> {
            match known.get(name) {
                None => vec![0.0; classes],
                Some(&class) => (0..classes).map(|c| f64::from(u8::from(c == class)) - counts[c] / all).collect(),
            }
        };
        let mut shares: BTreeMap<u64, Vec<f64>> = edges.keys().map(|name| (*name, start(name))).collect();
        for _ in 0..ROUNDS {
            shares = edges
                .iter()
                .map(|(name, to)| {
                    let mean = mean(to.iter().map(|(other, &weight)| (&shares[other], f64::from(weight))), classes);
                    let mixed = mean.iter().zip(start(name)).map(|(m, s)| SPREAD * m + (1.0 - SPREAD) * s);
                    (*name, mixed.collect())
                })
                .collect();
        }
        let kept = |(name, shares): (u64, Vec<f64>)| (name, shares.into_iter().map(|s| s as f32).collect());
        Graph { classes, shares: shares.into_iter().map(kept).collect(), named_by }
    }

    /// What the neighbours of an item say of each class: zero where they say nothing. It does not look at the item's own entry.
    pub fn evidence(&self, view: &View, item: &Item) -> Vec<f64> {
        let own = item.posts.first().and_then(|&post| name_of(&view.posts[post]));
        let mut around: BTreeMap<u64, f32> = names_in(view, item).into_iter().collect();
        for &(name, weight) in own.and_then(|own| self.named_by.get(&own)).into_iter().flatten() {
            *around.entry(name).or_default() += weight;
        }
        if let Some(own) = own {
            around.remove(&own);
        }
        let rows = around.iter().filter_map(|(name, &weight)| {
            let shares = self.shares.get(name)?;
            Some((shares.iter().map(|&s| f64::from(s)).collect::<Vec<_>>(), f64::from(weight)))
        });
        let rows: Vec<(Vec<f64>, f64)> = rows.collect();
        mean(rows.iter().map(|(shares, weight)| (shares, *weight)), self.classes)
    }
}

fn mean<'a>(rows: impl Iterator<Item = (&'a Vec<f64>, f64)>, classes: usize) -> Vec<f64> {
    let (mut sum, mut all) = (vec![0.0; classes], 0.0);
    for (row, weight) in rows {
        sum.iter_mut().zip(row).for_each(|(s, r)| *s += weight * r);
        all += weight;
    }
    sum.iter().map(|s| if all > 0.0 { s / all } else { 0.0 }).collect()
}

/// Names in the posts of an item, each once, ascending; a name counts 1 however often it occurs.
fn names_in(view: &View, item: &Item) -> Vec<(u64, f32)> {
    let names: HashSet<u64> = item
        .posts
        .iter()
        .flat_map(|&post| &view.posts[post].mentions)
        .filter_map(|mention| mention.handle.as_deref().or(mention.id.as_deref()))
        .map(hash)
        .collect();
    let mut names: Vec<u64> = names.into_iter().collect();
    names.sort_unstable();
    names.into_iter().map(|name| (name, 1.0)).collect()
}

/// An author is mentioned by their handle; where there is none, sets with invented ids mention those.
fn name_of(post: &Post) -> Option<u64> {
    let author = post.author.as_ref()?;
    Some(hash(author.handle.as_deref().unwrap_or(&author.id)))
}

fn hash(name: &str) -> u64 {
    quintet_kernels::rng::label(&name.trim_start_matches('@').to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::embed::Embeddings;
    use crate::posts::{Author, Mention};

    #[test]
    fn neighbours_say_where_an_author_is() {
        let post = |author: &str, mentions: &[&str]| Post {
            author: Some(Author { id: author.into(), ..Author::default() }),
            mentions: mentions.iter().map(|m| Mention { id: None, handle: Some((*m).into()) }).collect(),
            ..Post::default()
        };
        // a and b are of class 0 and name x; c is of class 1 and names y and e. d names x, e nobody.
        let posts =
            vec![post("a", &["x"]), post("b", &["X"]), post("c", &["y", "e"]), post("d", &["x"]), post("e", &[])];
        let embeddings = Embeddings::default();
        let view =
            View { posts: Cow::Borrowed(&posts), embeddings: &embeddings, components: Vec::new(), profiles: None };
        let item = |i: usize, class: usize| Item { id: i.to_string(), group: None, posts: vec![i], class };
        let graph = Graph::fit(&view, &[item(0, 0), item(1, 0), item(2, 1)], &[], 2);
        let of = |i: usize| graph.evidence(&view, &item(i, 0));
        assert!(of(3)[0] > 0.0 && of(3)[1] < 0.0, "{:?}", of(3));
        assert!(of(4)[1] > 0.0 && of(4)[0] < 0.0, "{:?}", of(4));
        let stranger = [post("f", &["z"])];
        let view =
            View { posts: Cow::Borrowed(&stranger), embeddings: &embeddings, components: Vec::new(), profiles: None };
        assert_eq!(graph.evidence(&view, &item(0, 0)), [0.0, 0.0]);
    }
}
