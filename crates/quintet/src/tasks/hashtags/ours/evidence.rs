//! What speaks for a tag: its frequency, the text's words, and the tags of similar training posts, of the author, the place.
//!
//! | evidence | for a tag |
//! |---|---|
//! | frequency | logarithm of its count |
//! | words | how often a training post whose text spells the tag (one to three words in a row) has it |
//! | texts | votes of the nearest training texts by tf-idf |
//! | author, place | share of their training posts that have it |
//! | text, image, location, user | cosine of its vector with the post's, as it is and centred; votes of the posts nearest in the joint space |
//!
//! A component's vectors lie in a cone, and the tags in the middle of theirs are near to everything. Centred, a vector is what
//! remains of it without the mean of its kind, at unit length: then a tag is near to what is special about a post.
//!
//! Votes count three ways (sum, share of all votes, logarithm of the share): the ranker takes what helps. For a training post
//! all of it is computed as if the post were unknown ([`Apart`]).

use std::collections::BTreeMap;

use quintet_kernels::rng::{Rng, label};
use quintet_kernels::topk::{self, Hit};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TagVectors;
use super::ranker::{Pool, Ranker};
use crate::component::Component;
use crate::embed::Embeddings;
use crate::features::dataset::NONE;
use crate::features::{Dense, Ragged};
use crate::metrics::tags::MOST;
use crate::tasks::hashtags::cases::{Apart, Candidates, Case};
use crate::tasks::hashtags::text_index::TextIndex;
use crate::tasks::hashtags::trivial::{Lists, votes};

/// Components that can be evidence.
const SPACE: [Component; 4] = [Component::Text, Component::Image, Component::Location, Component::User];
/// Training posts that vote.
const NEIGHBOURS: usize = 50;
/// Neighbours looked at in the joint space, so that enough are left when some are hidden.
const LOOKED_AT: usize = 150;
/// Tags that each kind of evidence brings into the pool.
const POOL: usize = 20;
/// Posts of an author or place that count.
const HISTORY: usize = 200;
/// Training posts that the weights are learned from.
const TAUGHT: usize = 10_000;
/// Weight of the mean in the estimate of how often a spelt tag is one.
const PRIOR: f32 = 5.0;
/// Below this share of the votes the logarithm is flat.
const FLOOR: f32 = 0.01;

/// Kinds of evidence before those of the joint space.
const PLAIN: usize = 10;
/// Kinds of evidence of each component.
const EACH: usize = 5;
/// All kinds: the largest cosine is the last.
const KINDS: usize = PLAIN + EACH * SPACE.len() + 1;

/// What is learned from the training part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ours {
    components: Vec<Component>,
    tags: Ragged<u32>,
    texts: TextIndex,
    /// Per candidate: training posts whose text spells it, and those of them that have it.
    spelt: Vec<[u32; 2]>,
    /// How often a spelt tag is one, over all candidates.
    mean_spelt: f32,
    authors: BTreeMap<String, Vec<u32>>,
    places: BTreeMap<String, Vec<u32>>,
    vectors: Embeddings,
    tag_vectors: TagVectors,
    /// Those, centred.
    centred: TagVectors,
    /// Mean vector of the training posts per component of [`SPACE`]; empty without any.
    means: [Vec<f32>; SPACE.len()],
    ranker: Ranker,
}

/// What is nearest in the joint space, per component of [`SPACE`] and post.
#[derive(Default)]
struct Near {
    /// Training posts with their cosines.
    posts: Vec<Vec<(u32, f32)>>,
    /// Candidates.
    tags: Vec<Vec<Hit>>,
}

/// A training post's number if it is one, and what is hidden from it.
#[derive(Clone, Copy)]
struct Hidden<'a>(Option<(usize, &'a Apart)>);

impl Hidden<'_> {
    fn hides(self, post: usize) -> bool {
        self.0.is_some_and(|(own, apart)| apart.hidden(own, post))
    }
}

