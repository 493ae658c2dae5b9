//! Which posts a training step sees: the order of an epoch, its batches, neighbours, hidden components.
//!
//! Everything random is a function of (seed, epoch, post), so there is no state to save: any step of any epoch can be
//! built again by its number, on any number of threads.

use std::collections::HashMap;

use quintet_kernels::rng::{Rng, label};

use crate::component::{Component, PerComponent};
use crate::config::Config;
use crate::features::dataset::NONE;
use crate::features::vocabulary::UNKNOWN;
use crate::features::{Dataset, Dense, Ragged};
use crate::model::{Batch, DenseRows, Sequences};
use crate::posts::Part;

/// The training posts of a dataset and how they become batches.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Dataset indices of the posts that training uses, in corpus order.
    pub posts: Vec<usize>,
    /// Training posts left out because they have fewer than two usable components.
    pub too_few_components: usize,
    /// Training posts left out because their author has `posts_per_author` already.
    pub author_full: usize,
    components: Vec<Component>,
    seed: u64,
    batch: usize,
    neighbours: usize,
    exclude_self: bool,
    dropout: f64,
    input_dropout: f64,
}

impl Plan {
    /// Chooses the training posts of `dataset` as `config` wants them.
    pub fn new(dataset: &Dataset, config: &Config) -> Plan {
        let mut plan = Plan {
            posts: Vec::new(),
            too_few_components: 0,
            author_full: 0,
            components: config.components.clone(),
            seed: config.seed,
            batch: config.train.batch,
            neighbours: config.location.neighbours,
            exclude_self: config.location.exclude_self,
            dropout: config.model.component_dropout,
            input_dropout: config.model.input_dropout,
        };
        let mut per_author: HashMap<u64, usize> = HashMap::new();
        for i in (0..dataset.len()).filter(|&i| dataset.parts[i] == Some(Part::Train)) {
            if usable(dataset, i, &plan.components, plan.exclude_self).len() < 2 {
                plan.too_few_components += 1;
                continue;
            }
            let author = dataset.keys[i][Component::User];
            if config.posts_per_author > 0 && author != 0 {
                let count = per_author.entry(author).or_default();
                if *count == config.posts_per_author {
                    plan.author_full += 1;
                    continue;
                }
                *count += 1;
            }
            plan.posts.push(i);
        }
        plan
    }

    /// Steps in an epoch. The last batch may be partial; a single last post joins the batch before it, because alone
    /// it has no negatives.
    pub fn steps_per_epoch(&self) -> usize {
        let full = self.posts.len().div_ceil(self.batch);
        if self.posts.len() % self.batch == 1 && full > 1 { full - 1 } else { full }
    }

