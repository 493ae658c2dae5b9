//! Makes post `i` of the town from nothing but the town and `i`.

use jiff::SignedDuration;

use super::draw::{Rng, draw, pick};
use super::states::{
    COLOURS, ENTITIES, IMAGE_NOISE, Noise, PER_TOPIC, STATES, State, TAG_NOISE, TEXT_NOISE, is_farm, topic_of,
};
use super::words::{LANGUAGE_CODES, LANGUAGES, TAG_FORMS};
use super::world::{Kind, World, start};
use crate::component::{Component, PerComponent};
use crate::{ImageRef, Mention, Part, Post};

/// Days the posts are spread over.
pub const DAYS: usize = 10;

/// What the text of a link farm shows: nothing.
pub const NOTHING: usize = STATES;

/// The hidden side of a post.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Index of the author among the town's accounts.
    pub author: usize,
    /// What the post is about.
    pub state: State,
    /// State that the words show (`0..STATES` or [`NOTHING`]), if there are words.
    pub text: Option<usize>,
    /// State that the image shows, if there is one.
    pub image: Option<usize>,
    /// State whose tags the post carries (an entity in colour 0, or a campaign), if it carries tags.
    pub hashtags: Option<usize>,
    /// District, if the post names one.
    pub place: Option<usize>,
    /// Number of the post this one copies.
    pub copy_of: Option<usize>,
    /// Number of the picture it shows; posts of the same number share the file.
    pub picture: Option<u64>,
}

/// A post with its hidden side.
pub struct Composed {
    /// What the corpus holds.
    pub post: Post,
    /// What is behind it.
    pub truth: Truth,
}

/// The day (from 0) of post `i` of `n`.
pub fn day(i: usize, n: usize) -> usize {
    i * DAYS / n
}

/// The published split by time: eight days to train, one to choose, one to test.
pub fn part(i: usize, n: usize) -> Part {
    match day(i, n) {
        8 => Part::Dev,
        9 => Part::Test,
        _ => Part::Train,
    }
}

/// A scene that `noise` makes of `state`; campaigns show themselves.
fn shown(state: State, noise: &Noise, rng: &mut Rng) -> State {
    let State::Scene { entity, colour } = state else { return state };
    let kind = rng.f64();
    let entity = if kind < noise.entity {
        entity
    } else if kind < noise.entity + noise.topic {
        topic_of(entity) * PER_TOPIC + rng.index(PER_TOPIC)
    } else {
        rng.index(ENTITIES)
    };
    let colour = if rng.chance(noise.colour) { colour } else { rng.index(COLOURS) };
    State::Scene { entity, colour }
}

/// Probability that a post tagged with an entity also carries its topic's tag.
pub const TOPIC_TAG: f64 = 0.4;
/// Probability that a tagged post also carries a tag anybody uses.
pub const TREND_TAG: f64 = 0.3;

impl World {
    /// Id of post `i`.
    pub fn post_id(i: usize) -> String {
        format!("{}", 1_000_000 + i)
    }

    /// The hidden side of post `i`.
    pub fn truth(&self, i: usize) -> Truth {
        let options = &self.options;
        let mut rng = draw(options.seed, "scenes", i as u64);
        let author = self.author(&mut rng);
        let first = (day(i, options.posts) * options.posts).div_ceil(DAYS);
        let source = (self.accounts[author].kind == Kind::Copier && i > first).then(|| first + rng.index(i - first));
        let mut surroundings = draw(options.seed, "surroundings", i as u64);
        let has_place = !surroundings.chance(options.missing[Component::Location]);
        let place = |state, rng: &mut Rng| has_place.then(|| self.place(author, state, rng));
        if let Some(source) = source {
            let original = self.truth(source);
            let place = place(original.state, &mut surroundings);
            return Truth { author, place, copy_of: Some(original.copy_of.unwrap_or(source)), ..original };
        }
        let state = self.state(author, &mut rng);
        let text = match state {
            State::Campaign(campaign) if is_farm(campaign) => NOTHING,
            _ => shown(state, &TEXT_NOISE, &mut rng).index(),
        };
        let image = shown(state, &IMAGE_NOISE, &mut rng);
        let tags = match state {
            State::Scene { .. } => shown(state, &TAG_NOISE, &mut rng),
            State::Campaign(campaign) if is_farm(campaign) => State::Scene { entity: rng.index(ENTITIES), colour: 0 },
            campaign => campaign,
        };
        let tags = match tags {
            State::Scene { entity, .. } => State::Scene { entity, colour: 0 },
            campaign => campaign,
        };
        let missing = PerComponent::from_fn(|c| rng.chance(options.missing[c]));
        let has_image = !missing[Component::Image] && options.images > 0;
        Truth {
            author,
            state,
            text: (!missing[Component::Text]).then_some(text),
            image: has_image.then(|| image.index()),
            hashtags: (!missing[Component::Hashtags]).then(|| tags.index()),
            place: place(state, &mut surroundings),
            copy_of: None,
            picture: has_image.then(|| self.picture_number(i, image, &mut rng)),
        }
    }

