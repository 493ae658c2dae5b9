//! The town's ceiling is one.

use quintet::posts::town::{TownOptions, generate};
use quintet::posts::{Component, Corpus, Part};
use quintet::progress::Silent;
use quintet::tasks::retrieval::ceiling;

#[test]
fn the_ceiling_lies_between_chance_and_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    generate(&TownOptions { posts: 2000, seed: 4, ..TownOptions::default() }, &path, &Silent::default()).unwrap();
    let corpus = Corpus::open(&path).unwrap();
    let ceiling = ceiling::ceiling(&corpus, Part::Test).unwrap();
    assert_eq!(ceiling.pairs.len(), 20);
    for (query, target, bound) in &ceiling.pairs {
        for (recall, k) in bound.recall.iter().zip([1, 5, 10]) {
            // Of one right answer; user and location have several, and a ceiling all the higher.
            let chance = 100.0 * (k as f64 / bound.candidates as f64);
            assert!(*recall > chance && *recall <= 100.0, "{query} to {target}: {recall} at {k}, chance {chance}");
        }
        assert!(bound.recall[0] <= bound.recall[1] && bound.recall[1] <= bound.recall[2]);
        assert!(bound.median_rank < bound.candidates as f64 / 2.0, "{query} to {target}");
    }
    for (target, bound) in &ceiling.published {
        for query in [Component::Text, Component::Image].into_iter().filter(|q| q != target) {
            // All components together know more than one; five percent are for other posts being asked. Texts and images
            // are a post's own; an author, a place or a set of tags asks for many posts at once and hits more easily.
            let one = ceiling.pair(query, *target).unwrap();
            assert!(bound.recall[2] > one.recall[2] - 5.0, "{query} alone finds {target} better than all together");
        }
    }
}