    /// The order of an epoch: dataset indices, shuffled from seed and epoch alone.
    pub fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order = self.posts.clone();
        Rng::new(self.seed, &[label("epoch order"), epoch as u64]).shuffle(&mut order);
        order
    }

    /// Batch `position` of the epoch whose order is `order`, with this epoch's neighbours and hidden components.
    pub fn batch(&self, dataset: &Dataset, order: &[usize], epoch: usize, position: usize) -> Batch {
        let last = position + 1 == self.steps_per_epoch();
        let from = position * self.batch;
        let to = if last { order.len() } else { from + self.batch };
        let mut builder = Builder::new(dataset);
        for &post in &order[from..to] {
            let mut present = usable(dataset, post, &self.components, self.exclude_self);
            self.hide(&mut present, epoch, post);
            let neighbours = self.draw(&Near::new(dataset, post, self.exclude_self), epoch, post);
            builder.add(post, &present, &neighbours);
        }
        let mut batch = builder.batch;
        if self.input_dropout > 0.0 {
            self.thin(&mut batch, epoch, position);
        }
        batch
    }

    /// Inverted dropout of the inputs: words become the unknown word, the numbers of image, hashtags and user become 0
    /// and those that stay grow so that the expectation stays. A thousand posts cannot fill a thousand dimensions;
    /// without this, small corpora are learned by heart within ten epochs (docs/results.md).
    fn thin(&self, batch: &mut Batch, epoch: usize, position: usize) {
        let rng =
            |what: &str| Rng::new(self.seed, &[label("input dropout"), label(what), epoch as u64, position as u64]);
        for (what, texts) in [("text", &mut batch.text), ("location", &mut batch.location)] {
            let mut rng = rng(what);
            for token in texts.tokens.values.iter_mut().filter(|token| **token > UNKNOWN) {
                if rng.f64() < self.input_dropout {
                    *token = UNKNOWN;
                }
            }
        }
        let stay = (1.0 / (1.0 - self.input_dropout)) as f32;
        for (what, rows) in [("image", &mut batch.image), ("hashtags", &mut batch.hashtags), ("user", &mut batch.user)]
        {
            let mut rng = rng(what);
            for value in &mut rows.values.values {
                *value *= if rng.f64() < self.input_dropout { 0.0 } else { stay };
            }
        }
    }

    /// Hides each present component with probability `dropout`, so that training meets the posts with missing
    /// components that inference will meet. The two least likely to go always stay.
    fn hide(&self, present: &mut Vec<Component>, epoch: usize, post: usize) {
        if self.dropout <= 0.0 {
            return;
        }
        let mut rng = Rng::new(self.seed, &[label("component dropout"), epoch as u64, post as u64]);
        // One draw for each of the five, so that a post's draws do not depend on what it has.
        let draws = PerComponent::from_fn(|_| rng.f64());
        let mut kept = present.clone();
        kept.sort_by(|a, b| draws[*b].total_cmp(&draws[*a]));
        let stay = kept.iter().filter(|c| draws[**c] >= self.dropout).count().max(2).min(kept.len());
        kept.truncate(stay);
        kept.sort_unstable();
        *present = kept;
    }

    /// At most `neighbours` of the candidates, without replacement: the beginning of a shuffle (Fisher and Yates 1938) of which
    /// only what was moved is written down, because a place may have a tenth of all posts.
    fn draw(&self, near: &Near, epoch: usize, post: usize) -> Vec<u32> {
        let mut rng = Rng::new(self.seed, &[label("neighbours"), epoch as u64, post as u64]);
        let mut moved: HashMap<usize, u32> = HashMap::new();
        let mut drawn = Vec::with_capacity(self.neighbours);
        for i in 0..near.all.len() {
            if drawn.len() == self.neighbours {
                break;
            }
            let other = i + rng.index(near.all.len() - i);
            let at = |place: usize| moved.get(&place).copied().unwrap_or(near.all[place]);
            let (chosen, first) = (at(other), at(i));
            moved.insert(other, first);
            if near.may_see(chosen) {
                drawn.push(chosen);
            }
        }
        drawn
    }
}

/// Batch of the posts `indices` of `dataset` for inference: nothing random, the first `neighbours` usable neighbours of
/// each place, so a post gives the same numbers in whatever batch it stands. Components outside `components` are left out.
pub fn inference(dataset: &Dataset, indices: &[usize], components: &[Component], neighbours: usize) -> Batch {
    let mut builder = Builder::new(dataset);
    for &post in indices {
        let near: Vec<u32> = Near::new(dataset, post, true).allowed().take(neighbours).collect();
        builder.add(post, &usable(dataset, post, components, true), &near);
    }
    builder.batch
}

/// The components of post `i` that can go into the network, among `wanted`, in the fixed order.
pub fn usable(dataset: &Dataset, i: usize, wanted: &[Component], exclude_self: bool) -> Vec<Component> {
    let has = |c: Component| match c {
        Component::Text => !dataset.text.get(i).is_empty(),
        Component::Image => dataset.image[i] != NONE,
        Component::Hashtags => dataset.hashtags[i] != NONE,
        Component::Location => Near::new(dataset, i, exclude_self).allowed().next().is_some(),
        Component::User => dataset.user[i] != NONE,
    };
    Component::ALL.into_iter().filter(|&c| wanted.contains(&c) && dataset.status[i][c].used() && has(c)).collect()
}

/// The neighbour candidates of a post.
struct Near<'a> {
    /// Those of its place, in the order of the dataset.
    all: &'a [u32],
    /// Those it must not see, ascending.
    excluded: &'a [u32],
    texts: &'a Ragged<u32>,
}

impl<'a> Near<'a> {
    fn new(dataset: &'a Dataset, i: usize, exclude_self: bool) -> Near<'a> {
        let place = dataset.location[i];
        let all = if place == NONE { &[][..] } else { dataset.places.get(place as usize) };
        let excluded = if exclude_self && i < dataset.excluded.len() { dataset.excluded.get(i) } else { &[] };
        Near { all, excluded, texts: &dataset.neighbours }
    }

    fn may_see(&self, candidate: u32) -> bool {
        self.excluded.binary_search(&candidate).is_err() && !self.texts.get(candidate as usize).is_empty()
    }

    fn allowed(&self) -> impl Iterator<Item = u32> {
        self.all.iter().copied().filter(|&candidate| self.may_see(candidate))
    }
}

/// Fills a batch post by post; equal token sequences are stored once.
struct Builder<'a> {
    dataset: &'a Dataset,
    batch: Batch,
    texts: HashMap<&'a [u32], u32>,
    neighbours: HashMap<&'a [u32], u32>,
}

