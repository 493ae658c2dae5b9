//! A small network and random batches for the tests of this crate.

use quintet_kernels::rng::Rng;

use super::batch::{Batch, DenseRows, Sequences};
use super::network::{Network, Shapes};
use crate::component::{Component, PerComponent};
use crate::config::Config;
use crate::features::Dense;

pub const WORDS: usize = 60;
const WORD_DIM: usize = 12;
const IMAGE_DIM: usize = 20;
const USER_DIM: usize = 9;

pub fn network(seed: u64, dim: usize) -> Network {
    let mut config = Config { seed, ..Config::default() };
    config.model.dim = dim;
    let shapes = Shapes { words: WORDS, word_dim: WORD_DIM, image_dim: IMAGE_DIM, user_dim: USER_DIM };
    let rows = dense(&mut Rng::new(seed, &[1]), WORDS, WORD_DIM);
    Network::new(&config, shapes, &rows)
}

fn dense(rng: &mut Rng, rows: usize, dim: usize) -> Dense {
    Dense { dim, values: (0..rows * dim).map(|_| rng.uniform(-1.0, 1.0)).collect() }
}

/// `size` posts; each has each component with probability 3/4.
pub fn batch(seed: u64, size: usize) -> Batch {
    let mut rng = Rng::new(seed, &[2]);
    let rows = |rng: &mut Rng| (0..size as u32).filter(|_| rng.chance(0.75)).collect::<Vec<u32>>();
    let texts = |rng: &mut Rng, rows: Vec<u32>, most: usize| {
        let mut sequences = Sequences { rows, ..Sequences::default() };
        for _ in 0..sequences.rows.len() {
            let first = sequences.tokens.len() as u32;
            let own = 1 + rng.index(most) as u32;
            for _ in 0..own {
                let length = 1 + rng.index(9);
                sequences.tokens.push((0..length).map(|_| rng.index(WORDS) as u32));
            }
            sequences.members.push(first..first + own);
        }
        sequences
    };
    let (text_rows, location_rows) = (rows(&mut rng), rows(&mut rng));
    let text = texts(&mut rng, text_rows, 1);
    let location = texts(&mut rng, location_rows, 3);
    let mut some = |dim: usize| {
        let rows = rows(&mut rng);
        DenseRows { values: dense(&mut rng, rows.len(), dim), rows }
    };
    let (image, hashtags, user) = (some(IMAGE_DIM), some(WORD_DIM), some(USER_DIM));
    Batch { size, text, image, hashtags, location, user, keys: vec![PerComponent::default(); size] }
}

/// Post `post` of `batch` alone.
pub fn only(batch: &Batch, post: u32) -> Batch {
    let texts = |sequences: &Sequences| {
        let mut one = Sequences::default();
        if let Some(at) = sequences.rows.iter().position(|&row| row == post) {
            one.rows.push(0);
            let members = sequences.members.get(at);
            one.members.push(0..members.len() as u32);
            for &member in members {
                one.tokens.push(sequences.tokens.get(member as usize).iter().copied());
            }
        }
        one
    };
    let dense = |rows: &DenseRows| {
        let mut one = DenseRows { rows: Vec::new(), values: Dense::new(rows.values.dim) };
        if let Some(at) = rows.rows.iter().position(|&row| row == post) {
            one.rows.push(0);
            one.values.push(rows.values.row(at));
        }
        one
    };
    Batch {
        size: 1,
        text: texts(&batch.text),
        image: dense(&batch.image),
        hashtags: dense(&batch.hashtags),
        location: texts(&batch.location),
        user: dense(&batch.user),
        keys: vec![PerComponent::default()],
    }
}

/// All components with their rows in `batch`.
pub fn rows_of(batch: &Batch) -> impl Iterator<Item = (Component, &[u32])> {
    Component::ALL.into_iter().map(|c| (c, batch.rows(c)))
}
