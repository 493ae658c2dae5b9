//! Skip-gram with negative sampling over random walks, several walks at a time.
//!
//! Walks are taken in rounds of [`ROUND`]. Each walk of a round works on copies of the rows that it needs, which stay in
//! the nearest cache; then the changes of all its walks are added to the tables in the order of the walks. So any number
//! of threads gives the same bits. A walk draws [`POOL`] negatives, and each centre takes [`FACED`] of them, weighted so
//! that they count as often as negatives of their own for every pair would: the same expected gradient from a fraction of
//! the rows.

use quintet_kernels::rng::{Rng, label};
use quintet_kernels::rows::Copies;
use quintet_kernels::window::Pairs;
use rayon::prelude::*;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::graph::MentionGraph;
use super::lockstep::in_lockstep;
use super::walks::Walker;
use crate::config;

/// Walks of a round. Few, because a node that many walks visit moves by all their changes at once; 64 cost a hundredth
/// of the AUC of hidden edges, 16 nothing that rises above the spread over seeds.
const ROUND: usize = 16;
/// A round has at most one walk for so many nodes, so that walks of one round rarely meet.
const NODES_PER_WALK: usize = 64;
/// Negatives of a walk.
const POOL: usize = 32;
/// Negatives of a centre.
const FACED: usize = 8;
/// A centre takes so many targets at once that the weights of their pairs add up to no more than this (10 targets with 5
/// negatives each at a rate of 0.025 are 1.5): on a graph of few nodes all may be the same row, and from 2 on it would
/// swing further with each step.
const LONGEST_STEP: f32 = 1.6;
/// Walks that are drawn at a time: the graph is then in the cache, and the tables are not yet.
pub(super) const BATCH: usize = 1024;
/// Walks that are drawn side by side.
const ABREAST: usize = 16;

/// The tables `[nodes, dim]` and the state of training. Locks are held as long as a task of a phase; nobody waits for one.
pub(super) struct WalkTraining<'a> {
    graph: &'a MentionGraph,
    settings: &'a config::User,
    /// Input and output rows of so many nodes each. Any cut will do: every row gets its changes in the order of the walks.
    parts: Vec<RwLock<[Vec<f32>; 2]>>,
    nodes_a_part: usize,
    /// Walks of a batch.
    walks: Vec<Vec<u32>>,
    /// Memory for the walks of a round.
    learners: Vec<RwLock<Learner>>,
}

impl<'a> WalkTraining<'a> {
    /// Input rows drawn from U(-1/dim, 1/dim), output rows zero.
    pub(super) fn new(graph: &'a MentionGraph, settings: &'a config::User) -> WalkTraining<'a> {
        let bound = 1.0 / settings.dim as f32;
        let nodes_a_part = graph.len().div_ceil(2 * rayon::current_num_threads()).max(1);
        let part = |i: usize| {
            let first = i * nodes_a_part;
            let len = nodes_a_part.min(graph.len() - first) * settings.dim;
            let (mut input, mut rng) = (vec![0.0; len], Rng::new(settings.seed, &[label("skip-gram rows")]));
            rng.seek((first * settings.dim) as u64);
            input.iter_mut().for_each(|x| *x = rng.uniform(-bound, bound));
            RwLock::new([input, vec![0.0; len]])
        };
        let round = (graph.len() / NODES_PER_WALK).clamp(1, ROUND);
        WalkTraining {
            graph,
            settings,
            parts: (0..graph.len().div_ceil(nodes_a_part)).into_par_iter().map(part).collect(),
            nodes_a_part,
            walks: vec![Vec::new(); BATCH],
            learners: (0..round).map(|_| RwLock::new(Learner::new(settings))).collect(),
        }
    }

    /// Learns from a walk from each of `starts` (at most [`BATCH`]); `rate` tells the learning rate after so many of them.
    pub(super) fn learn(&mut self, pass: u64, starts: &[u32], rate: impl Fn(usize) -> f64 + Sync) {
        let WalkTraining { graph, settings, parts, nodes_a_part, walks, learners } = self;
        let walker = Walker { length: settings.walk_length, p: settings.p, q: settings.q };
        walks.par_chunks_mut(ABREAST).zip(starts.par_chunks(ABREAST)).for_each(|(walks, starts)| {
            let rng = |&start| Rng::new(settings.seed, &[label("walk"), pass, u64::from(start)]);
            let mut rngs: Vec<Rng> = starts.iter().map(rng).collect();
            walker.walks(graph, starts, &mut rngs, walks);
        });
        let rounds: Vec<&[Vec<u32>]> = walks[..starts.len()].chunks(learners.len()).collect();
        // Of each round first the walks, then the parts of the tables.
        let phases: Vec<usize> = rounds.iter().flat_map(|walks| [walks.len(), parts.len()]).collect();
        in_lockstep(&phases, |phase, task| {
            let (round, walks) = (phase / 2, rounds[phase / 2]);
            if phase % 2 == 0 {
                let tables = Tables::read(parts, *nodes_a_part, settings.dim);
                let mut rng = Rng::new(settings.seed, &[label("windows"), pass, u64::from(walks[task][0])]);
                let rate = rate(round * learners.len()) as f32;
                write(&learners[task]).learn(&walks[task], graph.len(), settings, &mut rng, rate, &tables);
            } else {
                let [input, output] = &mut *write(&parts[task]);
                let first = (task * *nodes_a_part) as u32;
                for learner in &learners[..walks.len()] {
                    let learner = read(learner);
                    learner.inputs.add_to(input, first);
                    learner.outputs.add_to(output, first);
                }
            }
        });
    }

    /// The input rows `[nodes, dim]`.
    pub(super) fn into_rows(self) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.graph.len() * self.settings.dim);
        for part in self.parts {
            let [input, _] = part.into_inner().unwrap_or_else(PoisonError::into_inner);
            rows.extend(input);
        }
        rows
    }
}