impl Ours {
    /// Learns from training cases and their vectors (of `components` only are used).
    pub fn fit(
        train: &[Case],
        vectors: Embeddings,
        tag_vectors: TagVectors,
        candidates: &Candidates,
        apart: &Apart,
        components: &[Component],
        seed: u64,
    ) -> Ours {
        let by = |key: fn(&Case) -> Option<&str>| {
            let mut posts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for (case, post) in train.iter().zip(0..) {
                if let Some(key) = key(case) {
                    posts.entry(key.to_owned()).or_default().push(post);
                }
            }
            posts.values_mut().for_each(|posts| *posts = posts.split_off(posts.len().saturating_sub(HISTORY)));
            posts
        };
        let mut ours = Ours {
            components: SPACE.into_iter().filter(|c| components.contains(c)).collect(),
            tags: candidates.of_cases(train),
            texts: TextIndex::new(train.iter().map(|case| case.words.as_slice())),
            spelt: vec![[0; 2]; candidates.len()],
            mean_spelt: 0.0,
            authors: by(Case::author),
            places: by(Case::place),
            means: SPACE.map(|component| mean(&vectors.vectors[component])),
            centred: TagVectors { dim: tag_vectors.dim, values: centred_tags(&tag_vectors) },
            vectors,
            tag_vectors,
            ranker: Ranker::default(),
        };
        for (post, case) in train.iter().enumerate() {
            for tag in spellings(case, candidates) {
                let counts = &mut ours.spelt[tag as usize];
                counts[0] += 1;
                counts[1] += u32::from(ours.tags.get(post).contains(&tag));
            }
        }
        let [posts, right] = ours.spelt.iter().fold([0u64; 2], |[a, b], [p, r]| [a + u64::from(*p), b + u64::from(*r)]);
        ours.mean_spelt = right as f32 / posts.max(1) as f32;
        let mut taught: Vec<usize> = (0..train.len()).collect();
        Rng::new(seed, &[label("hashtags/ours")]).shuffle(&mut taught);
        taught.truncate(TAUGHT);
        let near = ours.near(&ours.vectors, LOOKED_AT);
        let pool = |&post: &usize| {
            let hidden = Hidden(Some((post, apart)));
            let pool = ours.pool(&train[post], post, &ours.vectors, &near, hidden, candidates);
            let right = (0..pool.tags.len()).filter(|&at| ours.tags.get(post).contains(&pool.tags[at])).collect();
            (pool, right)
        };
        let pools: Vec<(Pool, Vec<usize>)> = taught.par_iter().map(pool).collect();
        ours.ranker = Ranker::fit(&pools, KINDS);
        ours
    }

    /// The best tags of each case with their scores, best first; `vectors` are the cases'. Nothing where nothing speaks for any.
    pub fn recommend(&self, cases: &[Case], vectors: &Embeddings, candidates: &Candidates) -> Lists {
        let near = self.near(vectors, NEIGHBOURS);
        let list = |(post, case): (usize, &Case)| {
            let pool = self.pool(case, post, vectors, &near, Hidden(None), candidates);
            self.ranker.best(&pool, MOST)
        };
        cases.par_iter().enumerate().map(list).collect()
    }

    /// The learned weights in words.
    pub fn remark(&self) -> String {
        let names: Vec<String> = (0..KINDS).map(name).collect();
        let weights = names.iter().zip(&self.ranker.weights).filter(|(_, weight)| **weight != 0.0);
        let weights: Vec<String> = weights.map(|(name, weight)| format!("{name} {weight:.2}")).collect();
        format!("weights learned from training posts: {}", weights.join(", "))
    }

    /// The `k` nearest training posts to each post in each component, and the nearest candidates.
    fn near(&self, vectors: &Embeddings, k: usize) -> [Near; SPACE.len()] {
        let mut near: [Near; SPACE.len()] = Default::default();
        for (at, component) in SPACE.into_iter().enumerate().filter(|(_, c)| self.components.contains(c)) {
            // A vector may be shared by posts; its row says whose it is.
            let mut posts_of: Vec<Vec<u32>> = vec![Vec::new(); self.vectors.vectors[component].len()];
            for (&row, post) in self.vectors.rows[component].iter().zip(0..) {
                if row != NONE {
                    posts_of[row as usize].push(post);
                }
            }
            let (asking, known) = (&vectors.vectors[component], &self.vectors.vectors[component]);
            let hits = topk::top_k(&asking.values, &known.values, self.vectors.dim, k);
            let posts = |hit: &Hit| -> Vec<(u32, f32)> {
                posts_of[hit.index as usize].iter().map(|&post| (post, hit.score)).collect()
            };
            let of = |&row: &u32| match row {
                NONE => Vec::new(),
                row => hits.of(row as usize).iter().flat_map(posts).collect(),
            };
            near[at].posts = vectors.rows[component].iter().map(of).collect();
            let centred = asking.values.chunks_exact(asking.dim).flat_map(|vector| centred(vector, &self.means[at]));
            let hits = topk::top_k(&centred.collect::<Vec<f32>>(), &self.centred.values, self.centred.dim, POOL);
            let of = |&row: &u32| if row == NONE { Vec::new() } else { hits.of(row as usize).to_vec() };
            near[at].tags = vectors.rows[component].iter().map(of).collect();
        }
        near
    }

