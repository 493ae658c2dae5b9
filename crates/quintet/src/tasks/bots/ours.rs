//! Ours: members that each look at one kind of evidence, joined with a weight each ([`crate::tasks::pool`]) that was fitted to
//! their answers on items they were not fitted on; campaigns stay whole there, and teach once however many accounts they have.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::folds;
use super::members::{Extractor, Fitted, Member, MemberSettings};
use super::units::Evidence as Items;
use crate::error::Result;
use crate::posts::Post;
use crate::progress::Progress;
use crate::tasks::pool::{Evidence, Pool};

/// Settings of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OursSettings {
    /// The members; none: [`OursSettings::members_for`] chooses.
    pub members: Vec<Member>,
    /// How they are fitted.
    pub fitting: MemberSettings,
    /// Folds for the members' answers on items they have not seen.
    pub folds: usize,
    /// Penalty on the weights that join the members.
    pub penalty: f64,
    /// At most so many items of one campaign are fitted on (0: all): a campaign of hundreds of accounts with the same posts
    /// is one example many times over.
    pub campaign: usize,
}

impl OursSettings {
    /// The members for these items. Of authors of whom nothing but texts is known, the neighbours alone: on the dev part of PAN
    /// 2019, whose campaigns are not those of training, the others are surer than they are right (`docs/results.md`).
    pub fn members_for(&self, train: &Items) -> Vec<Member> {
        let told = |post: &Post| {
            let author = post.author.as_ref();
            post.created_at.is_some() || author.is_some_and(|a| a.followers.is_some() || a.created_at.is_some())
        };
        let of_items = || train.items.iter().flat_map(|item| &item.posts).map(|&post| &train.inputs.posts[post]);
        let many = train.items.iter().any(|item| item.posts.len() > 1);
        match &self.members[..] {
            [] if many && !of_items().any(told) => vec![Member::Neighbours],
            [] => Member::ALL.to_vec(),
            chosen => chosen.to_vec(),
        }
    }
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
        let (bots, groups, seed) = (train.bots(), train.campaigns(), settings.fitting.seed);
        let members = settings.members_for(train);
        let extractor = Extractor::fit(&members, train, &settings.fitting);
        let features = extractor.features(train);
        let (all, few) = (few_of_each(groups, 0), few_of_each(groups, settings.campaign));
        let folds = folds::assign(groups, &bots, settings.folds.max(2), seed);
        let task = progress.task("ours", Some(members.len() as u64), "members");
        let (mut fitted, mut answers) = (Vec::new(), Vec::new());
        for &member in &members {
            // To be near one account of a campaign is enough, whichever it is; the others learn from a few of them.
            let kept = if member == Member::Neighbours { &all } else { &few };
            let fit = |chosen: &[usize]| Fitted::fit(member, &features, &bots, chosen, &settings.fitting, progress);
            let mut unseen = vec![0.0; train.len()];
            for fold in 0..settings.folds.max(2) {
                let others: Vec<usize> = kept.iter().copied().filter(|&i| folds[i] != fold).collect();
                let held: Vec<usize> = (0..train.len()).filter(|&i| folds[i] == fold).collect();
                if held.is_empty() {
                    continue;
                }
                let odds = fit(&others)?.log_odds(&features, &held)?;
                held.into_iter().zip(odds).for_each(|(i, o)| unseen[i] = o);
            }
            fitted.push(fit(kept)?);
            answers.push(unseen);
            task.advance(1);
        }
        let mut sizes: HashMap<u32, usize> = HashMap::new();
        groups.iter().for_each(|&group| *sizes.entry(group).or_insert(0) += 1);
        let importance: Vec<f64> = groups.iter().map(|group| 1.0 / sizes[group] as f64).collect();
        let classes: Vec<usize> = bots.iter().map(|&bot| usize::from(bot)).collect();
        let pool = Pool::fit(&beside(&answers), &classes, &importance, settings.penalty);
        Ok(Ours { extractor, fitted, members, pool })
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

/// The first `most` items of each group (0: all), in order.
fn few_of_each(groups: &[u32], most: usize) -> Vec<usize> {
    let mut seen: HashMap<u32, usize> = HashMap::new();
    (0..groups.len())
        .filter(|&i| {
            let n = seen.entry(groups[i]).or_insert(0);
            *n += 1;
            most == 0 || *n <= most
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_counts_a_few_times() {
        let groups = [3, 3, 1, 3, 1, 2];
        assert_eq!(few_of_each(&groups, 2), [0, 1, 2, 4, 5]);
        assert_eq!(few_of_each(&groups, 0).len(), 6);
    }
}