/// Both tables while nobody writes to them.
struct Tables<'a> {
    parts: Vec<RwLockReadGuard<'a, [Vec<f32>; 2]>>,
    nodes_a_part: usize,
    dim: usize,
}

impl<'a> Tables<'a> {
    fn read(parts: &'a [RwLock<[Vec<f32>; 2]>], nodes_a_part: usize, dim: usize) -> Tables<'a> {
        Tables { parts: parts.iter().map(read).collect(), nodes_a_part, dim }
    }

    /// Row of `node` in the input (0) or the output (1).
    fn row(&self, which: usize, node: u32) -> &[f32] {
        let node = node as usize;
        let part = node / self.nodes_a_part;
        &self.parts[part][which][(node - part * self.nodes_a_part) * self.dim..][..self.dim]
    }
}

// After a panic nothing is used any more: a poisoned lock is as good as another.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// What a walk works in.
struct Learner {
    /// Nodes of the walk first, then those that are negatives only.
    places: Places,
    inputs: Copies,
    outputs: Copies,
    /// Place of each node of the walk.
    walk: Vec<u32>,
    /// Places of the negatives.
    pool: Vec<u32>,
    /// Places of the targets of the present centre.
    targets: Vec<u32>,
    /// How often a place is a target of the present centre.
    times: Vec<u32>,
    pairs: Pairs,
}

impl Learner {
    fn new(settings: &config::User) -> Learner {
        let most = settings.walk_length + POOL;
        Learner {
            places: Places::new(most),
            inputs: Copies::new(settings.walk_length, settings.dim),
            outputs: Copies::new(most, settings.dim),
            walk: Vec::new(),
            pool: Vec::new(),
            targets: Vec::new(),
            times: vec![0; most],
            pairs: Pairs::default(),
        }
    }

