//! What is judged: authors seen through their posts, or posts alone, with all that methods look at.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::baseline::botometer;
use super::baseline::botometer_lite::{self, Bigrams};
use super::baseline::lexicon::Lexicon;
use super::numbers::Table;
use super::reading::Reading;
use super::{behaviour, campaigns};
use crate::component::Component;
use crate::posts::Post;
use crate::tasks::{Inputs, Unit};

/// An author's latest posts at most, as Botometer reads them.
const MOST_POSTS: usize = 200;

/// An author or a post, with its posts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Id of the author or post.
    pub id: String,
    /// Positions of its posts in the inputs, in order of time where times are known, otherwise as in the corpus.
    pub posts: Vec<usize>,
    /// Whether it is labelled a bot; false where there is no label.
    pub bot: bool,
    /// Kind of bot, where somebody named it.
    pub kind: Option<String>,
}

/// Groups `posts` into items of `unit`, in the order of their first posts. Posts without an author are no author's.
pub fn group(posts: &[Post], unit: Unit) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut of_author: HashMap<&str, usize> = HashMap::new();
    for (position, post) in posts.iter().enumerate() {
        let id = match (unit, &post.author) {
            (Unit::Post, _) => post.id.as_str(),
            (Unit::Author, Some(author)) => author.id.as_str(),
            (Unit::Author, None) => continue,
        };
        let next = items.len();
        let at = if unit == Unit::Author { *of_author.entry(id).or_insert(next) } else { next };
        if at == next {
            items.push(Item { id: id.to_string(), ..Item::default() });
        }
        items[at].posts.push(position);
    }
    for item in &mut items {
        // A stable sort: posts without a time, or of the same one, stay as they are.
        if item.posts.iter().all(|&p| posts[p].created_at.is_some()) {
            item.posts.sort_by_key(|&p| posts[p].created_at);
        }
        let surplus = item.posts.len().saturating_sub(MOST_POSTS);
        item.posts.drain(..surplus);
    }
    items
}

/// Items with their posts' texts and vectors; tables of features are made when first asked for.
pub struct Evidence<'a> {
    /// The posts and their joint vectors.
    pub inputs: &'a Inputs,
    /// What is judged.
    pub items: Vec<Item>,
    /// Pairs of characters of handles, from the training posts.
    pub bigrams: &'a Bigrams,
    behaviour: OnceLock<Table>,
    botometer: OnceLock<Table>,
    lite: OnceLock<Table>,
    texts: OnceLock<Vec<String>>,
    campaigns: OnceLock<Vec<u32>>,
}

