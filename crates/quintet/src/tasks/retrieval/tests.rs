//! Retrieval against a naive reading of its definition, and the cases that fool a careless evaluation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::evaluation::{Options, evaluate};
use super::report::Direction;
use super::{compare, validation};
use crate::component::Component::{self, Hashtags, Image, Location, Text, User};
use crate::component::PerComponent;
use crate::embed::Embeddings;
use crate::metrics::{Bootstrap, Summary};

type Keys = Vec<PerComponent<u64>>;

/// Posts with a vector wherever the key is not 0: `vector(component, key)`, so equal contents have equal vectors.
fn embed(keys: &Keys, dim: usize, vector: impl Fn(Component, u64) -> Vec<f32>) -> Embeddings {
    let mut out = Embeddings::empty(dim, keys.len());
    for (post, of_post) in keys.iter().enumerate() {
        for (c, &key) in of_post.iter().filter(|(_, key)| **key != 0) {
            out.set(c, post, &vector(c, key));
        }
    }
    out
}

/// Coarse coordinates made from component and key, so that different contents often tie.
fn coarse(c: Component, key: u64) -> Vec<f32> {
    let mix = (key * 7 + c as u64 * 3) % 27;
    vec![(mix % 3) as f32 - 1.0, (mix / 3 % 3) as f32 - 1.0, (mix / 9) as f32 - 1.0]
}

/// The definition, one query and one candidate at a time.
fn ranks_by_hand(keys: &Keys, from: &[Component], target: Component, published: bool) -> Vec<u32> {
    let posts: Vec<&PerComponent<u64>> =
        keys.iter().filter(|k| k[target] != 0 && from.iter().any(|&c| k[c] != 0)).collect();
    let asked = |k: &PerComponent<u64>| -> Vec<u64> { from.iter().map(|&c| k[c]).collect() };
    let queries: BTreeSet<Vec<u64>> = posts.iter().map(|k| asked(k)).collect();
    let candidates: BTreeSet<u64> = posts.iter().map(|k| k[target]).collect();
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let mut ranks = Vec::new();
    for query in &queries {
        let image = from.iter().position(|&c| c == Image).map_or(0, |i| query[i]);
        let is_right = |candidate: u64| {
            posts.iter().any(|k| {
                k[target] == candidate && (asked(k) == *query || (published && image != 0 && k[Image] == image))
            })
        };
        let score = |candidate: u64| {
            let candidate = coarse(target, candidate);
            let present = from.iter().zip(query).filter(|(_, key)| **key != 0);
            present.map(|(&c, &key)| dot(&coarse(c, key), &candidate)).fold(f32::NEG_INFINITY, f32::max)
        };
        let best = candidates.iter().filter(|&&c| is_right(c)).map(|&c| score(c)).fold(f32::NEG_INFINITY, f32::max);
        ranks.push(1 + candidates.iter().filter(|&&c| !is_right(c) && score(c) >= best).count() as u32);
    }
    ranks
}

fn no_intervals() -> Options {
    Options { min_queries: 0, bootstrap: Bootstrap { resamples: 2, seed: 1 }, ..Options::default() }
}

fn figures(d: &Direction) -> ([f64; 3], f64, usize) {
    let recall = [d.recall_at_1.value, d.recall_at_5.value, d.recall_at_10.value];
    (recall, d.median_rank.value, d.queries)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Few contents for many posts: duplicates on both sides, several right answers, missing components, many ties.
    #[test]
    fn every_direction_equals_the_definition(raw in prop::collection::vec(prop::array::uniform5(0u64..9), 1..60)) {
        let keys: Keys = raw.into_iter().map(PerComponent).collect();
        let embeddings = embed(&keys, 3, coarse);
        let report = evaluate(&embeddings, &keys, &no_intervals());
        for d in report.pairs.iter().chain(&report.published) {
            let Some(target) = d.target else { panic!("a direction without target") };
            let ranks = ranks_by_hand(&keys, &d.from, target, d.from.len() > 1);
            let expected = Summary::of(&ranks);
            prop_assert_eq!(figures(d), (expected.recall, expected.median_rank, ranks.len()), "{}", d.name());
        }
        for d in &report.pairs {
            let short = d.target.map(|target| validation(&embeddings, &keys, d.from[0], target));
            let short = short.map(|v| (v.summary.recall, v.summary.median_rank, v.queries));
            prop_assert_eq!(short, Some(figures(d)), "{} in training", d.name());
        }
    }
}

/// 20 images with five captions each, as in Flickr8k.
fn captions() -> Keys {
    let post = |i: u64| PerComponent::from_fn(|c| if c == Text { i + 1 } else { u64::from(c == Image) * (i / 5 + 1) });
    (0..100).map(post).collect()
}

