//! The town itself: districts, accounts of every kind, and who writes about what.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::TownOptions;
use super::draw::{Rng, Weighted, between, draw, pick};
use super::states::{
    AT_HOME, CAMPAIGNS, COLOURS, PER_TOPIC, PLACES, SPAM_CAMPAIGNS, STATES, State, TOPIC_NAMES, TOPICS, is_farm,
    place_of_state, topic_of,
};
use super::words::{Vocabulary, capitalised, name};
use crate::{Author, Place, Point};

/// What runs an account. Everything but `Human` is a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A person with a topic and a home.
    Human,
    /// Repeats a campaign's sentence with small changes.
    Spam,
    /// Posts little but links, under tags that belong to others.
    LinkFarm,
    /// Exists to follow: posts rarely and about anything.
    FakeFollower,
    /// Posts what others posted the same day.
    Copier,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Human, Kind::Spam, Kind::LinkFarm, Kind::FakeFollower, Kind::Copier];

    /// The value in `labels.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Human => "human",
            Kind::Spam => "spam",
            Kind::LinkFarm => "link-farm",
            Kind::FakeFollower => "fake-follower",
            Kind::Copier => "copier",
        }
    }

    /// Posts of such an account, relative to a person of the same rank.
    fn activity(self) -> f64 {
        match self {
            Kind::Human => 1.0,
            Kind::Spam | Kind::LinkFarm => 2.0,
            Kind::FakeFollower => 0.3,
            Kind::Copier => 1.5,
        }
    }
}

/// An account with what hides behind it.
pub struct Account {
    /// The profile as it stands in posts.
    pub profile: Author,
    /// What runs it.
    pub kind: Kind,
    /// The topic most of its posts are about (people).
    pub community: usize,
    /// Its district.
    pub home: usize,
    /// What it advertises (spam, link farms).
    pub campaign: usize,
    /// Share of all posts, unnormalised.
    pub weight: f64,
}

/// Probability that a person's post is about the topic of their community.
const OWN_TOPIC: f64 = 0.7;
/// Probability that a post of a spam account or link farm belongs to the campaign; else it is camouflage.
const CAMPAIGN_POST: f64 = 0.85;
/// Shares of the kinds of bots among bots: spam, link farms, fake followers, copiers.
const BOT_SHARES: [f64; 4] = [0.3, 0.2, 0.25, 0.25];

/// Districts, accounts, words: everything posts are drawn from, fixed by the options.
pub struct World {
    /// What was asked for.
    pub options: TownOptions,
    /// Words and tags.
    pub vocabulary: Vocabulary,
    /// Districts.
    pub places: Vec<Place>,
    /// Accounts.
    pub accounts: Vec<Account>,
    activity: Weighted,
    entity_rank: Weighted,
    /// Accounts by community, then by community and home.
    communities: Vec<Vec<u32>>,
    neighbours: Vec<Vec<u32>>,
}

impl World {
    /// The town of `options`.
    pub fn new(options: &TownOptions) -> World {
        let vocabulary = Vocabulary::new(options.seed);
        let places = (0..PLACES).map(|l| district(options.seed, l)).collect::<Vec<_>>();
        let accounts: Vec<Account> = (0..options.authors()).map(|u| account(options, &places, u)).collect();
        let mut communities = vec![Vec::new(); TOPICS];
        let mut neighbours = vec![Vec::new(); TOPICS * PLACES];
        for (u, account) in accounts.iter().enumerate().filter(|(_, a)| a.kind == Kind::Human) {
            communities[account.community].push(u as u32);
            neighbours[account.community * PLACES + account.home].push(u as u32);
        }
        World {
            activity: Weighted::new(accounts.iter().map(|a| a.weight)),
            entity_rank: Weighted::zipf(PER_TOPIC, 0.5),
            options: options.clone(),
            vocabulary,
            places,
            accounts,
            communities,
            neighbours,
        }
    }

    /// Who writes the next post.
    pub fn author(&self, rng: &mut Rng) -> usize {
        self.activity.sample(rng)
    }

    fn scene_of_topic(&self, topic: usize, rng: &mut Rng) -> State {
        let entity = topic * PER_TOPIC + self.entity_rank.sample(rng);
        State::Scene { entity, colour: rng.index(COLOURS) }
    }

