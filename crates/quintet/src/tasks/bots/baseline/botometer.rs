//! An ensemble of specialised forests in the manner of Botometer v4 (Sayyadiharikandeh et al. 2020, CIKM): one forest for each
//! kind of bot against all humans, one for all bots, and the strongest opinion wins.
//!
//! Botometer's code and models are closed. The rule is the published one, the features are the six published groups as far as
//! posts show them; what a profile or a tagger would add is absent or approximated where the group's file says so.

use quintet_forest::Forest;

use super::lexicon::Lexicon;
use super::{account, content, network};
use crate::error::Result;
use crate::progress::Progress;
use crate::tasks::bots::forest::{fit_binary, probabilities};
use crate::tasks::bots::numbers::{Numbers, Table};
use crate::tasks::bots::reading::Reading;

/// The features of one author's posts, in order of time.
pub fn numbers(posts: &[Reading], lexicon: &Lexicon) -> Numbers {
    let mut n = Numbers::default();
    account::user(&mut n, posts);
    network::friends(&mut n, posts);
    network::network(&mut n, posts);
    account::temporal(&mut n, posts);
    content::content(&mut n, posts);
    content::sentiment(&mut n, posts, lexicon);
    n
}

/// The fitted ensemble.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Specialists {
    /// All bots against all humans.
    all: Forest,
    /// One kind of bots against all humans.
    kinds: Vec<Forest>,
}

impl Specialists {
    /// Fits the forests. `kinds[i]` is the kind of bot `i`, ignored for humans; kinds without bots have no forest.
    ///
    /// # Errors
    /// If there is only one class, or the person stops the work.
    pub fn fit(
        table: &Table,
        bots: &[bool],
        kinds: &[usize],
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Specialists> {
        let all = fit_binary(table, bots, seed, progress)?;
        let most = kinds.iter().zip(bots).filter(|(_, b)| **b).map(|(k, _)| *k).max().unwrap_or(0);
        let mut forests = Vec::new();
        for kind in 0..=most {
            let chosen: Vec<usize> = (0..bots.len()).filter(|&i| !bots[i] || kinds[i] == kind).collect();
            let of_kind: Vec<bool> = chosen.iter().map(|&i| bots[i]).collect();
            if of_kind.contains(&true) {
                let seed = seed.wrapping_add(kind as u64 + 1);
                forests.push(fit_binary(&table.rows(&chosen), &of_kind, seed, progress)?);
            }
        }
        Ok(Specialists { all, kinds: forests })
    }

    /// A score per row: that of the kind with the highest one if it is above the confidence of the general forest in a
    /// human, otherwise the general forest's.
    ///
    /// # Errors
    /// If the columns are not those of the fit.
    pub fn scores(&self, table: &Table) -> Result<Vec<f64>> {
        let all = probabilities(&self.all, table)?;
        let kinds: Vec<Vec<f64>> = self.kinds.iter().map(|f| probabilities(f, table)).collect::<Result<_>>()?;
        Ok((0..table.len()).map(|i| strongest(all[i], kinds.iter().map(|k| k[i]))).collect())
    }
}

/// The rule: `all` is the general forest's P(bot), `kinds` those of the specialised ones.
fn strongest(all: f64, kinds: impl Iterator<Item = f64>) -> f64 {
    let kind = kinds.fold(0.0, f64::max);
    if kind > 1.0 - all { kind } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use quintet_kernels::rng::Rng;

    #[test]
    fn the_strongest_opinion_wins() {
        assert_eq!(strongest(0.2, [0.9, 0.1].into_iter()), 0.9, "a specialist is surer than the general forest");
        assert_eq!(strongest(0.2, [0.7, 0.1].into_iter()), 0.2, "the general forest is surer of a human");
    }

    #[test]
    fn kinds_far_apart_are_all_found() {
        let mut rng = Rng::new(6, &[]);
        let mut table = Table { names: vec!["x".into(), "y".into()], values: Vec::new() };
        let (mut bots, mut kinds) = (Vec::new(), Vec::new());
        for i in 0..120 {
            let (x, y) = [(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)][i % 3];
            table.values.extend([x + rng.uniform(-1.5, 1.5), y + rng.uniform(-1.5, 1.5)]);
            bots.push(i % 3 > 0);
            kinds.push((i % 3).saturating_sub(1));
        }
        let fit = Specialists::fit(&table, &bots, &kinds, 1, &Silent::default()).unwrap();
        assert_eq!(fit.kinds.len(), 2);
        let scores = fit.scores(&table).unwrap();
        assert!(scores.iter().zip(&bots).all(|(s, b)| (*s >= 0.5) == *b));
        let error = Specialists::fit(&table, &[true; 120], &kinds, 1, &Silent::default()).unwrap_err();
        assert!(error.to_string().contains("both classes"), "{error}");
    }
}