fn one_hot(at: u64, dim: usize) -> Vec<f32> {
    (0..dim).map(|i| f32::from(u8::from(i as u64 == at))).collect()
}

#[test]
fn five_captions_count_as_in_the_literature() {
    let keys = captions();
    let image_of = |c: Component, key: u64| if c == Image { key - 1 } else { (key - 1) / 5 };
    let embeddings = embed(&keys, 20, |c, key| one_hot(image_of(c, key), 20));
    let report = evaluate(&embeddings, &keys, &Options::default());
    let sizes: Vec<(String, usize, usize, f64)> =
        report.pairs.iter().map(|d| (d.name(), d.queries, d.candidates, d.right_per_query)).collect();
    assert_eq!(
        sizes,
        [("text -> image".into(), 100, 20, 1.0), ("image -> text".into(), 20, 100, 5.0)],
        "captions ask one by one, images once"
    );
    assert!(report.pairs.iter().all(|d| d.recall_at_1.value == 100.0), "the five captions tie with each other only");
    assert_eq!(report.rsums[0].rsum.value, 600.0);
    let chance = &report.pairs[1].recall_at_1;
    assert!((chance.chance - 5.0).abs() < 1e-9, "five of a hundred are right");
    assert_eq!((chance.interval.low, chance.interval.high), (100.0, 100.0));
    assert_eq!(figures(&report.published[0]), figures(&report.pairs[1]), "with two components the protocols agree");
}

#[test]
fn collapsed_vectors_score_zero() {
    let keys: Keys = (1..=50).map(|i| PerComponent([i; 5])).collect();
    let embeddings = embed(&keys, 8, |_, _| vec![0.353_553_4; 8]);
    let report = evaluate(&embeddings, &keys, &Options::default());
    assert_eq!((report.pairs.len(), report.published.len()), (20, 5));
    for d in report.pairs.iter().chain(&report.published) {
        assert_eq!(figures(d), ([0.0; 3], 50.0, 50), "{}", d.name());
    }
    assert_eq!(validation(&embeddings, &keys, Text, Image).summary.recall_sum(), 0.0);
}

/// Two posts share an image and differ in text and author: by the data's rule each text answers the other's query.
#[test]
fn any_post_with_the_same_image_answers() {
    let mut keys: Keys = (1..=30).map(|i| PerComponent([i, i, 0, 0, i])).collect();
    keys[1][Image] = 1;
    let embeddings = embed(&keys, 128, |c, key| match (c, key) {
        // Image 1 finds text 2, the text of the other post with this image; the users find nothing.
        (Text, 1) => one_hot(100, 128),
        (Text, 2) | (Image, 1) => one_hot(1, 128),
        (User, key) => one_hot(30 + key, 128),
        (_, key) => one_hot(key, 128),
    });
    let report = evaluate(&embeddings, &keys, &Options::default());
    let to_text = report.published.iter().find(|d| d.target == Some(Text));
    assert_eq!(to_text.map(|d| (d.queries, d.recall_at_1.value)), Some((30, 100.0)));
}

#[test]
fn too_few_queries_are_listed_and_not_measured() {
    let mut keys: Keys = captions();
    keys[0][Hashtags] = 5;
    let embeddings = embed(&keys, 3, coarse);
    let report = evaluate(&embeddings, &keys, &Options::default());
    let left_out: Vec<(Component, usize)> = report.left_out.iter().map(|l| (l.target, l.queries)).collect();
    assert_eq!(left_out, [(Hashtags, 1), (Text, 1), (Hashtags, 1), (Image, 1), (Hashtags, 1)]);
    assert!(report.pairs.iter().all(|d| d.target != Some(Location)), "what no post has is no direction");
    assert!(report.table().contains("Left out, fewer than 20 queries: text -> hashtags (1)"));
}

#[test]
fn models_side_by_side() {
    let keys = captions();
    let mut report = evaluate(&embed(&keys, 3, coarse), &keys, &Options::default());
    report.corpus = "town".into();
    report.synthetic = true;
    let mut better = report.clone();
    better.pairs[0].recall_at_1.value += 10.0;
    let table = compare(&[("ours".into(), report.clone()), ("other".into(), report.clone()), ("ours".into(), better)]);
    assert!(table.starts_with("Retrieval on town (synthetic), dev part, 100 posts"));
    let lines: Vec<&str> = table.lines().filter(|l| l.starts_with("| text -> image |")).collect();
    assert_eq!(lines.len(), 3, "chance, ours, other:\n{table}");
    assert!(lines[0].starts_with("| text -> image | chance |  | 100 x 20 | 5.00 |"));
    assert!(lines[1].starts_with("| text -> image | ours | 2 |") && lines[1].contains("± 7.1"));
    assert!(!lines[2].contains('±'), "one run has no spread");
}
