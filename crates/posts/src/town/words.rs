//! The town's invented languages: stems, endings, filler words, tags.

use std::collections::BTreeSet;

use super::draw::{Rng, Weighted, draw, pick};
use super::states::{CAMPAIGNS, COLOURS, ENTITIES, TOPICS, topic_of};

/// Number of languages.
pub const LANGUAGES: usize = 3;
/// Codes of the languages: ISO 639 reserves qaa to qtz for local use.
pub const LANGUAGE_CODES: [&str; LANGUAGES] = ["qaa", "qab", "qac"];
/// Share of posts in each language.
pub const LANGUAGE_SHARES: [f64; LANGUAGES] = [0.6, 0.25, 0.15];
/// Forms of a tag of an entity: bare, with a common ending, with the town's name.
pub const TAG_FORMS: usize = 3;

const FILLERS: usize = 120;
const TOPIC_WORDS: usize = 12;
const TRENDS: usize = 12;

/// Sounds and endings of a language: what a word looks like tells its language, what its stem is tells its meaning.
struct Sounds {
    onsets: &'static [&'static str],
    vowels: &'static [&'static str],
    endings: [&'static str; 3],
}

const SOUNDS: [Sounds; LANGUAGES] = [
    Sounds {
        onsets: &["b", "d", "k", "l", "m", "n", "p", "r", "s", "t", "v"],
        vowels: &["a", "e", "i", "o", "u"],
        endings: ["", "na", "ri"],
    },
    Sounds {
        onsets: &["br", "dr", "f", "g", "h", "kl", "sch", "st", "w", "z"],
        vowels: &["a", "e", "ei", "o", "ü"],
        endings: ["", "en", "lich"],
    },
    Sounds {
        onsets: &["ch", "j", "kh", "ll", "q", "sh", "th", "x", "y", "zh"],
        vowels: &["a", "ia", "ë", "o", "uo"],
        endings: ["", "qo", "sha"],
    },
];

/// All words and tags.
pub struct Vocabulary {
    /// Name of each entity; the same stem in every language, as names are.
    entities: Vec<String>,
    /// Word for each colour in each language.
    colours: Vec<[String; LANGUAGES]>,
    /// Words of each topic in each language.
    topics: Vec<[Vec<String>; LANGUAGES]>,
    fillers: [Vec<String>; LANGUAGES],
    /// Words every campaign post is made of.
    campaigns: Vec<Vec<String>>,
    /// Tags anybody uses.
    trends: Vec<String>,
    language: Weighted,
    filler_rank: Weighted,
    topic_rank: Weighted,
    form: Weighted,
}

/// Makes words that no one has made before.
struct Coiner {
    rng: Rng,
    used: BTreeSet<String>,
}

fn syllables(language: usize, n: usize, rng: &mut Rng) -> String {
    let sounds = &SOUNDS[language];
    (0..n).map(|_| format!("{}{}", pick(rng, sounds.onsets), pick(rng, sounds.vowels))).collect()
}

impl Coiner {
    fn coin(&mut self, language: usize, length: usize) -> String {
        let mut word = syllables(language, length, &mut self.rng);
        while !self.used.insert(word.clone()) {
            word.push_str(&syllables(language, 1, &mut self.rng));
        }
        word
    }

    fn many(&mut self, language: usize, n: usize, lengths: [usize; 2]) -> Vec<String> {
        (0..n)
            .map(|_| {
                let length = lengths[0] + self.rng.index(lengths[1] - lengths[0] + 1);
                self.coin(language, length)
            })
            .collect()
    }
}

impl Vocabulary {
    /// The vocabulary of `seed`.
    pub fn new(seed: u64) -> Vocabulary {
        let mut coiner = Coiner { rng: draw(seed, "words", 0), used: BTreeSet::new() };
        let fillers = [0, 1, 2].map(|language| coiner.many(language, FILLERS, [1, 3]));
        let entities = (0..ENTITIES).map(|e| coiner.coin(e % LANGUAGES, 3)).collect();
        let colours = (0..COLOURS).map(|_| [0, 1, 2].map(|language| coiner.coin(language, 2))).collect();
        let topics =
            (0..TOPICS).map(|_| [0, 1, 2].map(|language| coiner.many(language, TOPIC_WORDS, [2, 3]))).collect();
        let campaigns = (0..CAMPAIGNS).map(|c| coiner.many(c % LANGUAGES, 9, [2, 3])).collect();
        let trends = coiner.many(0, TRENDS, [3, 4]);
        Vocabulary {
            entities,
            colours,
            topics,
            fillers,
            campaigns,
            trends,
            language: Weighted::new(LANGUAGE_SHARES),
            filler_rank: Weighted::zipf(FILLERS, 1.0),
            topic_rank: Weighted::zipf(TOPIC_WORDS, 0.8),
            form: Weighted::new([0.6, 0.25, 0.15]),
        }
    }

