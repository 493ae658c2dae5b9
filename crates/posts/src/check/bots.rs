//! The share of bots, where posts or authors are labelled.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Balance;
use crate::Part;

/// Bots among what is labelled, in a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BotShare {
    /// `post` or `author`.
    pub kind: String,
    /// Name of the label.
    pub name: String,
    /// The part; none: posts in no part.
    pub part: Option<Part>,
    /// Labelled as bots, of whatever kind.
    pub bots: usize,
    /// Labelled at all.
    pub labelled: usize,
}

/// The shares of bots, by the rule of `quintet eval bots`: the value `bot` means a bot; a label that has no such value but
/// `human` names kinds of bots; any other label is about something else. A label called `bot` may also say yes or no.
pub fn shares(labels: &[Balance]) -> Vec<BotShare> {
    let mut values: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for balance in labels {
        let known = values.entry((&balance.kind, &balance.name)).or_default();
        known.extend(balance.values.keys().map(String::as_str));
    }
    let share = |balance: &Balance| {
        let known = &values[&(balance.kind.as_str(), balance.name.as_str())];
        let is_bot: fn(&str, &str) -> bool = if known.contains(&"bot") {
            |_, value| value == "bot"
        } else if known.contains(&"human") {
            |_, value| value != "human"
        } else if known.iter().all(|v| says_yes(v).is_some()) && is_about_bots(&balance.name) {
            |_, value| says_yes(value) == Some(true)
        } else {
            return None;
        };
        let bots = balance.values.iter().filter(|(v, _)| is_bot(&balance.name, v)).map(|(_, n)| n).sum();
        let labelled = balance.values.values().sum();
        let (kind, name) = (balance.kind.clone(), balance.name.clone());
        Some(BotShare { kind, name, part: balance.part, bots, labelled })
    };
    labels.iter().filter_map(share).collect()
}

/// Labels of several sources are called `SOURCE.bot`, what a Mastodon account says of itself `declared_bot`.
fn is_about_bots(name: &str) -> bool {
    name.rsplit(['.', '_']).next().is_some_and(|last| last.eq_ignore_ascii_case("bot"))
}

fn says_yes(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(name: &str, values: &[(&str, usize)]) -> Balance {
        let values = values.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect();
        Balance { kind: "author".into(), name: name.into(), part: None, values }
    }

    #[test]
    fn what_means_bot_follows_from_the_values() {
        let of =
            |name, values: &[(&str, usize)]| shares(&[balance(name, values)]).first().map(|s| (s.bots, s.labelled));
        assert_eq!(of("label", &[("bot", 2), ("human", 3)]), Some((2, 5)));
        assert_eq!(of("generator", &[("gpt2", 2), ("rnn", 1), ("human", 3)]), Some((3, 6)));
        assert_eq!(of("pan.bot", &[("true", 1), ("false", 3)]), Some((1, 4)));
        assert_eq!(of("declared_bot", &[("true", 1), ("false", 3)]), Some((1, 4)));
        assert_eq!(of("verified", &[("1", 1), ("0", 3)]), None);
        assert_eq!(of("country", &[("ca", 1), ("us", 3)]), None);
    }

    #[test]
    fn a_part_without_bots_is_judged_by_the_others() {
        let mut train = balance("label", &[("bot", 2), ("human", 3)]);
        train.part = Some(Part::Train);
        let test = balance("label", &[("human", 4)]);
        let found: Vec<usize> = shares(&[train, test]).iter().map(|s| s.bots).collect();
        assert_eq!(found, [2, 0]);
    }
}
