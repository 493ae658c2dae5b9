//! What Deepgeo reads of a post: characters of text and profile location, times (`deepgeo.md`, features).

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::network::Batch;
use crate::posts::Post;

/// Characters of a profile location that are read; shorter ones are padded.
pub const PLACE_LENGTH: usize = 20;
/// A time that is not known: so far from every centre that all radial functions are 0.
pub const MISSING: f32 = 100.0;
/// Characters of a text that are read.
const LONGEST: usize = 300;
/// Texts are padded to a multiple of this.
const BUCKET: usize = 50;
/// Occurrences in training below which a character is unknown.
const LEAST: usize = 5;
/// Training posts of fewer characters are left out.
pub const SHORTEST: usize = 5;

const UNKNOWN: u32 = 0;
const PADDING: u32 = 1;

/// Characters with a number: 0 unknown, 1 padding, then the most frequent first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<char>", into = "Vec<char>")]
pub struct Alphabet {
    characters: Vec<char>,
    numbers: HashMap<char, u32>,
}

impl From<Vec<char>> for Alphabet {
    fn from(characters: Vec<char>) -> Alphabet {
        let numbers = characters.iter().copied().zip(PADDING + 1..).collect();
        Alphabet { characters, numbers }
    }
}

impl From<Alphabet> for Vec<char> {
    fn from(alphabet: Alphabet) -> Vec<char> {
        alphabet.characters
    }
}

impl Alphabet {
    /// Characters that occur at least five times in `texts`.
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>) -> Alphabet {
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        texts.flat_map(str::chars).for_each(|c| *counts.entry(c).or_default() += 1);
        let mut kept: Vec<(char, usize)> = counts.into_iter().filter(|&(_, count)| count >= LEAST).collect();
        // Stable: equally frequent ones stay in the order of their code points.
        kept.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        kept.into_iter().map(|(c, _)| c).collect::<Vec<_>>().into()
    }

    /// Number of numbers.
    pub fn len(&self) -> usize {
        self.characters.len() + 2
    }

    /// True if no character was frequent enough.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    fn read(&self, text: &str, most: usize) -> Vec<u32> {
        text.chars().take(most).map(|c| self.numbers.get(&c).copied().unwrap_or(UNKNOWN)).collect()
    }
}

/// Turns posts into numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reader {
    /// Of texts.
    pub texts: Alphabet,
    /// Of profile locations.
    pub places: Alphabet,
}

/// What was read of a post. Time zone and offset from UTC are in no format since 2018, so they are always unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    text: Vec<u32>,
    time: f32,
    made: f32,
    place: Vec<u32>,
}

impl Reader {
    /// Alphabets of training posts.
    pub fn fit(posts: &[&Post]) -> Reader {
        Reader {
            texts: Alphabet::fit(posts.iter().map(|post| post.text.as_str())),
            places: Alphabet::fit(posts.iter().filter_map(|post| place(post))),
        }
    }

    /// Reads a post.
    pub fn read(&self, post: &Post) -> Reading {
        let mut place = self.places.read(place(post).unwrap_or(""), PLACE_LENGTH);
        place.resize(PLACE_LENGTH, PADDING);
        Reading {
            text: self.texts.read(&post.text, LONGEST),
            time: time_of_day(post.created_at),
            made: time_of_day(post.author.as_ref().and_then(|author| author.created_at)),
            place,
        }
    }
}

fn place(post: &Post) -> Option<&str> {
    post.author.as_ref()?.location.as_deref().filter(|location| !location.trim().is_empty())
}

/// Minutes since midnight, UTC, as a share of the day.
fn time_of_day(time: Option<Timestamp>) -> f32 {
    time.map_or(MISSING, |time| (time.as_second().rem_euclid(86_400) / 60) as f32 / 1440.0)
}

