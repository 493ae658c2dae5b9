//! Promise: any subset of the components embeds, and a component's vector does not depend on which others there are.

use quintet::embed::embed_dataset;
use quintet::features::dataset::NONE;
use quintet::features::{Dataset, Dense, Status};
use quintet::model::{Network, Shapes};
use quintet::{Component, Config, PerComponent};
use quintet_kernels::rng::Rng;

const SHAPES: Shapes = Shapes { words: 12, word_dim: 6, image_dim: 7, user_dim: 5 };
const DIM: usize = 16;

fn config() -> Config {
    let mut config = Config { seed: 5, ..Config::default() };
    config.model.dim = DIM;
    config.words.dim = SHAPES.word_dim;
    config.user.dim = SHAPES.user_dim;
    config.location.neighbours = 2;
    config
}

fn random(rng: &mut Rng, rows: usize, dim: usize) -> Dense {
    Dense { dim, values: (0..rows * dim).map(|_| rng.normal() as f32).collect() }
}

/// 32 posts of the same content: post `s` has component `c` where bit `c` of `s` is set, so 0 has none and 31 all.
fn every_subset() -> Dataset {
    let mut rng = Rng::new(1, &[]);
    let mut data = Dataset {
        source_names: vec!["made up".into()],
        images: random(&mut rng, 1, SHAPES.image_dim),
        tags: random(&mut rng, 1, SHAPES.word_dim),
        users: random(&mut rng, 1, SHAPES.user_dim),
        ..Dataset::default()
    };
    data.places.push([0, 1]);
    data.neighbours.push([4, 5]);
    data.neighbours.push([6, 7, 8]);
    for subset in 0u32..32 {
        let has = PerComponent::from_fn(|c| subset >> (c as u32) & 1 == 1);
        let row = |c: Component| if has[c] { 0 } else { NONE };
        data.ids.push(subset.to_string());
        data.parts.push(None);
        data.sources.push(0);
        data.status.push(has.map(|h| if h { Status::Present } else { Status::Missing }));
        data.keys.push(has.map(u64::from));
        data.text.push(if has[Component::Text] { vec![4, 9, 5] } else { vec![] });
        data.image.push(row(Component::Image));
        data.hashtags.push(row(Component::Hashtags));
        data.location.push(row(Component::Location));
        data.excluded.push([]);
        data.user.push(row(Component::User));
    }
    data
}

#[test]
fn every_subset_embeds_to_the_same_vectors() {
    let data = every_subset();
    let rows = random(&mut Rng::new(2, &[]), SHAPES.words, SHAPES.word_dim);
    let network = Network::new(&config(), SHAPES, &rows);
    let all: Vec<usize> = (0..data.len()).collect();
    let together = embed_dataset(&network, &data, &all, &Component::ALL, 2);
    for subset in 0..32 {
        let alone = embed_dataset(&network, &data, &[subset], &Component::ALL, 2);
        for c in Component::ALL {
            let vector = together.vector(c, subset);
            assert_eq!(vector.is_some(), subset >> (c as usize) & 1 == 1, "{c} of subset {subset:05b}");
            assert_eq!(vector, alone.vector(c, 0), "{c} of subset {subset:05b} depends on the batch");
            if let Some(vector) = vector {
                assert_eq!(Some(vector), together.vector(c, 31), "{c} of subset {subset:05b} depends on the others");
                let norm: f32 = vector.iter().map(|v| v * v).sum();
                assert!((norm - 1.0).abs() < 1e-5, "{c}: length {norm}");
            }
        }
        assert_eq!(together.average(subset).is_some(), subset != 0);
    }
}

#[test]
fn a_component_not_asked_for_gives_nothing() {
    let data = every_subset();
    let rows = random(&mut Rng::new(2, &[]), SHAPES.words, SHAPES.word_dim);
    let network = Network::new(&config(), SHAPES, &rows);
    let embeddings = embed_dataset(&network, &data, &[31], &[Component::Image, Component::Location], 2);
    let have: Vec<Component> = Component::ALL.into_iter().filter(|&c| embeddings.vector(c, 0).is_some()).collect();
    assert_eq!(have, [Component::Image, Component::Location]);
}