    /// Everything that speaks for any tag, for one post.
    fn pool(
        &self,
        case: &Case,
        post: usize,
        vectors: &Embeddings,
        near: &[Near; SPACE.len()],
        hidden: Hidden,
        candidates: &Candidates,
    ) -> Pool {
        let mut builder = Builder::default();
        for tag in spellings(case, candidates) {
            let [mut posts, mut right] = self.spelt[tag as usize].map(|n| n as f32);
            if let Some((own, _)) = hidden.0 {
                posts -= 1.0;
                right -= f32::from(u8::from(self.tags.get(own).contains(&tag)));
            }
            let rate = (right + PRIOR * self.mean_spelt) / (posts + PRIOR);
            builder.set(tag, 1, rate);
            builder.set(tag, 2, logarithm(rate));
        }
        let near_texts = self.texts.nearest(&case.words, NEIGHBOURS, |other| hidden.hides(other));
        let weighed = near_texts.iter().map(|hit| (hit.index, hit.score * hit.score));
        builder.votes(&votes(weighed, &self.tags), 3);
        for (key, posts, kind) in [(case.author(), &self.authors, 6), (case.place(), &self.places, 8)] {
            let posts = key.and_then(|key| posts.get(key)).map_or(&[][..], Vec::as_slice);
            let known: Vec<u32> = posts.iter().copied().filter(|&post| !hidden.hides(post as usize)).collect();
            let share = 1.0 / known.len().max(1) as f32;
            for (tag, share) in votes(known.iter().map(|&post| (post, share)), &self.tags).into_iter().take(POOL) {
                builder.set(tag, kind, share);
                builder.set(tag, kind + 1, logarithm(share));
            }
        }
        for (at, near) in near.iter().enumerate() {
            if let Some(posts) = near.posts.get(post) {
                let seen = posts.iter().filter(|(other, _)| !hidden.hides(*other as usize)).take(NEIGHBOURS);
                let weighed = seen.map(|&(other, cosine)| (other, (8.0 * (cosine - 1.0)).exp()));
                builder.votes(&votes(weighed, &self.tags), PLAIN + at * EACH);
            }
            near.tags.get(post).into_iter().flatten().for_each(|hit| {
                builder.row(hit.index);
            });
        }
        self.finish(builder, post, vectors, hidden, candidates)
    }

    /// Adds what is known of every tag of the pool: frequency and cosines.
    fn finish(
        &self,
        builder: Builder,
        post: usize,
        vectors: &Embeddings,
        hidden: Hidden,
        candidates: &Candidates,
    ) -> Pool {
        let own = hidden.0.map_or(&[][..], |(own, _)| self.tags.get(own));
        let present: Vec<(usize, &[f32], Vec<f32>)> = SPACE
            .into_iter()
            .enumerate()
            .filter(|(_, component)| self.components.contains(component))
            .filter_map(|(at, component)| {
                let vector = vectors.vector(component, post)?;
                Some((at, vector, centred(vector, &self.means[at])))
            })
            .collect();
        let mut pool = Pool::default();
        for (tag, mut row) in builder.0 {
            // A tag that no other post has would be no candidate, were the post unknown.
            let count = candidates.tags[tag as usize].1 - u32::from(own.contains(&tag));
            if count == 0 {
                continue;
            }
            row[0] = (count as f32).ln();
            for (at, vector, centred) in &present {
                let cosine = self.tag_vectors.cosine(tag, vector);
                row[PLAIN + at * EACH + 3] = cosine;
                row[PLAIN + at * EACH + 4] = self.centred.cosine(tag, centred);
                row[KINDS - 1] = row[KINDS - 1].max(cosine);
            }
            pool.tags.push(tag);
            pool.evidence.extend(row);
        }
        pool
    }
}

/// Mean of the rows; nothing without any.
fn mean(rows: &Dense) -> Vec<f32> {
    let mut sum = vec![0f64; if rows.is_empty() { 0 } else { rows.dim }];
    rows.values
        .chunks_exact(rows.dim.max(1))
        .for_each(|row| sum.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v)));
    sum.into_iter().map(|s| (s / rows.len() as f64) as f32).collect()
}

/// What remains of a vector without the mean (which may be empty: none), at unit length.
fn centred(vector: &[f32], mean: &[f32]) -> Vec<f32> {
    let mut rest: Vec<f32> = vector.iter().enumerate().map(|(at, v)| v - mean.get(at).unwrap_or(&0.0)).collect();
    let length = rest.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
    rest.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    rest
}

/// Every tag's vector, centred.
fn centred_tags(tags: &TagVectors) -> Vec<f32> {
    let rows = Dense { dim: tags.dim, values: tags.values.clone() };
    let mean = mean(&rows);
    tags.values.chunks_exact(tags.dim.max(1)).flat_map(|vector| centred(vector, &mean)).collect()
}

