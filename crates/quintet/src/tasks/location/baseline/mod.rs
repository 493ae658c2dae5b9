//! The published baseline: Deepgeo (Lau, Chi, Tran, Cohn 2017), trained until held-out posts are predicted no better.
//!
//! [`reading`]: what it reads of a post; [`network`]: the network; [`training`]: how it learns. It judges posts; an author gets
//! the mean over their posts.
//!
//! Where it differs from the authors' program, it is to its advantage on small sets: smaller batches, more epochs until it stops,
//! the last incomplete batch is used, and ties of the score are decided by the log-loss.

pub mod network;
pub mod reading;
#[cfg(test)]
mod tests;
pub mod training;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use self::network::{Deepgeo, Sizes};
use self::reading::{Reader, Reading, SHORTEST, batches};
use self::training::{PASS, Score, Settings, probabilities, train};
use super::items::{Item, View, posts_of};
use crate::error::{Error, Result};
use crate::model::params;
use crate::posts::Post;
use crate::progress::Progress;
use crate::tasks::report::CurvePoint;

/// A trained network with what turns posts into its numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trained {
    reader: Reader,
    sizes: Sizes,
    weights: Vec<Vec<f32>>,
}

/// How training went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Loss and score by epoch.
    pub curve: Vec<CurvePoint>,
    /// What was chosen and why it ended.
    pub remark: String,
}

impl Trained {
    /// Trains on the posts of `items`; the epoch is chosen on `held`.
    ///
    /// # Errors
    /// As [`train`].
    pub fn fit(
        view: &View,
        items: &[Item],
        held: &[Item],
        classes: usize,
        settings: &Settings,
        progress: &dyn Progress,
    ) -> Result<(Trained, Told)> {
        let (chosen, of) = posts_of(items);
        let posts: Vec<&Post> = chosen.iter().map(|&post| &view.posts[post]).collect();
        let reader = Reader::fit(&posts);
        let read = posts.iter().zip(of).map(|(post, class)| (reader.read(post), class));
        let (readings, of): (Vec<Reading>, Vec<u32>) = read.filter(|(r, _)| r.characters() >= SHORTEST).unzip();
        if readings.is_empty() {
            return Err(Error::input(format!("no training post has {SHORTEST} characters of text"))
                .help("Deepgeo reads texts; leave it out with --method"));
        }
        let sizes = Sizes::published(reader.texts.len(), reader.places.len(), classes);
        let (held_posts, _) = posts_of(held);
        let held_readings: Vec<Reading> = held_posts.iter().map(|&post| reader.read(&view.posts[post])).collect();
        let held_batches = batches(&held_readings, PASS, sizes.window);
        let score = |network: &Deepgeo| {
            let found = probabilities(network, &held_batches, classes);
            score(held, &found, classes)
        };
        let batches = batches(&readings, settings.batch, sizes.window);
        let (network, curve, remark) = train(&sizes, settings, &batches, &of, &score, progress)?;
        let weights = params::named(&network).into_iter().map(|tensor| tensor.values).collect();
        Ok((Trained { reader, sizes, weights }, Told { curve, remark }))
    }

    /// Probabilities of the classes for each item: means over its posts.
    ///
    /// # Errors
    /// If the weights are not those of the sizes: the file is damaged.
    pub fn probabilities(&self, view: &View, items: &[Item]) -> Result<Vec<Vec<f64>>> {
        let network = Deepgeo::new(&self.sizes, 0, &Device::flex());
        let shapes = params::shapes(&network);
        let fits =
            |((_, shape), values): (&(String, Vec<usize>), &Vec<f32>)| shape.iter().product::<usize>() == values.len();
        if shapes.len() != self.weights.len() || !shapes.iter().zip(&self.weights).all(fits) {
            return Err(Error::input("the weights of Deepgeo are damaged").help("fit it again with `quintet fit`"));
        }
        let network = params::edit(network, |at, _, values| values.copy_from_slice(&self.weights[at]));
        let (posts, _) = posts_of(items);
        let readings: Vec<Reading> = posts.iter().map(|&post| self.reader.read(&view.posts[post])).collect();
        let found = probabilities(&network, &batches(&readings, PASS, self.sizes.window), self.sizes.classes);
        Ok(means(items, &found, self.sizes.classes))
    }
}

/// Means over the posts of each item; `found` `[posts of all items, classes]`.
fn means(items: &[Item], found: &[f32], classes: usize) -> Vec<Vec<f64>> {
    let mut rows = found.chunks_exact(classes);
    items
        .iter()
        .map(|item| {
            let mut mean = vec![0.0; classes];
            for row in rows.by_ref().take(item.posts.len()) {
                mean.iter_mut().zip(row).for_each(|(m, &p)| *m += f64::from(p) / item.posts.len() as f64);
            }
            mean
        })
        .collect()
}

fn score(held: &[Item], found: &[f32], classes: usize) -> Score {
    let (mut right, mut loss) = (0usize, 0.0);
    for (item, mean) in held.iter().zip(means(held, found, classes)) {
        right += usize::from(super::largest(&mean) == item.class);
        loss -= mean[item.class].max(1e-30).ln();
    }
    let all = held.len().max(1) as f64;
    Score { accuracy: right as f64 / all, loss: loss / all }
}
