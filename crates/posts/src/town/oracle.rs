//! The best possible reader of the town: knows every distribution, sees what components show, not what is hidden.

use std::collections::BTreeMap;

use super::compose::NOTHING;
use super::states::{
    AT_HOME, COLOURS, ENTITIES, IMAGE_NOISE, Noise, PLACES, STATES, State, TAG_NOISE, TEXT_NOISE, is_farm,
    place_of_state,
};
use super::world::{Account, Kind, World};
use crate::component::{Component, PerComponent};

/// What the components of a post show: symbols of text, image and hashtags are states (`NOTHING` included), that of
/// the location a district, that of the user a class of accounts.
pub type Shown = PerComponent<Option<usize>>;

/// Accounts that no observation tells apart: same kind, community or campaign, and home.
type Class = (Kind, usize, usize, usize);

/// The town's distributions as tables. `h` is a hidden state, `x` a symbol, `l` a district, `a` a class.
pub struct Oracle {
    classes: BTreeMap<Class, usize>,
    /// p(h | a), `[classes][STATES]`.
    state_of_class: Vec<Vec<f64>>,
    /// Home of each class.
    home: Vec<usize>,
    /// p(h), `[STATES]`.
    state: Vec<f64>,
    /// p(x | h) of text, image and hashtags, `[x][h]`.
    shows: [Vec<Vec<f64>>; 3],
    /// p(h, l), `[l][h]`.
    place_and_state: Vec<Vec<f64>>,
    /// q(l | h) of posts that are not sent from home, `[l][h]`.
    place_of_state: Vec<Vec<f64>>,
}

fn class(account: &Account) -> Class {
    match account.kind {
        Kind::Human => (account.kind, account.community, 0, account.home),
        Kind::Spam | Kind::LinkFarm => (account.kind, 0, account.campaign, account.home),
        Kind::FakeFollower | Kind::Copier => (account.kind, 0, 0, account.home),
    }
}