    /// Every post has its own picture while there are enough of them; else posts of a day that show the same state share
    /// a few. Pictures are never shared between days, so never between parts. Campaigns reuse theirs within a day.
    fn picture_number(&self, i: usize, state: State, rng: &mut Rng) -> u64 {
        let options = &self.options;
        let own = options.posts <= options.images;
        let per_state = match state {
            State::Campaign(_) => 8,
            State::Scene { .. } if own => return i as u64,
            State::Scene { .. } => (options.images / (DAYS * STATES)).max(1),
        };
        let variant = rng.index(per_state);
        let shared = (day(i, options.posts) * STATES + state.index()) * per_state + variant;
        // Beyond the numbers of posts, so that shared and own pictures never meet.
        (1 << 40) + shared as u64
    }

    /// Post `i`.
    pub fn compose(&self, i: usize) -> Composed {
        let truth = self.truth(i);
        let origin = truth.copy_of.unwrap_or(i);
        let mut rng = draw(self.options.seed, "content", origin as u64);
        let language = self.vocabulary.language(&mut rng);
        let hashtags = truth.hashtags.map_or_else(Vec::new, |h| self.tags(State::from_index(h), &mut rng));
        let body = self.body(&truth, &hashtags, language, origin, &mut rng);
        let mut surroundings = draw(self.options.seed, "mentions", i as u64);
        let (text, mentions) = self.addressed(&truth, body, &mut surroundings);
        let post = Post {
            id: Self::post_id(i),
            created_at: Some(start() + self.time_of(i)),
            lang: Some(LANGUAGE_CODES[language].into()),
            text,
            hashtags,
            mentions,
            images: truth.picture.map(image_file).map(image_ref).into_iter().collect(),
            author: Some(self.accounts[truth.author].profile.clone()),
            place: truth.place.map(|l| self.places[l].clone()),
            geo: truth.place.filter(|_| surroundings.chance(0.5)).and_then(|l| self.point(l, &mut surroundings)),
            reply_to: None,
            quote_of: None,
            source: "town".into(),
        };
        Composed { post, truth }
    }

    /// Time of post `i` since the start: in order, quieter at night.
    fn time_of(&self, i: usize) -> SignedDuration {
        let at = (i as f64 + 0.5) / self.options.posts as f64 * DAYS as f64;
        let (day, hour) = (at.floor(), at.fract());
        let waking = hour + 0.1 * (std::f64::consts::TAU * hour).sin();
        SignedDuration::from_secs(((day + waking) * 86_400.0) as i64)
    }

    /// The tags that show `state`, among others that show no more.
    fn tags(&self, state: State, rng: &mut Rng) -> Vec<String> {
        let vocabulary = &self.vocabulary;
        let mut tags = match state {
            State::Scene { entity, .. } => {
                let mut tags = vec![vocabulary.entity_tag(entity, rng.index(TAG_FORMS))];
                if rng.chance(TOPIC_TAG) {
                    tags.push(vocabulary.topic_tag(topic_of(entity)).to_owned());
                }
                tags
            }
            State::Campaign(campaign) => vec![vocabulary.campaign_tag(campaign).to_owned()],
        };
        if rng.chance(TREND_TAG) {
            tags.push(pick(rng, vocabulary.trends()).clone());
        }
        rng.shuffle(&mut tags);
        tags
    }

    /// Words, tags and links of a post.
    fn body(&self, truth: &Truth, hashtags: &[String], language: usize, origin: usize, rng: &mut Rng) -> String {
        let mut words = match truth.text {
            None => Vec::new(),
            Some(NOTHING) => self.vocabulary.filler(language, 2, rng),
            Some(shown) => match State::from_index(shown) {
                State::Scene { entity, colour } => self.vocabulary.scene(entity, colour, language, rng),
                State::Campaign(campaign) => self.vocabulary.campaign(campaign, rng),
            },
        };
        words.extend(hashtags.iter().map(|tag| format!("#{tag}")));
        let links = match truth.text {
            Some(NOTHING) => 2,
            Some(shown) if matches!(State::from_index(shown), State::Campaign(_)) => 1,
            // A post of nothing at all would not be a post.
            _ => usize::from(words.is_empty() || rng.chance(0.1)),
        };
        words.extend((0..links).map(|k| format!("https://t.example/{:07x}", (origin * 7 + k) % 0x0fff_ffff)));
        words.join(" ")
    }

    /// The text with the accounts it speaks to, and those accounts.
    fn addressed(&self, truth: &Truth, body: String, rng: &mut Rng) -> (String, Vec<Mention>) {
        let named = match truth.copy_of {
            // Half of the copies say whose they are, half pass the text off as their own.
            Some(original) if rng.chance(0.5) => vec![self.truth(original).author],
            Some(_) => Vec::new(),
            None => self.mentioned(truth.author, rng),
        };
        let handle = |u: usize| self.accounts[u].profile.handle.clone().unwrap_or_default();
        let mut text = String::new();
        for &u in &named {
            text += &format!("@{} ", handle(u));
        }
        if truth.copy_of.is_some() && !named.is_empty() {
            text = format!("RT {}", text.trim_end().to_owned() + ": ");
        }
        text += &body;
        let mention = |u: usize| Mention { id: Some(self.accounts[u].profile.id.clone()), handle: Some(handle(u)) };
        (text, named.into_iter().map(mention).collect())
    }
}

fn image_ref(path: String) -> ImageRef {
    ImageRef { path: Some(path), url: None, alt: None }
}

/// Name of picture `number` in the corpus folder; at most 1,000 files or so in a folder.
pub fn image_file(number: u64) -> String {
    format!("images/{:04}/{number}.png", (number % (1 << 40)) / 1000)
}

const _: () = assert!(LANGUAGES == LANGUAGE_CODES.len());
