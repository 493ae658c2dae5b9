//! The five components of a post, in the one order used everywhere.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One of the five components of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The words, without hashtags, links and mentions.
    Text,
    /// The first image.
    Image,
    /// The hashtags.
    Hashtags,
    /// The place, seen through other posts from there.
    Location,
    /// The author, seen through the mention graph.
    User,
}

impl Component {
    /// Number of components.
    pub const COUNT: usize = 5;
    /// All components in their fixed order.
    pub const ALL: [Component; Self::COUNT] =
        [Component::Text, Component::Image, Component::Hashtags, Component::Location, Component::User];

    /// The name used in files, columns and options.
    pub fn name(self) -> &'static str {
        match self {
            Component::Text => "text",
            Component::Image => "image",
            Component::Hashtags => "hashtags",
            Component::Location => "location",
            Component::User => "user",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Component {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        Component::ALL.into_iter().find(|c| c.name() == s).ok_or_else(|| {
            Error::config(format!("`{s}` is not a component"))
                .help("components are text, image, hashtags, location, user")
        })
    }
}

/// One value per component: `[T; 5]` indexed by [`Component`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerComponent<T>(pub [T; Component::COUNT]);

impl<T> PerComponent<T> {
    /// Fills every component from a function of it.
    pub fn from_fn(mut f: impl FnMut(Component) -> T) -> Self {
        PerComponent(Component::ALL.map(&mut f))
    }

    /// Components with their values, in the fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (Component, &T)> {
        Component::ALL.into_iter().zip(&self.0)
    }

    /// Applies `f` to every value.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> PerComponent<U> {
        PerComponent(self.0.map(f))
    }
}

impl<T> Index<Component> for PerComponent<T> {
    type Output = T;
    fn index(&self, c: Component) -> &T {
        &self.0[c as usize]
    }
}

impl<T> IndexMut<Component> for PerComponent<T> {
    fn index_mut(&mut self, c: Component) -> &mut T {
        &mut self.0[c as usize]
    }
}
