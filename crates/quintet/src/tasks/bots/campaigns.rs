//! Authors that post the same texts belong to one campaign; campaigns are never divided between folds.

use std::collections::HashMap;

use crate::features::text::{plain_tokens, text_key};
use crate::posts::Post;

/// Equal texts of at least so many characters count...
const LENGTH: usize = 20;
/// ...and so many of them join two authors.
const SHARED: usize = 3;

/// The campaign of each unit of `units` (indices of its posts): units that have three equal texts (normalised, at least 20
/// characters) in common with another are together, directly or through others. Units of a single post need one.
pub fn of_units(posts: &[Post], units: &[&[usize]]) -> Vec<u32> {
    let mut holders: HashMap<u64, Vec<u32>> = HashMap::new();
    for (unit, members) in units.iter().enumerate() {
        for &post in members.iter().filter(|&&p| posts[p].text.chars().count() >= LENGTH) {
            let key = text_key(&plain_tokens(&posts[post].text, true));
            let list = holders.entry(key).or_default();
            if key != 0 && list.last() != Some(&(unit as u32)) {
                list.push(unit as u32);
            }
        }
    }
    let mut pairs: HashMap<(u32, u32), usize> = HashMap::new();
    let mut keys: Vec<(&u64, &Vec<u32>)> = holders.iter().filter(|(_, list)| list.len() > 1).collect();
    keys.sort_unstable_by_key(|(key, _)| **key);
    for (_, list) in keys {
        for (i, &a) in list.iter().enumerate() {
            for &b in list[i + 1..].iter().take(MOST) {
                *pairs.entry((a.min(b), a.max(b))).or_insert(0) += 1;
            }
        }
    }
    let mut parent: Vec<u32> = (0..units.len() as u32).collect();
    let mut joined: Vec<(u32, u32)> = pairs
        .into_iter()
        .filter(|((a, b), n)| *n >= SHARED.min(units[*a as usize].len()).min(units[*b as usize].len()))
        .map(|(pair, _)| pair)
        .collect();
    joined.sort_unstable();
    for (a, b) in joined {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        // The smaller number is the name of the campaign: it does not depend on the order of joining.
        parent[a.max(b) as usize] = a.min(b);
    }
    (0..units.len() as u32).map(|u| root(&mut parent, u)).collect()
}

/// Later holders of a text that each holder is compared with: chains join all of a campaign all the same.
const MOST: usize = 64;

fn root(parent: &mut [u32], mut unit: u32) -> u32 {
    while parent[unit as usize] != unit {
        parent[unit as usize] = parent[parent[unit as usize] as usize];
        unit = parent[unit as usize];
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_equal_texts_join_and_two_do_not() {
        let texts =
            ["the first long text of all", "the second long text of all", "the third long text of all", "short"];
        let mut posts = Vec::new();
        let mut unit = |chosen: &[usize], own: &str| {
            let from = posts.len();
            posts.extend(chosen.iter().map(|&t| Post { text: texts[t].into(), ..Post::default() }));
            posts.push(Post { text: format!("{own} says something of its own"), ..Post::default() });
            (from..posts.len()).collect::<Vec<usize>>()
        };
        let units = [unit(&[0, 1, 2], "a"), unit(&[0, 1, 3], "b"), unit(&[2, 1, 0], "c"), unit(&[3, 3, 3], "d")];
        let units: Vec<&[usize]> = units.iter().map(Vec::as_slice).collect();
        assert_eq!(of_units(&posts, &units), [0, 1, 0, 3]);
    }

    #[test]
    fn posts_alone_join_by_one_text() {
        let post = |text: &str| Post { text: text.into(), ..Post::default() };
        let posts = [post("a text that is repeated"), post("A text that is repeated"), post("something else entirely")];
        assert_eq!(of_units(&posts, &[&[0], &[1], &[2]]), [0, 0, 2]);
    }
}