    /// What a post of `author` is about. A copier's own posts (there is nothing to copy at the start of a day) are
    /// about what the whole town writes about.
    pub fn state(&self, author: usize, rng: &mut Rng) -> State {
        let account = &self.accounts[author];
        match account.kind {
            Kind::Human if rng.chance(OWN_TOPIC) => self.scene_of_topic(account.community, rng),
            Kind::Spam | Kind::LinkFarm if rng.chance(CAMPAIGN_POST) => State::Campaign(account.campaign),
            Kind::Copier => {
                let mut other = self.author(rng);
                while self.accounts[other].kind == Kind::Copier {
                    other = self.author(rng);
                }
                self.state(other, rng)
            }
            _ => self.scene_of_topic(rng.index(TOPICS), rng),
        }
    }

    /// Probability of each state in a post of an account of this kind, `[STATES]`. Not for copiers: they write what the
    /// others write.
    pub fn state_probabilities(&self, kind: Kind, community: usize, campaign: usize) -> Vec<f64> {
        let (own, advert) = match kind {
            Kind::Human => (OWN_TOPIC, 0.0),
            Kind::Spam | Kind::LinkFarm => (0.0, CAMPAIGN_POST),
            Kind::FakeFollower | Kind::Copier => (0.0, 0.0),
        };
        (0..STATES)
            .map(|index| match State::from_index(index) {
                State::Campaign(c) => f64::from(u8::from(c == campaign)) * advert,
                State::Scene { entity, .. } => {
                    let topic = topic_of(entity);
                    let any = (1.0 - own - advert) / TOPICS as f64;
                    let of_topic = any + if topic == community { own } else { 0.0 };
                    of_topic * self.entity_rank.probability(entity % PER_TOPIC) / COLOURS as f64
                }
            })
            .collect()
    }

    /// The district of a post of `author` about `state`.
    pub fn place(&self, author: usize, state: State, rng: &mut Rng) -> usize {
        if rng.chance(AT_HOME) {
            return self.accounts[author].home;
        }
        Weighted::new((0..PLACES).map(|l| place_of_state(state, l))).sample(rng)
    }

    /// Whom `author` mentions: people mostly name people of their community and district, the well known first;
    /// spammers name anybody, fake followers each other's likes, link farms nobody.
    pub fn mentioned(&self, author: usize, rng: &mut Rng) -> Vec<usize> {
        let account = &self.accounts[author];
        let share = match account.kind {
            Kind::Human => 0.5,
            Kind::Spam => 0.7,
            Kind::FakeFollower => 0.3,
            Kind::LinkFarm | Kind::Copier => 0.0,
        };
        if !rng.chance(share) {
            return Vec::new();
        }
        let mut named = Vec::new();
        for _ in 0..1 + rng.index(2) {
            let other = self.acquaintance(account, rng);
            if other != author && !named.contains(&other) {
                named.push(other);
            }
        }
        named
    }

    fn acquaintance(&self, account: &Account, rng: &mut Rng) -> usize {
        let neighbours = &self.neighbours[account.community * PLACES + account.home];
        let community = &self.communities[account.community];
        // The square favours those who come first: a few are named often, as in any town.
        let early = |n: usize, rng: &mut Rng| (rng.f64().powi(2) * n as f64) as usize;
        if account.kind == Kind::Human && neighbours.len() > 1 && rng.chance(0.45) {
            neighbours[early(neighbours.len(), rng)] as usize
        } else if account.kind == Kind::Human && !community.is_empty() && rng.chance(0.8) {
            community[early(community.len(), rng)] as usize
        } else {
            rng.index(self.accounts.len())
        }
    }

    /// A point in district `place`.
    pub fn point(&self, place: usize, rng: &mut Rng) -> Option<Point> {
        let [west, south, east, north] = self.places[place].bounds?;
        let thousandth = |v: f64| (v * 1e5).round() / 1e5;
        Some(Point { lat: thousandth(between(rng, south, north)), lon: thousandth(between(rng, west, east)) })
    }
}

