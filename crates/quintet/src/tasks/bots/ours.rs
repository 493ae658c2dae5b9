//! Ours: members that each look at one kind of evidence, joined with a weight each ([`crate::tasks::pool`]) that was fitted to
//! their answers on items they were not fitted on. Those items are drawn like the ones to come: campaigns are cut, and count
//! by their accounts, because accounts of known campaigns will come again.

use serde::{Deserialize, Serialize};

use super::folds;
use super::members::{Extractor, Fitted, Member, MemberSettings};
use super::units::Evidence as Items;
use crate::error::Result;
use crate::progress::Progress;
use crate::tasks::pool::{Evidence, Pool};

/// Settings of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OursSettings {
    /// The members, at least one.
    pub members: Vec<Member>,
    /// How they are fitted.
    pub fitting: MemberSettings,
    /// Folds for the members' answers on items they have not seen.
    pub folds: usize,
    /// Penalty on the weights that join the members.
    pub penalty: f64,
}

/// The fitted members and their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ours {
    extractor: Extractor,
    fitted: Vec<Fitted>,
    members: Vec<Member>,
    pool: Pool,
}

impl Ours {
    /// Fits members and their weights.
    ///
    /// # Errors
    /// If a class is missing, or the person stops the work.
    pub fn fit(train: &Items, settings: &OursSettings, progress: &dyn Progress) -> Result<Ours> {
        let bots = train.bots();
        let extractor = Extractor::fit(&settings.members, train, &settings.fitting);
        let features = extractor.features(train);
        let all: Vec<usize> = (0..train.len()).collect();
        let alone: Vec<u32> = (0..train.len() as u32).collect();
        let folds = folds::assign(&alone, &bots, settings.folds.max(2), settings.fitting.seed);
        let task = progress.task("ours", Some(settings.members.len() as u64), "members");
        let (mut fitted, mut answers) = (Vec::new(), Vec::new());
        for &member in &settings.members {
            let fit = |chosen: &[usize]| Fitted::fit(member, &features, &bots, chosen, &settings.fitting, progress);
            let mut unseen = vec![0.0; train.len()];
            for fold in 0..settings.folds.max(2) {
                let (held, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&i| folds[i] == fold);
                if held.is_empty() {
                    continue;
                }
                let odds = fit(&others)?.log_odds(&features, &held)?;
                held.into_iter().zip(odds).for_each(|(i, o)| unseen[i] = o);
            }
            fitted.push(fit(&all)?);
            answers.push(unseen);
            task.advance(1);
        }
        let classes: Vec<usize> = bots.iter().map(|&bot| usize::from(bot)).collect();
        let pool = Pool::fit(&beside(&answers), &classes, &vec![1.0; train.len()], settings.penalty);
        Ok(Ours { extractor, fitted, members: settings.members.clone(), pool })
    }

    /// P(bot) of each item.
    ///
    /// # Errors
    /// If the features are not those of the fit (a bug).
    pub fn scores(&self, items: &Items) -> Result<Vec<f64>> {
        let features = self.extractor.features(items);
        let all: Vec<usize> = (0..items.len()).collect();
        let answers: Vec<Vec<f64>> =
            self.fitted.iter().map(|member| member.log_odds(&features, &all)).collect::<Result<_>>()?;
        Ok(beside(&answers).iter().map(|row| self.pool.probabilities(row)[1]).collect())
    }

    /// What each member's log-odds weigh, in words.
    pub fn weights(&self) -> String {
        let weights = self.members.iter().zip(&self.pool.weights);
        let weights: Vec<String> = weights.map(|(m, w)| format!("{} {w:.2}", m.name())).collect();
        format!("weights of the members' log-odds: {}", weights.join(", "))
    }
}

/// The members' log-odds as what they say of humans and bots, an item each.
fn beside(answers: &[Vec<f64>]) -> Vec<Evidence> {
    let items = answers.first().map_or(0, Vec::len);
    (0..items).map(|i| answers.iter().map(|odds| vec![-odds[i] / 2.0, odds[i] / 2.0]).collect()).collect()
}