/// How many of `posts` have each of Deepgeo's inputs, in words.
pub fn inputs(posts: &[&Post]) -> String {
    let count = |has: &dyn Fn(&Post) -> bool| posts.iter().filter(|post| has(post)).count();
    let of_author = |post: &Post| post.author.as_ref().is_some_and(|author| author.created_at.is_some());
    format!(
        "of {} posts: text {}, time of posting {}, profile location {}, time when the account was made {}, time zone 0, offset \
         from UTC 0",
        posts.len(),
        count(&|post| !post.text.is_empty()),
        count(&|post| post.created_at.is_some()),
        count(&|post| place(post).is_some()),
        count(&of_author),
    )
}

/// Whether a post has an input that comes from the author's profile.
pub fn has_profile(post: &Post) -> bool {
    place(post).is_some() || post.author.as_ref().is_some_and(|author| author.created_at.is_some())
}

impl Reading {
    /// Characters that were read.
    pub fn characters(&self) -> usize {
        self.text.len()
    }

    /// Length after padding.
    fn bucket(&self) -> usize {
        self.text.len().div_ceil(BUCKET).max(1) * BUCKET
    }
}

/// Consecutive batches of at most `size` posts by length of text, each padded to what fits its longest; with the posts in each.
pub fn batches(readings: &[Reading], size: usize, window: usize) -> Vec<(Vec<usize>, Batch)> {
    let mut order: Vec<usize> = (0..readings.len()).collect();
    order.sort_by_key(|&i| readings[i].characters());
    order.chunks(size.max(1)).map(|chosen| (chosen.to_vec(), batch(readings, chosen, window))).collect()
}

fn batch(readings: &[Reading], chosen: &[usize], window: usize) -> Batch {
    let length = chosen.iter().map(|&i| readings[i].bucket()).max().unwrap_or(BUCKET);
    let mut texts = Vec::with_capacity(chosen.len() * length);
    for &i in chosen {
        texts.extend_from_slice(&readings[i].text);
        texts.resize(texts.len().next_multiple_of(length), PADDING);
    }
    texts.resize(chosen.len() * length, PADDING);
    let times = |of: &dyn Fn(&Reading) -> f32| chosen.iter().map(|&i| of(&readings[i])).collect();
    let times = [times(&|r| r.time), vec![MISSING; chosen.len()], times(&|r| r.made)];
    let places = chosen.iter().flat_map(|&i| readings[i].place.iter().copied()).collect();
    Batch::new(&texts, length, window, times, vec![UNKNOWN; chosen.len()], places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Author;

    #[test]
    fn frequent_characters_have_numbers_by_frequency() {
        let alphabet = Alphabet::fit(["bbbbbb", "aaaaa", "cccc"].into_iter());
        assert_eq!(alphabet.read("abcx", 3), [3, 2, 0]);
        assert_eq!(alphabet.len(), 4);
        assert_eq!(Alphabet::from(Vec::<char>::from(alphabet.clone())), alphabet);
    }

    #[test]
    fn missing_inputs_are_far_away_and_short_texts_padded() {
        let time = "2020-03-01T12:00:30Z".parse().unwrap();
        let author = Author { id: "a".into(), location: Some("xxxxx".into()), ..Author::default() };
        let post = Post { text: "xxxxxxx".into(), created_at: Some(time), author: Some(author), ..Post::default() };
        let reader = Reader::fit(&[&post]);
        let reading = reader.read(&post);
        assert_eq!((reading.time, reading.made), (0.5, MISSING));
        assert_eq!(reading.place[..6], [2, 2, 2, 2, 2, PADDING]);
        let empty = reader.read(&Post::default());
        let batches = batches(&[reading, empty], 1, 10);
        assert_eq!(batches.iter().map(|(posts, _)| posts.clone()).collect::<Vec<_>>(), [[1], [0]]);
        assert!(inputs(&[&post]).contains("profile location 1"));
        assert!(has_profile(&post) && !has_profile(&Post::default()));
    }
}