/// p(symbol | state) of a component with `noise`; `colours`: whether it shows them.
fn shows(component: Component, noise: &Noise, x: usize, h: usize) -> f64 {
    let farm = |state| matches!(state, State::Campaign(c) if is_farm(c));
    let hidden = State::from_index(h);
    if x == NOTHING {
        return f64::from(u8::from(component == Component::Text && farm(hidden)));
    }
    let tags = component == Component::Hashtags;
    match (hidden, State::from_index(x)) {
        (hidden, _) if component == Component::Text && farm(hidden) => 0.0,
        (State::Scene { entity, colour }, State::Scene { entity: e, colour: c }) => {
            let colour = if tags { f64::from(u8::from(c == 0)) } else { noise.of_colour(colour, c) };
            noise.of_entity(entity, e) * colour
        }
        (hidden, State::Scene { colour: 0, .. }) if tags && farm(hidden) => 1.0 / ENTITIES as f64,
        (hidden, _) if tags && farm(hidden) => 0.0,
        (State::Campaign(campaign), State::Campaign(c)) => f64::from(u8::from(campaign == c)),
        _ => 0.0,
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Oracle {
    /// The oracle of a town.
    pub fn new(world: &World) -> Oracle {
        let mut weights: BTreeMap<Class, f64> = BTreeMap::new();
        for account in &world.accounts {
            *weights.entry(class(account)).or_default() += account.weight;
        }
        let total: f64 = weights.values().sum();
        let p: Vec<f64> = weights.values().map(|w| w / total).collect();
        let originals: f64 = weights.keys().zip(&p).filter(|(c, _)| c.0 != Kind::Copier).map(|(_, p)| p).sum();
        let mut state_of_class: Vec<Vec<f64>> =
            weights.keys().map(|c| world.state_probabilities(c.0, c.1, c.2)).collect();
        // A copier writes what the others write.
        let mut of_originals = vec![0.0; STATES];
        for ((c, p), states) in weights.keys().zip(&p).zip(&state_of_class) {
            if c.0 != Kind::Copier {
                of_originals.iter_mut().zip(states).for_each(|(sum, s)| *sum += p * s / originals);
            }
        }
        for (c, states) in weights.keys().zip(&mut state_of_class) {
            if c.0 == Kind::Copier {
                states.clone_from(&of_originals);
            }
        }
        let home: Vec<usize> = weights.keys().map(|c| c.3).collect();
        let place_of_state: Vec<Vec<f64>> =
            (0..PLACES).map(|l| (0..STATES).map(|h| place_of_state(State::from_index(h), l)).collect()).collect();
        let mut place_and_state = vec![vec![0.0; STATES]; PLACES];
        for (a, states) in state_of_class.iter().enumerate() {
            for (h, s) in states.iter().enumerate() {
                place_and_state[home[a]][h] += p[a] * s * AT_HOME;
                for l in 0..PLACES {
                    place_and_state[l][h] += p[a] * s * (1.0 - AT_HOME) * place_of_state[l][h];
                }
            }
        }
        let table = |component, noise: &Noise| {
            (0..=NOTHING).map(|x| (0..STATES).map(|h| shows(component, noise, x, h)).collect()).collect()
        };
        debug_assert_eq!(NOTHING, ENTITIES * COLOURS + super::states::CAMPAIGNS);
        Oracle {
            classes: weights.keys().enumerate().map(|(index, &class)| (class, index)).collect(),
            state_of_class,
            home,
            state: of_originals,
            shows: [
                table(Component::Text, &TEXT_NOISE),
                table(Component::Image, &IMAGE_NOISE),
                table(Component::Hashtags, &TAG_NOISE),
            ],
            place_and_state,
            place_of_state,
        }
    }

    /// Class of an account.
    pub fn class_of(&self, account: &Account) -> Option<usize> {
        self.classes.get(&class(account)).copied()
    }

    /// p(l | a, h).
    fn place(&self, l: usize, a: usize, h: usize) -> f64 {
        let home = if self.home[a] == l { AT_HOME } else { 0.0 };
        home + (1.0 - AT_HOME) * self.place_of_state[l][h]
    }

    /// Scores of all symbols of `target`, given what the other components of a post show (`target` itself is ignored):
    /// p(symbol | shown) / p(symbol), up to a factor that all symbols share. Ranking candidates by it is the best any
    /// reader can do. Impossible symbols score 0.
    pub fn scores(&self, shown: &Shown, target: Component) -> Vec<f64> {
        let sees = |c: Component| if c == target { None } else { shown[c] };
        let mut weight = vec![1.0; STATES];
        for (component, table) in [Component::Text, Component::Image, Component::Hashtags].into_iter().zip(&self.shows)
        {
            if let Some(x) = sees(component) {
                weight.iter_mut().zip(&table[x]).for_each(|(w, p)| *w *= p);
            }
        }
        let by_state = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..STATES).map(|h| weight[h] * f(h)).collect() };
        let (user, location) = (sees(Component::User), sees(Component::Location));
        match target {
            Component::User => (0..self.home.len())
                .map(|a| {
                    let place = |h| location.map_or(1.0, |l| self.place(l, a, h));
                    (0..STATES).map(|h| self.state_of_class[a][h] * weight[h] * place(h)).sum()
                })
                .collect(),
            Component::Location => (0..PLACES)
                .map(|l| {
                    let joint = match user {
                        Some(a) => by_state(&|h| self.state_of_class[a][h] * self.place(l, a, h)),
                        None => by_state(&|h| self.place_and_state[l][h]),
                    };
                    joint.iter().sum::<f64>() / self.place_and_state[l].iter().sum::<f64>()
                })
                .collect(),
            Component::Text | Component::Image | Component::Hashtags => {
                let posterior = match (user, location) {
                    (Some(a), Some(l)) => by_state(&|h| self.state_of_class[a][h] * self.place(l, a, h)),
                    (Some(a), None) => by_state(&|h| self.state_of_class[a][h]),
                    (None, Some(l)) => by_state(&|h| self.place_and_state[l][h]),
                    (None, None) => by_state(&|h| self.state[h]),
                };
                self.shows[target as usize]
                    .iter()
                    .map(|p| {
                        let prior = dot(p, &self.state);
                        if prior > 0.0 { dot(p, &posterior) / prior } else { 0.0 }
                    })
                    .collect()
            }
        }
    }
}