    /// Leaves the changes to the rows of `tables` in `inputs` and `outputs`.
    fn learn(
        &mut self,
        walk: &[u32],
        nodes: usize,
        settings: &config::User,
        rng: &mut Rng,
        rate: f32,
        tables: &Tables,
    ) {
        let (input, output) = (|node| tables.row(0, node), |node| tables.row(1, node));
        // A walk of one node has no pair.
        let walk = if walk.len() > 1 { walk } else { &[] };
        self.places.clear();
        self.walk.clear();
        self.walk.extend(walk.iter().map(|&node| self.places.of(node)));
        let walked = self.places.nodes.len();
        self.pool.clear();
        if settings.negatives > 0 && nodes > 1 && walked > 0 {
            self.pool.extend((0..POOL).map(|_| self.places.of(rng.index(nodes) as u32)));
        }
        self.inputs.take(&self.places.nodes[..walked], input);
        self.outputs.take(&self.places.nodes, output);
        let stride = self.inputs.stride();
        // A negative that is the target itself does not count; the others stand for it.
        let share = settings.negatives as f64 / FACED as f64 * nodes as f64 / (nodes as f64 - 1.0);
        let faced = if self.pool.is_empty() { 0 } else { FACED };
        // One target with very many negatives would be too long a step by itself.
        let rate = rate.min(LONGEST_STEP / (1 + settings.negatives) as f32);
        let at_once = ((LONGEST_STEP / (rate * (1 + settings.negatives) as f32)) as usize).max(1);
        for (i, &centre) in self.walk.iter().enumerate() {
            let reach = 1 + rng.index(settings.window.max(1));
            let (before, after) = (&self.walk[i.saturating_sub(reach)..i], &self.walk[i + 1..]);
            self.targets.clear();
            self.targets.extend_from_slice(before);
            self.targets.extend_from_slice(&after[..reach.min(after.len())]);
            for targets in self.targets.chunks(at_once) {
                targets.iter().for_each(|&target| self.times[target as usize] += 1);
                self.pairs.clear();
                let first = rng.index(POOL);
                for negative in (first..first + faced).map(|k| self.pool[k % POOL]) {
                    let others = targets.len() as u32 - self.times[negative as usize];
                    self.pairs.push(negative, 0.0, (share * f64::from(others)) as f32 * rate);
                }
                for &target in targets {
                    let times = std::mem::take(&mut self.times[target as usize]);
                    if times > 0 {
                        self.pairs.push(target, 1.0, times as f32 * rate);
                    }
                }
                let centre = &mut self.inputs.values_mut()[centre as usize * stride..][..stride];
                self.pairs.learn(centre, self.outputs.values_mut());
            }
        }
        self.inputs.become_changes(input);
        self.outputs.become_changes(output);
    }
}

/// Numbers nodes in the order in which they are first asked for: an open hash table.
struct Places {
    nodes: Vec<u32>,
    /// Place + 1 of a node, 0 where there is none; at most half full.
    slots: Vec<u32>,
}

impl Places {
    fn new(most: usize) -> Places {
        Places { nodes: Vec::with_capacity(most), slots: vec![0; (2 * most).next_power_of_two()] }
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.slots.fill(0);
    }