    /// Name of entity `entity`.
    pub fn entity(&self, entity: usize) -> &str {
        &self.entities[entity]
    }

    /// A language, by its share.
    pub fn language(&self, rng: &mut Rng) -> usize {
        self.language.sample(rng)
    }

    fn inflected(&self, stem: &str, language: usize, rng: &mut Rng) -> String {
        format!("{stem}{}", SOUNDS[language].endings[self.form.sample(rng)])
    }

    /// Filler words, which say nothing.
    pub fn filler(&self, language: usize, n: usize, rng: &mut Rng) -> Vec<String> {
        (0..n).map(|_| self.fillers[language][self.filler_rank.sample(rng)].clone()).collect()
    }

    /// Words that show an entity and a colour, among words of the topic and filler words, in no order.
    pub fn scene(&self, entity: usize, colour: usize, language: usize, rng: &mut Rng) -> Vec<String> {
        let mut words = vec![self.inflected(&self.entities[entity], language, rng)];
        if rng.chance(0.35) {
            words.push(self.inflected(&self.entities[entity], language, rng));
        }
        words.push(self.inflected(&self.colours[colour][language], language, rng));
        let topic = &self.topics[topic_of(entity)][language];
        for _ in 0..1 + rng.index(3) {
            let stem = &topic[self.topic_rank.sample(rng)];
            words.push(self.inflected(stem, language, rng));
        }
        let fillers = 3 + rng.index(6);
        words.extend(self.filler(language, fillers, rng));
        rng.shuffle(&mut words);
        words
    }

    /// The campaign's sentence with one word exchanged now and then: near-duplicates.
    pub fn campaign(&self, campaign: usize, rng: &mut Rng) -> Vec<String> {
        let mut words = self.campaigns[campaign].clone();
        if rng.chance(0.5) {
            let at = rng.index(words.len());
            words[at].clone_from(&self.fillers[campaign % LANGUAGES][self.filler_rank.sample(rng)]);
        }
        words.push(format!("{}", 1000 + rng.index(900_000)));
        words
    }

    /// Form `form` of the tag of `entity`.
    pub fn entity_tag(&self, entity: usize, form: usize) -> String {
        let name = &self.entities[entity];
        match form {
            0 => name.clone(),
            1 => capitalised(name),
            _ => format!("{name}town"),
        }
    }

    /// Tag of `topic`.
    pub fn topic_tag(&self, topic: usize) -> &str {
        &self.topics[topic][0][0]
    }

    /// Tag of `campaign`.
    pub fn campaign_tag(&self, campaign: usize) -> &str {
        &self.campaigns[campaign][0]
    }

    /// Tags anybody uses.
    pub fn trends(&self) -> &[String] {
        &self.trends
    }
}

/// A name for an account or a district.
pub fn name(length: usize, rng: &mut Rng) -> String {
    syllables(0, length, rng)
}

/// `word` with its first letter as a capital.
pub fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stem_means_two_things() {
        let v = Vocabulary::new(3);
        let mut all: Vec<&String> = v.entities.iter().chain(&v.trends).chain(v.colours.iter().flatten()).collect();
        all.extend(v.fillers.iter().flatten());
        all.extend(v.topics.iter().flatten().flatten());
        all.extend(v.campaigns.iter().flatten());
        let distinct: BTreeSet<&String> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_scene_names_its_entity() {
        let v = Vocabulary::new(3);
        let words = v.scene(17, 2, 1, &mut draw(0, "content", 0));
        assert!(words.iter().any(|w| w.starts_with(v.entity(17))), "{words:?}");
    }
}
