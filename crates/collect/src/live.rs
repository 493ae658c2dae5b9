//! The live line: posts per second and how many of them have each component, over the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use quintet_posts::{Component, PerComponent};

/// Over how long rates and shares are taken.
const WINDOW: Duration = Duration::from_secs(30);
/// How often the line changes.
const EVERY: Duration = Duration::from_secs(1);

/// What came within a second.
#[derive(Clone, Debug)]
struct Slice {
    begun: Instant,
    posts: u64,
    components: PerComponent<u64>,
    all: u64,
}

/// Rates and shares of the last seconds.
#[derive(Debug)]
pub struct Live {
    slices: VecDeque<Slice>,
    begun: Instant,
    shown: Instant,
}

impl Live {
    /// Nothing yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Live { slices: VecDeque::new(), begun: now, shown: now }
    }

    /// Counts a post.
    pub fn post(&mut self, has: &PerComponent<bool>) {
        let now = Instant::now();
        match self.slices.back_mut() {
            Some(slice) if now - slice.begun < EVERY => slice.add(has),
            _ => {
                let mut slice = Slice { begun: now, posts: 0, components: PerComponent::default(), all: 0 };
                slice.add(has);
                self.slices.push_back(slice);
            }
        }
    }

    /// The line, if it is time for a new one.
    pub fn line_if_due(&mut self) -> Option<String> {
        if self.shown.elapsed() < EVERY {
            return None;
        }
        self.shown = Instant::now();
        while self.slices.front().is_some_and(|s| s.begun.elapsed() > WINDOW) {
            self.slices.pop_front();
        }
        Some(self.line(self.begun.elapsed().min(WINDOW)))
    }

    fn line(&self, over: Duration) -> String {
        let sum = |of: &dyn Fn(&Slice) -> u64| self.slices.iter().map(of).sum::<u64>();
        let posts = sum(&|s| s.posts);
        let rate = posts as f64 / over.as_secs_f64().max(1.0);
        let share = |n: u64| if posts == 0 { 0.0 } else { 100.0 * n as f64 / posts as f64 };
        let mut line = format!("{rate:.1} posts/s ");
        for component in Component::ALL {
            line += &format!(" {component} {:.0} %", share(sum(&|s| s.components[component])));
        }
        line + &format!("  all five {:.1} %", share(sum(&|s| s.all)))
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Slice {
    fn add(&mut self, has: &PerComponent<bool>) {
        self.posts += 1;
        self.all += u64::from(has.0.iter().all(|h| *h));
        for (count, has) in self.components.0.iter_mut().zip(has.0) {
            *count += u64::from(has);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rate_and_shares() {
        let mut live = Live::new();
        for n in 0..8 {
            live.post(&PerComponent::from_fn(|c| c == Component::Text || n == 0));
        }
        let line = live.line(Duration::from_secs(4));
        assert_eq!(line, "2.0 posts/s  text 100 % image 12 % hashtags 12 % location 12 % user 12 %  all five 12.5 %");
        assert_eq!(Live::new().line(Duration::ZERO).split(' ').next(), Some("0.0"));
    }
}