    fn of(&mut self, node: u32) -> u32 {
        let last = self.slots.len() - 1;
        // Multiplicative hashing (Knuth): 2^32 divided by the golden ratio.
        let mut slot = (node.wrapping_mul(0x9e37_79b9) >> 12) as usize & last;
        loop {
            match self.slots[slot] {
                0 => break,
                place if self.nodes[place as usize - 1] == node => return place - 1,
                _ => slot = (slot + 1) & last,
            }
        }
        self.nodes.push(node);
        self.slots[slot] = self.nodes.len() as u32;
        self.nodes.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::skipgram::SkipGram;

    const NODES: usize = 1500;

    /// Fifty groups of thirty nodes and a hub that half of all nodes know; every seventh edge apart.
    fn graph() -> (MentionGraph, Vec<(u32, u32)>) {
        let mut rng = Rng::new(21, &[]);
        let (mut edges, mut hidden) = (Vec::new(), Vec::new());
        for u in 1..NODES as u32 {
            for _ in 0..6 {
                let v = if rng.chance(0.1) { rng.index(NODES) as u32 } else { u / 30 * 30 + rng.index(30) as u32 };
                match rng.chance(1.0 / 7.0) {
                    true => hidden.push((u, v)),
                    false => edges.push((u, v, 1.0)),
                }
            }
            if rng.chance(0.5) {
                edges.push((u, 0, 1.0));
            }
        }
        (MentionGraph::from_edges(NODES, edges, true), hidden)
    }

    fn settings() -> config::User {
        config::User { dim: 24, walks: 10, walk_length: 20, window: 4, ..config::User::default() }
    }

    fn trained(graph: &MentionGraph, settings: &config::User) -> Vec<f32> {
        let mut training = WalkTraining::new(graph, settings);
        let starts: Vec<u32> = (0..graph.len() as u32).collect();
        for pass in 0..settings.walks {
            starts.chunks(BATCH).for_each(|starts| training.learn(pass as u64, starts, |_| settings.learning_rate));
        }
        training.into_rows()
    }

    /// The same walks, pair by pair with negatives of their own.
    fn trained_by_pairs(graph: &MentionGraph, settings: &config::User) -> Vec<f32> {
        let mut model = SkipGram::new(NODES, &[1.0; NODES], settings.dim, settings.negatives, settings.seed);
        let walker = Walker { length: settings.walk_length, p: settings.p, q: settings.q };
        let mut walk = Vec::new();
        for (pass, start) in (0..settings.walks as u64).flat_map(|pass| (0..NODES as u64).map(move |s| (pass, s))) {
            let mut rng = Rng::new(settings.seed, &[label("walk"), pass, start]);
            walker.walk(graph, start as u32, &mut rng, &mut walk);
            for (i, node) in walk.iter().enumerate() {
                let reach = 1 + rng.index(settings.window);
                let mut targets = walk[i.saturating_sub(reach)..i].to_vec();
                targets.extend_from_slice(&walk[i + 1..(i + 1 + reach).min(walk.len())]);
                model.learn(&[*node], &targets, settings.learning_rate as f32);
            }
        }
        model.into_rows()
    }

    /// Share of hidden edges whose cosine is above that of a random pair.
    fn auc(rows: &[f32], dim: usize, hidden: &[(u32, u32)]) -> f64 {
        let cosine = |(u, v): (u32, u32)| {
            let (u, v) = (&rows[u as usize * dim..][..dim], &rows[v as usize * dim..][..dim]);
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
            product(u, v) / (product(u, u) * product(v, v)).sqrt()
        };
        let mut rng = Rng::new(5, &[]);
        let mut other = || cosine((rng.index(NODES) as u32, rng.index(NODES) as u32));
        hidden.iter().filter(|&&edge| cosine(edge) > other()).count() as f64 / hidden.len() as f64
    }

    #[test]
    fn shared_negatives_predict_links_as_well_as_pairs_of_their_own() {
        let (graph, hidden) = graph();
        for settings in [settings(), config::User { p: 0.5, q: 2.0, ..settings() }] {
            let ours = auc(&trained(&graph, &settings), settings.dim, &hidden);
            let plain = auc(&trained_by_pairs(&graph, &settings), settings.dim, &hidden);
            // Some 1,200 hidden edges: a standard error of 0.01 a side.
            assert!(plain > 0.8 && ours > plain - 0.03, "AUC {ours}, pair by pair {plain}");
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let ((graph, _), settings) = (graph(), config::User { walks: 2, ..settings() });
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| trained(&graph, &settings))
        };
        let one = on(1);
        assert!((2..5).all(|threads| on(threads) == one));
        let other = config::User { seed: settings.seed + 1, ..settings.clone() };
        assert_ne!(trained(&graph, &other), one);
    }

    #[test]
    fn odd_settings_and_graphs_give_numbers() {
        let alone = MentionGraph::from_edges(1, vec![(0, 0, 1.0)], false);
        let pair = MentionGraph::from_edges(2, vec![(0, 1, 1.0)], true);
        let (many, _) = graph();
        for settings in [
            settings(),
            config::User { negatives: 0, dim: 1, ..settings() },
            config::User { walk_length: 1, window: 0, ..settings() },
            config::User { negatives: 100_000, learning_rate: 1.0, ..settings() },
            config::User { negatives: 50, walk_length: 100, window: 200, dim: 17, walks: 1, ..settings() },
        ] {
            for graph in [&alone, &pair, &many] {
                let rows = trained(graph, &settings);
                assert!(rows.len() == graph.len() * settings.dim && rows.iter().all(|x| x.is_finite()));
            }
        }
    }

    #[test]
    fn places_are_those_of_the_first_asking() {
        let mut places = Places::new(40);
        for seed in 0..20 {
            places.clear();
            let mut rng = Rng::new(seed, &[]);
            let mut seen: Vec<u32> = Vec::new();
            for _ in 0..40 {
                let node = rng.index(30) as u32 * 1_048_576;
                let expected = seen.iter().position(|&n| n == node).unwrap_or(seen.len());
                if expected == seen.len() {
                    seen.push(node);
                }
                assert_eq!(places.of(node), expected as u32);
            }
            assert_eq!(places.nodes, seen);
        }
    }
}