impl<'a> Evidence<'a> {
    /// Evidence on `items`.
    pub fn new(inputs: &'a Inputs, items: Vec<Item>, bigrams: &'a Bigrams) -> Evidence<'a> {
        Evidence {
            inputs,
            items,
            bigrams,
            behaviour: OnceLock::new(),
            botometer: OnceLock::new(),
            lite: OnceLock::new(),
            texts: OnceLock::new(),
            campaigns: OnceLock::new(),
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Which items are bots.
    pub fn bots(&self) -> Vec<bool> {
        self.items.iter().map(|i| i.bot).collect()
    }

    /// The campaign of each item: items with equal texts.
    pub fn campaigns(&self) -> &[u32] {
        self.campaigns.get_or_init(|| {
            let posts: Vec<&[usize]> = self.items.iter().map(|i| i.posts.as_slice()).collect();
            campaigns::of_units(&self.inputs.posts, &posts)
        })
    }

    /// An item's texts, one a line.
    pub fn texts(&self) -> &[String] {
        let text = |item: &Item| {
            let texts: Vec<&str> = item.posts.iter().map(|&p| self.inputs.posts[p].text.as_str()).collect();
            texts.join("\n")
        };
        self.texts.get_or_init(|| self.items.iter().map(text).collect())
    }

    fn table(&self, numbers: impl Fn(&[Reading]) -> super::numbers::Numbers + Sync) -> Table {
        let row = |item: &Item| {
            let readings: Vec<Reading> = item.posts.iter().map(|&p| Reading::of(&self.inputs.posts[p])).collect();
            numbers(&readings)
        };
        let mut table = Table::default();
        // In blocks: the names of all rows would take more memory than their values.
        for block in self.items.chunks(1024) {
            let rows: Vec<_> = block.par_iter().map(&row).collect();
            table.append(Table::of(rows));
        }
        table
    }

    /// How items write ([`behaviour`]).
    pub fn behaviour(&self) -> &Table {
        self.behaviour.get_or_init(|| self.table(behaviour::numbers))
    }

    /// The six groups of Botometer ([`botometer`]).
    pub fn botometer(&self) -> &Table {
        self.botometer.get_or_init(|| {
            let lexicon = Lexicon::default();
            self.table(|readings| botometer::numbers(readings, &lexicon))
        })
    }

    /// BotometerLite's twenty ([`botometer_lite`]).
    pub fn lite(&self) -> &Table {
        self.lite.get_or_init(|| {
            let row = |item: &Item| {
                let posts: Vec<&Post> = item.posts.iter().map(|&p| &self.inputs.posts[p]).collect();
                botometer_lite::numbers(&posts, self.bigrams)
            };
            Table::of(self.items.iter().map(row))
        })
    }

    /// Dimension of the joint space.
    pub fn dim(&self) -> usize {
        self.inputs.embeddings.dim
    }

    /// Mean of the component vectors post `post` has; not scaled, so that its length tells how much they agree.
    pub fn post_vector(&self, post: usize) -> Option<Vec<f32>> {
        let e = &self.inputs.embeddings;
        let present: Vec<&[f32]> = Component::ALL.into_iter().filter_map(|c| e.vector(c, post)).collect();
        let mut sum = vec![0.0f32; e.dim];
        present.iter().for_each(|v| sum.iter_mut().zip(*v).for_each(|(s, v)| *s += v));
        sum.iter_mut().for_each(|s| *s /= present.len() as f32);
        (!present.is_empty()).then_some(sum)
    }

    /// Vectors of the posts `chosen` that have one, `[posts, dim]`.
    pub fn rows(&self, chosen: &[usize]) -> Vec<f32> {
        chosen.iter().filter_map(|&p| self.post_vector(p)).flatten().collect()
    }

    /// Positions of the `n` latest posts of item `i` that have a vector.
    pub fn latest(&self, i: usize, n: usize) -> Vec<usize> {
        let e = &self.inputs.embeddings;
        let has = |p: usize| Component::ALL.into_iter().any(|c| e.vector(c, p).is_some());
        let mut latest: Vec<usize> = self.items[i].posts.iter().rev().copied().filter(|&p| has(p)).take(n).collect();
        latest.reverse();
        latest
    }

    /// Number of items of whose posts none has a vector.
    pub fn without_vectors(&self) -> usize {
        (0..self.len()).filter(|&i| self.latest(i, 1).is_empty()).count()
    }

    /// Mean of rows `[posts, dim]`; zeros without rows.
    pub fn mean(&self, rows: &[f32]) -> Vec<f32> {
        let dim = self.dim();
        let mut mean = vec![0.0f32; dim];
        let count = (rows.len() / dim.max(1)).max(1) as f32;
        rows.chunks_exact(dim.max(1)).for_each(|r| mean.iter_mut().zip(r).for_each(|(m, v)| *m += v));
        mean.iter_mut().for_each(|m| *m /= count);
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Embeddings;
    use crate::posts::Author;

    fn post(id: &str, author: Option<&str>, time: Option<&str>) -> Post {
        Post {
            id: id.into(),
            author: author.map(|id| Author { id: id.into(), ..Author::default() }),
            created_at: time.map(|t| t.parse().unwrap()),
            ..Post::default()
        }
    }

    #[test]
    fn posts_are_grouped_by_author_in_order_of_time() {
        let posts = [
            post("1", Some("a"), Some("2020-01-02T00:00:00Z")),
            post("2", Some("b"), None),
            post("3", None, None),
            post("4", Some("a"), Some("2020-01-01T00:00:00Z")),
            post("5", Some("b"), None),
        ];
        let items = group(&posts, Unit::Author);
        assert_eq!(
            items.iter().map(|i| (i.id.as_str(), i.posts.clone())).collect::<Vec<_>>(),
            [("a", vec![3, 0]), ("b", vec![1, 4])]
        );
        assert_eq!(group(&posts, Unit::Post).len(), 5);
    }

    #[test]
    fn the_vector_of_a_post_is_a_plain_mean() {
        let mut embeddings = Embeddings::empty(2, 2);
        embeddings.set(Component::Text, 0, &[1.0, 0.0]);
        embeddings.set(Component::User, 0, &[0.0, 1.0]);
        let posts = vec![post("1", Some("a"), None), post("2", Some("a"), None)];
        let items = group(&posts, Unit::Author);
        let inputs = Inputs { posts, embeddings, ..Inputs::default() };
        let bigrams = Bigrams::of([]);
        let evidence = Evidence::new(&inputs, items, &bigrams);
        assert_eq!(evidence.post_vector(0), Some(vec![0.5, 0.5]));
        assert_eq!((evidence.post_vector(1), evidence.latest(0, 10)), (None, vec![0]));
        assert_eq!(evidence.mean(&evidence.rows(&[0, 1])), [0.5, 0.5]);
        assert_eq!(evidence.without_vectors(), 0);
    }
}