/// What a kind of evidence is called.
fn name(kind: usize) -> String {
    const NAMES: [&str; PLAIN] = [
        "frequency",
        "words",
        "ln words",
        "texts' sum",
        "texts' share",
        "ln texts' share",
        "author",
        "ln author",
        "place",
        "ln place",
    ];
    const OF_EACH: [&str; EACH] = ["sum", "share", "ln share", "cosine", "centred cosine"];
    match kind.checked_sub(PLAIN) {
        None => NAMES[kind].into(),
        Some(at) if at < EACH * SPACE.len() => format!("{} {}", SPACE[at / EACH], OF_EACH[at % EACH]),
        Some(_) => "largest cosine".into(),
    }
}

/// Rows of evidence by tag.
#[derive(Default)]
struct Builder(BTreeMap<u32, [f32; KINDS]>);

impl Builder {
    fn row(&mut self, tag: u32) -> &mut [f32; KINDS] {
        self.0.entry(tag).or_insert([0.0; KINDS])
    }

    fn set(&mut self, tag: u32, kind: usize, value: f32) {
        self.row(tag)[kind] = value;
    }

    /// Sum, share and logarithm of the share of the first tags.
    fn votes(&mut self, votes: &[(u32, f32)], kind: usize) {
        let sum: f32 = votes.iter().map(|(_, vote)| vote).sum();
        for &(tag, vote) in votes.iter().take(POOL) {
            let row = self.row(tag);
            (row[kind], row[kind + 1], row[kind + 2]) = (vote, vote / sum, logarithm(vote / sum));
        }
    }
}

fn logarithm(share: f32) -> f32 {
    ((share + FLOOR) / FLOOR).ln()
}

/// The candidates that one to three words in a row of the text spell, each once.
fn spellings(case: &Case, candidates: &Candidates) -> Vec<u32> {
    let plain = |word: &String| -> String { word.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect() };
    let words: Vec<String> = case.words.iter().map(plain).filter(|word| !word.is_empty()).collect();
    let mut found: Vec<u32> = Vec::new();
    for first in 0..words.len() {
        let mut spelt = String::new();
        for word in words[first..].iter().take(3) {
            spelt.push_str(word);
            found.extend(candidates.position(&spelt));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Post;

    fn case(text: &str, tag: &str) -> Case {
        let post = Post { text: text.into(), hashtags: vec![tag.into()], ..Post::default() };
        Case::of(&post).unwrap()
    }

    #[test]
    fn words_in_a_row_spell_tags() {
        let candidates = Candidates::new(["stanleycup", "cup", "joe"].map(|tag| (tag.to_owned(), 1)).to_vec());
        assert_eq!(spellings(&case("The Stanley Cup, @joe", "x"), &candidates), [0, 1, 2]);
        assert!(spellings(&case("the stanley; a cup", "cup"), &candidates).contains(&1));
    }

    #[test]
    fn centred_vectors_have_unit_length_and_no_mean() {
        assert_eq!(centred(&[1.0, 3.0], &[1.0, 1.0]), [0.0, 1.0]);
        assert_eq!(centred(&[1.0, 1.0], &[1.0, 1.0]), [0.0, 0.0]);
        assert_eq!(mean(&Dense { dim: 2, values: vec![1.0, 2.0, 3.0, 6.0] }), [2.0, 4.0]);
        assert!(mean(&Dense::new(2)).is_empty());
    }

    /// Topics with words and tags of their own: what posts with similar words have is recommended, and a post of the training
    /// part does not vote for itself.
    #[test]
    fn tags_of_similar_posts_are_recommended() {
        let topics = [("sea sail wave pier", "harbour"), ("bread flour oven crust", "bakery")];
        let mut rng = Rng::new(5, &[]);
        let mut text = |topic: usize| -> String {
            let words: Vec<&str> = topics[topic].0.split(' ').collect();
            (0..3).map(|_| words[rng.index(4)].to_owned() + " ").collect::<String>() + &format!("w{}", rng.below(1000))
        };
        let train: Vec<Case> = (0..120).map(|i| case(&text(i % 2), topics[i % 2].1)).collect();
        let candidates = Candidates::of(&train);
        let apart = Apart::new(&train, []);
        let vectors = Embeddings::empty(2, train.len());
        let tags = TagVectors { dim: 2, values: vec![0.0; 2 * candidates.len()] };
        let ours = Ours::fit(&train, vectors, tags, &candidates, &apart, &[Component::Text], 1);
        let asking: Vec<Case> = (0..20).map(|i| case(&text(i % 2), "unseen")).collect();
        let lists = ours.recommend(&asking, &Embeddings::empty(2, asking.len()), &candidates);
        for (i, list) in lists.iter().enumerate() {
            assert_eq!(candidates.tags[list[0].0 as usize].0, topics[i % 2].1, "post {i}");
        }
        let nothing = ours.recommend(&[case("", "x")], &Embeddings::empty(2, 1), &candidates);
        assert!(nothing[0].is_empty());
    }
}