impl<'a> Builder<'a> {
    fn new(dataset: &'a Dataset) -> Self {
        let rows = |values: &Dense| DenseRows { rows: Vec::new(), values: Dense::new(values.dim) };
        let batch = Batch {
            image: rows(&dataset.images),
            hashtags: rows(&dataset.tags),
            user: rows(&dataset.users),
            ..Batch::default()
        };
        Builder { dataset, batch, texts: HashMap::new(), neighbours: HashMap::new() }
    }

    /// Appends post `i` with the components `present` and these neighbours.
    fn add(&mut self, i: usize, present: &[Component], neighbours: &[u32]) {
        let (data, row) = (self.dataset, self.batch.size as u32);
        for &component in present {
            match component {
                Component::Text => sequences(&mut self.batch.text, &mut self.texts, row, [data.text.get(i)]),
                Component::Image => dense(&mut self.batch.image, row, data.images.row(data.image[i] as usize)),
                Component::Hashtags => dense(&mut self.batch.hashtags, row, data.tags.row(data.hashtags[i] as usize)),
                Component::Location => {
                    let texts = neighbours.iter().map(|&n| data.neighbours.get(n as usize));
                    sequences(&mut self.batch.location, &mut self.neighbours, row, texts);
                }
                Component::User => dense(&mut self.batch.user, row, data.users.row(data.user[i] as usize)),
            }
        }
        // Also of what is hidden or left out: posts with the same image are no negatives of each other either way.
        self.batch.keys.push(data.keys[i]);
        self.batch.size += 1;
    }
}

fn dense(into: &mut DenseRows, row: u32, values: &[f32]) {
    into.rows.push(row);
    into.values.push(values);
}

