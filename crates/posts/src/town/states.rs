//! What a post of the town can be about, and how truthfully each component shows it.

use serde::{Deserialize, Serialize};

/// Topics.
pub const TOPICS: usize = 8;
/// Names of the topics, for plots and tables; they never occur in a post.
pub const TOPIC_NAMES: [&str; TOPICS] =
    ["harbour", "market", "music", "garden", "kitchen", "sport", "science", "weather"];
/// Entities of one topic.
pub const PER_TOPIC: usize = 8;
/// Entities of all topics; entity `e` belongs to topic `e / PER_TOPIC`.
pub const ENTITIES: usize = TOPICS * PER_TOPIC;
/// Colours an entity can have, independent of everything else.
pub const COLOURS: usize = 6;
/// Names of the colours, for tables.
pub const COLOUR_NAMES: [&str; COLOURS] = ["red", "yellow", "green", "cyan", "blue", "violet"];
/// Campaigns of spam accounts.
pub const SPAM_CAMPAIGNS: usize = 4;
/// All campaigns: those of spam accounts, then those of link farms.
pub const CAMPAIGNS: usize = SPAM_CAMPAIGNS + 2;
/// Scenes: an entity in a colour.
pub const SCENES: usize = ENTITIES * COLOURS;
/// Hidden states: scenes, then campaigns.
pub const STATES: usize = SCENES + CAMPAIGNS;
/// Districts; district `l` hosts topic `l % TOPICS`.
pub const PLACES: usize = 24;

/// Topic of an entity.
pub fn topic_of(entity: usize) -> usize {
    entity / PER_TOPIC
}

/// What a post is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// An entity in a colour.
    Scene {
        /// `0..ENTITIES`.
        entity: usize,
        /// `0..COLOURS`.
        colour: usize,
    },
    /// What a campaign advertises, `0..CAMPAIGNS`.
    Campaign(usize),
}

impl State {
    /// Index in `0..STATES`.
    pub fn index(self) -> usize {
        match self {
            State::Scene { entity, colour } => entity * COLOURS + colour,
            State::Campaign(campaign) => SCENES + campaign,
        }
    }

    /// The state of an index in `0..STATES`.
    pub fn from_index(index: usize) -> State {
        if index < SCENES {
            State::Scene { entity: index / COLOURS, colour: index % COLOURS }
        } else {
            State::Campaign(index - SCENES)
        }
    }
}

/// Whether a campaign is one of a link farm.
pub fn is_farm(campaign: usize) -> bool {
    campaign >= SPAM_CAMPAIGNS
}

/// How truthfully a component shows the hidden scene. What is left of `entity + topic` is an entity of any topic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Probability that the entity itself is shown.
    pub entity: f64,
    /// Probability that any entity of the same topic is shown (the true one included).
    pub topic: f64,
    /// Probability that the colour itself is shown; else any colour (the true one included). Without meaning for tags.
    pub colour: f64,
}

impl Noise {
    /// Probability that entity `shown` appears when `hidden` is meant.
    pub fn of_entity(&self, hidden: usize, shown: usize) -> f64 {
        let mut p = (1.0 - self.entity - self.topic) / ENTITIES as f64;
        if topic_of(hidden) == topic_of(shown) {
            p += self.topic / PER_TOPIC as f64;
        }
        if hidden == shown {
            p += self.entity;
        }
        p
    }

    /// Probability that colour `shown` appears when `hidden` is meant.
    pub fn of_colour(&self, hidden: usize, shown: usize) -> f64 {
        (1.0 - self.colour) / COLOURS as f64 + if hidden == shown { self.colour } else { 0.0 }
    }
}

/// Text.
pub const TEXT_NOISE: Noise = Noise { entity: 0.88, topic: 0.08, colour: 0.85 };
/// Image.
pub const IMAGE_NOISE: Noise = Noise { entity: 0.88, topic: 0.08, colour: 0.9 };
/// Hashtags show no colour.
pub const TAG_NOISE: Noise = Noise { entity: 0.8, topic: 0.15, colour: 0.0 };

/// Probability that a post with a place names the author's home.
pub const AT_HOME: f64 = 0.35;

/// Probability of district `place` for a post about `state` that is not sent from home: the entity's own district
/// (one of the three that host its topic) 0.6, any of the three 0.3, any district 0.1; campaigns post from anywhere.
pub fn place_of_state(state: State, place: usize) -> f64 {
    const HOSTS: usize = PLACES / TOPICS;
    match state {
        State::Campaign(_) => 1.0 / PLACES as f64,
        State::Scene { entity, .. } => {
            let hosts = place % TOPICS == topic_of(entity);
            let own = hosts && place / TOPICS == entity % HOSTS;
            0.1 / PLACES as f64 + if hosts { 0.3 / HOSTS as f64 } else { 0.0 } + if own { 0.6 } else { 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_sum_to_one() {
        for index in 0..STATES {
            let state = State::from_index(index);
            assert_eq!(state.index(), index);
            let places: f64 = (0..PLACES).map(|l| place_of_state(state, l)).sum();
            assert!((places - 1.0).abs() < 1e-12);
        }
        for noise in [TEXT_NOISE, IMAGE_NOISE, TAG_NOISE] {
            let entities: f64 = (0..ENTITIES).map(|e| noise.of_entity(9, e)).sum();
            let colours: f64 = (0..COLOURS).map(|c| noise.of_colour(2, c)).sum();
            assert!((entities - 1.0).abs() < 1e-12 && (colours - 1.0).abs() < 1e-12);
        }
    }
}