/// District `l`: a cell of a grid in the open Atlantic, so that no one takes it for a real town.
fn district(seed: u64, l: usize) -> Place {
    let mut rng = draw(seed, "places", l as u64);
    let kind = if l < TOPICS { "city" } else { *pick(&mut rng, &["neighborhood", "neighborhood", "poi"]) };
    let (west, south) = (-30.0 + 0.1 * (l % 6) as f64, 8.0 + 0.1 * (l / 6) as f64);
    let corner = |v: f64| (v * 1e4).round() / 1e4;
    Place {
        id: format!("district-{l:02}"),
        name: Some(format!("{} {}", capitalised(&name(3, &mut rng)), TOWN)),
        kind: Some(kind.into()),
        // ISO 3166 leaves XA to XZ to the user.
        country: Some("XT".into()),
        bounds: Some([west, south, west + 0.09, south + 0.09].map(corner)),
    }
}

/// Name of the town in district names and tags.
const TOWN: &str = "Quintown";

/// When the first post may be written.
pub fn start() -> Timestamp {
    // 2026-01-05T00:00:00Z, a Monday.
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_767_571_200)
}

fn account(options: &TownOptions, places: &[Place], u: usize) -> Account {
    let mut rng = draw(options.seed, "authors", u as u64);
    let kind =
        if rng.chance(options.bots) { Kind::ALL[1 + Weighted::new(BOT_SHARES).sample(&mut rng)] } else { Kind::Human };
    let community = rng.index(TOPICS);
    let home = if rng.chance(0.6) { community + TOPICS * rng.index(PLACES / TOPICS) } else { rng.index(PLACES) };
    let campaign = match kind {
        Kind::LinkFarm => SPAM_CAMPAIGNS + rng.index(CAMPAIGNS - SPAM_CAMPAIGNS),
        _ => rng.index(SPAM_CAMPAIGNS),
    };
    debug_assert_eq!(is_farm(campaign), kind == Kind::LinkFarm);
    let rank = 1.0 / (1.0 + 9.0 * rng.f64());
    Account {
        profile: profile(kind, community, home, places, u, &mut rng),
        kind,
        community,
        home,
        campaign,
        weight: rank * kind.activity(),
    }
}

/// A profile whose numbers look like its kind, with exceptions enough to make bots a task.
fn profile(kind: Kind, community: usize, home: usize, places: &[Place], u: usize, rng: &mut Rng) -> Author {
    let handle = format!("{}{u}", name(3, rng));
    let scale = |low: f64, high: f64, rng: &mut Rng| (low * (high / low).powf(rng.f64())) as u64;
    // One bot in five has the numbers of a person: it has been at it for long.
    let looks = if rng.chance(0.2) { Kind::Human } else { kind };
    let (followers, following, posts, days) = match looks {
        Kind::Human => ([20.0, 5_000.0], [30.0, 2_000.0], [50.0, 20_000.0], [100.0, 4_000.0]),
        Kind::Spam => ([1.0, 300.0], [100.0, 5_000.0], [2_000.0, 200_000.0], [5.0, 400.0]),
        Kind::LinkFarm => ([1.0, 60.0], [1.0, 200.0], [5_000.0, 300_000.0], [5.0, 600.0]),
        Kind::FakeFollower => ([1.0, 40.0], [800.0, 7_500.0], [1.0, 40.0], [3.0, 300.0]),
        Kind::Copier => ([50.0, 4_000.0], [200.0, 5_000.0], [3_000.0, 150_000.0], [30.0, 1_500.0]),
    };
    let age = between(rng, days[0], days[1]) as i64;
    let location = match rng.f64() {
        p if p < 0.65 => places[home].name.clone(),
        p if p < 0.8 => pick(rng, places).name.clone(),
        p if p < 0.85 => Some("somewhere".into()),
        _ => None,
    };
    let followers = scale(followers[0], followers[1], rng);
    Author {
        id: format!("{}", 1_000 + u),
        name: Some(capitalised(&handle)),
        description: (kind == Kind::Human && rng.chance(0.7)).then(|| format!("about {}", TOPIC_NAMES[community])),
        handle: Some(handle),
        location,
        created_at: Some(start() - SignedDuration::from_hours(24 * age)),
        followers: Some(followers),
        following: Some(scale(following[0], following[1], rng)),
        posts: Some(scale(posts[0], posts[1], rng)),
        listed: Some(followers / 50),
        verified: Some(kind == Kind::Human && followers > 2_000 && rng.chance(0.5)),
    }
}