fn sequences<'a>(
    into: &mut Sequences,
    known: &mut HashMap<&'a [u32], u32>,
    row: u32,
    texts: impl IntoIterator<Item = &'a [u32]>,
) {
    let members: Vec<u32> = texts
        .into_iter()
        .map(|tokens| {
            *known.entry(tokens).or_insert_with(|| {
                into.tokens.push(tokens.iter().copied());
                into.tokens.len() as u32 - 1
            })
        })
        .collect();
    into.rows.push(row);
    into.members.push(members);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::dataset::{Ragged, Status};

    /// `n` training posts with texts and images; post i has place i % 2 with five neighbours, one of them excluded.
    fn posts(n: usize) -> Dataset {
        let mut data = Dataset { image: (0..n as u32).collect(), ..Dataset::default() };
        data.images = Dense { dim: 1, values: vec![1.0; n] };
        data.places.push([0, 1, 2, 3, 4]);
        data.places.push([3, 4, 5, 6, 7]);
        (0..8u32).for_each(|i| data.neighbours.push([100 + i]));
        for i in 0..n {
            data.ids.push(i.to_string());
            data.parts.push(Some(Part::Train));
            data.status.push(PerComponent::from_fn(|c| {
                if matches!(c, Component::Hashtags | Component::User) { Status::Missing } else { Status::Present }
            }));
            data.keys.push(PerComponent([0, 0, 0, 0, i as u64 / 10 + 1]));
            data.text.push([i as u32 % 3]);
            data.location.push(i as u32 % 2);
            data.excluded.push([3]);
        }
        data.hashtags = vec![NONE; n];
        data.user = vec![NONE; n];
        data
    }

    fn config(batch: usize) -> Config {
        let mut config = Config::default();
        config.train.batch = batch;
        config.location.neighbours = 2;
        config.model.component_dropout = 0.0;
        config.model.input_dropout = 0.0;
        config
    }

    #[test]
    fn an_epoch_takes_every_post_once_and_never_one_alone() {
        for (n, batch, steps) in [(33, 16, 2), (34, 16, 3), (32, 16, 2), (5, 16, 1), (17, 16, 1), (2, 2, 1)] {
            let data = posts(n);
            let plan = Plan::new(&data, &config(batch));
            assert_eq!(plan.steps_per_epoch(), steps, "{n} posts");
            let order = plan.order(3);
            let sizes: Vec<usize> = (0..steps).map(|p| plan.batch(&data, &order, 3, p).size).collect();
            assert_eq!(sizes.iter().sum::<usize>(), n);
            assert!(sizes.iter().all(|&s| s >= 2), "{n} posts: {sizes:?}");
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted == plan.posts && (n < 5 || order != plan.order(4)));
        }
    }

    #[test]
    fn neighbours_are_drawn_anew_without_the_excluded() {
        let data = posts(40);
        let plan = Plan::new(&data, &config(40));
        let drawn = |epoch| {
            let batch = plan.batch(&data, &plan.posts, epoch, 0);
            let members = |i| batch.location.members.get(i).iter().map(|&m| batch.location.tokens.get(m as usize)[0]);
            (0..40).map(|i| members(i).collect::<Vec<u32>>()).collect::<Vec<_>>()
        };
        let first = drawn(0);
        assert!(first.iter().all(|list| list.len() == 2 && list[0] != list[1] && !list.contains(&103)));
        let seen: std::collections::BTreeSet<u32> = first.iter().flatten().copied().collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [100, 101, 102, 104, 105, 106, 107]);
        assert!(first == drawn(0) && first != drawn(1));
    }

    #[test]
    fn hidden_components_leave_two() {
        let data = posts(400);
        let mut config = config(400);
        config.model.component_dropout = 0.5;
        let plan = Plan::new(&data, &config);
        let batch = plan.batch(&data, &plan.posts, 0, 0);
        let rows = [&batch.text.rows, &batch.image.rows, &batch.location.rows];
        let per_post = |i: u32| rows.iter().filter(|r| r.contains(&i)).count();
        assert!((0..400).all(|i| per_post(i) >= 2));
        // All three stay in 1 of 8 cases; where two or three go, two are kept: 7 of 8 posts lose exactly one.
        let whole = (0..400).filter(|&i| per_post(i) == 3).count();
        assert!((25..80).contains(&whole), "{whole}");
        assert!(rows.iter().all(|r| r.windows(2).all(|w| w[0] < w[1])));
    }

    #[test]
    fn inputs_are_thinned_in_training_only() {
        let data = posts(400);
        let mut config = config(400);
        config.model.input_dropout = 0.25;
        let plan = Plan::new(&data, &config);
        let batch = plan.batch(&data, &plan.posts, 2, 0);
        let gone = batch.image.values.values.iter().filter(|v| **v == 0.0).count();
        assert!((60..140).contains(&gone), "{gone} of 400 at 0.25");
        assert!(batch.image.values.values.iter().all(|v| *v == 0.0 || *v == 1.0 / 0.75));
        let words = |batch: &Batch| batch.location.tokens.values.iter().filter(|t| **t == UNKNOWN).count();
        assert!(words(&batch) <= 7 && (0..20).any(|epoch| words(&plan.batch(&data, &plan.posts, epoch, 0)) > 0));
        assert_eq!(batch, plan.batch(&data, &plan.posts, 2, 0));
        let whole = inference(&data, &plan.posts, &Component::ALL, 2);
        assert!(whole.image.values.values.iter().all(|v| *v == 1.0) && words(&whole) == 0);
    }

    #[test]
    fn equal_texts_are_stored_once() {
        let data = posts(30);
        let batch = inference(&data, &[4, 1, 7, 2], &Component::ALL, 3);
        assert_eq!((batch.size, batch.text.tokens.len()), (4, 2));
        assert_eq!(batch.text.members, Ragged { offsets: vec![0, 1, 2, 3, 4], values: vec![0, 0, 0, 1] });
        assert_eq!(batch.location.tokens.get(0), [100]);
    }

    #[test]
    fn a_post_is_the_same_in_every_batch() {
        let data = posts(30);
        let numbers = |batch: &Batch, i: usize| {
            let near = batch.location.members.get(i).iter().map(|&m| batch.location.tokens.get(m as usize).to_vec());
            (near.collect::<Vec<_>>(), batch.text.tokens.get(batch.text.members.get(i)[0] as usize).to_vec())
        };
        let alone = inference(&data, &[5], &Component::ALL, 2);
        let among = inference(&data, &[9, 1, 5, 22], &Component::ALL, 2);
        assert_eq!(numbers(&alone, 0), numbers(&among, 2));
    }

    #[test]
    fn posts_are_left_out_for_a_reason_that_is_counted() {
        let mut data = posts(30);
        for i in 0..4 {
            data.status[i][Component::Image] = Status::Broken;
            data.location[i] = NONE;
        }
        let mut config = config(16);
        config.posts_per_author = 8;
        let plan = Plan::new(&data, &config);
        // Authors have ten posts each; the first lost four to missing components.
        assert_eq!((plan.too_few_components, plan.author_full, plan.posts.len()), (4, 4, 22));
    }
}
