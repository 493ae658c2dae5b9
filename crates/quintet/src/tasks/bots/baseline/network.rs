//! Friends and network features (Varol et al. 2017), as far as an author's own posts show them: whom they mention and pass
//! on, and which accounts and tags stand together.

use std::collections::{BTreeMap, BTreeSet};

use crate::tasks::bots::numbers::{Numbers, count, entropy, share};
use crate::tasks::bots::reading::{Named, Reading};

/// Numbers of the accounts that are mentioned and passed on. Profiles of those accounts are not at hand.
pub fn friends(n: &mut Numbers, posts: &[Reading]) {
    let kinds: [Named<bool>; 2] = [("retweeted", |r| r.retweet), ("mentioned", |r| !r.retweet)];
    for (name, is) in kinds {
        let times = count(posts.iter().filter(|r| is(r)).flat_map(|r| r.mentions.iter()));
        let mut counts: Vec<f64> = times.values().map(|c| *c as f64).collect();
        counts.sort_unstable_by(f64::total_cmp);
        let total = times.values().sum();
        n.push(format!("friends.{name}.accounts"), times.len() as f64);
        n.push(format!("friends.{name}.distinct"), share(times.len(), total));
        n.push(format!("friends.{name}.entropy"), entropy(times.into_values()));
        n.distribution(&format!("friends.{name}.times"), &counts);
    }
}

/// Graphs of what stands in the same post: accounts, and tags.
pub fn network(n: &mut Numbers, posts: &[Reading]) {
    graph(n, "network.mentions", posts.iter().map(|r| r.mentions.as_slice()));
    graph(n, "network.hashtags", posts.iter().map(|r| r.hashtags.as_slice()));
}

/// Numbers of the graph whose nodes are the items and whose edges count the lists that hold both.
fn graph<'a>(n: &mut Numbers, name: &str, lists: impl Iterator<Item = &'a [String]>) {
    let mut edges: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut nodes: BTreeSet<&str> = BTreeSet::new();
    for list in lists {
        let items: Vec<&str> = list.iter().map(String::as_str).collect::<BTreeSet<&str>>().into_iter().collect();
        nodes.extend(&items);
        for (i, a) in items.iter().enumerate() {
            for b in &items[i + 1..] {
                *edges.entry((*a, *b)).or_insert(0) += 1;
            }
        }
    }
    let mut strength: BTreeMap<&str, f64> = nodes.iter().map(|&v| (v, 0.0)).collect();
    let mut around: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (&(a, b), &weight) in &edges {
        for (from, to) in [(a, b), (b, a)] {
            *strength.entry(from).or_default() += weight as f64;
            around.entry(from).or_default().insert(to);
        }
    }
    // Each triangle is met at its three corners, like the pairs of neighbours it closes.
    let (mut closed, mut pairs) = (0, 0);
    for neighbours in around.values() {
        let list: Vec<&&str> = neighbours.iter().collect();
        pairs += list.len() * (list.len() - 1) / 2;
        for (i, a) in list.iter().enumerate() {
            closed += list[i + 1..].iter().filter(|b| edges.contains_key(&(**a, ***b))).count();
        }
    }
    let possible = nodes.len() * nodes.len().saturating_sub(1) / 2;
    n.push(format!("{name}.nodes"), nodes.len() as f64);
    n.push(format!("{name}.edges"), edges.len() as f64);
    n.push(format!("{name}.density"), share(edges.len(), possible));
    n.push(format!("{name}.clustering"), share(closed, pairs));
    n.distribution(&format!("{name}.strength"), &strength.into_values().collect::<Vec<f64>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_with_a_tail() {
        let lists: Vec<Vec<String>> = [vec!["a", "b", "c"], vec!["c", "d"], vec!["a", "b"]]
            .map(|l| l.into_iter().map(String::from).collect())
            .into();
        let mut n = Numbers::default();
        graph(&mut n, "g", lists.iter().map(Vec::as_slice));
        let value = |name: &str| n.values[n.names.iter().position(|x| x == name).unwrap()];
        assert_eq!([value("g.nodes"), value("g.edges")], [4.0, 4.0]);
        assert!((value("g.density") - 4.0 / 6.0).abs() < 1e-6);
        assert!((value("g.clustering") - 3.0 / 5.0).abs() < 1e-6, "three closed of five pairs");
        assert_eq!([value("g.strength.max"), value("g.strength.min")], [3.0, 1.0]);
    }
}
