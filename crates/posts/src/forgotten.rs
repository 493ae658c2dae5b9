//! What must stay out of a corpus: the orders of deletes, scrubs and accounts that left, kept in `forgotten.csv`.
//!
//! ```text
//! kind,id,up_to
//! post,1100000000000000001,                    this post is not in the corpus and does not come back
//! author,42,                                   no post of this account is
//! geo,43,1100000000000000009                   posts of account 43 up to this id have neither place nor coordinates
//! ```
//!
//! A later import into the same folder (`--add` or `--replace`) obeys the file before anything else and carries it on.
//! A person who has a reason to take a post back in removes its line.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::facts::{author_hash, hash128};
use super::post::Post;
use crate::error::{Error, Result};

/// Name of the file in the corpus folder.
pub const FILE: &str = "forgotten.csv";
/// Its columns.
pub const COLUMNS: [&str; 3] = ["kind", "id", "up_to"];

/// An order to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A post, by its id.
    Post(String),
    /// Every post of an account, by its id.
    Author(String),
    /// Where posts of an account came from, up to a post id that is compared as a number.
    Geo {
        /// Account id.
        author: String,
        /// Last post id it concerns.
        up_to: String,
    },
}

impl Order {
    /// The row of the file.
    pub fn row(&self) -> [&str; 3] {
        match self {
            Order::Post(id) => ["post", id, ""],
            Order::Author(id) => ["author", id, ""],
            Order::Geo { author, up_to } => ["geo", author, up_to],
        }
    }
}

/// Orders in force; hashes, because a day of a stream brings a million of them.
#[derive(Clone, Debug, Default)]
pub struct Forgotten {
    posts: HashSet<u128>,
    authors: HashSet<u64>,
    scrubbed: HashMap<String, u128>,
}

impl Forgotten {
    /// Takes an order; whether it says anything new.
    pub fn obey(&mut self, order: &Order) -> bool {
        match order {
            Order::Post(id) => self.posts.insert(hash128(id)),
            Order::Author(id) => self.authors.insert(author_hash(id)),
            Order::Geo { author, up_to } => {
                let up_to = up_to.parse().unwrap_or(u128::MAX);
                let last = self.scrubbed.get(author).copied();
                let more = last.is_none_or(|last| last < up_to);
                if more {
                    self.scrubbed.insert(author.clone(), up_to);
                }
                more
            }
        }
    }

    /// Hashes of the posts that are forgotten.
    pub(super) fn posts(&self) -> impl Iterator<Item = u128> {
        self.posts.iter().copied()
    }

    /// Hashes of the accounts whose posts are forgotten.
    pub(super) fn authors(&self) -> impl Iterator<Item = u64> {
        self.authors.iter().copied()
    }

    /// Whether some account's locations are.
    pub(super) fn scrubs(&self) -> bool {
        !self.scrubbed.is_empty()
    }

    /// Takes from a post what must be forgotten; `false` if that is the whole post.
    pub fn clean(&self, post: &mut Post) -> bool {
        let gone = |p: &Post| p.author.as_ref().is_some_and(|a| self.authors.contains(&author_hash(&a.id)));
        if self.posts.contains(&hash128(&post.id)) || (!self.authors.is_empty() && gone(post)) {
            return false;
        }
        let last = post.author.as_ref().and_then(|a| self.scrubbed.get(&a.id));
        if last.is_some_and(|last| post.id.parse().is_ok_and(|id: u128| id <= *last)) {
            (post.geo, post.place) = (None, None);
        }
        true
    }
}

/// Hands every order of a corpus folder to `each`; a folder without the file has none.
///
/// # Errors
/// If the file is there and cannot be read, or a row is no order: what was asked for must not be lost unnoticed.
pub fn read(corpus: &Path, mut each: impl FnMut(Order) -> Result<()>) -> Result<()> {
    let path = corpus.join(FILE);
    if !path.is_file() {
        return Ok(());
    }
    let help = "restore the file; without it deleted posts could come back";
    let bad = |e: csv::Error| Error::input(format!("not a CSV table: {e}")).at(&path).help(help);
    let mut table = csv::Reader::from_path(&path).map_err(bad)?;
    for row in table.records() {
        let row = row.map_err(bad)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |k: usize| row.get(k).unwrap_or("").to_owned();
        each(match cell(0).as_str() {
            "post" => Order::Post(cell(1)),
            "author" => Order::Author(cell(1)),
            "geo" => Order::Geo { author: cell(1), up_to: cell(2) },
            other => {
                let what = format!("`{other}` is no kind of order; kinds are post, author, geo");
                return Err(Error::input(what).at_line(&path, line).help(help));
            }
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::{Author, Point};

    fn post(id: &str, author: &str) -> Post {
        let author = Some(Author { id: author.into(), ..Author::default() });
        Post { id: id.into(), author, geo: Some(Point::default()), ..Post::default() }
    }

    #[test]
    fn orders_say_something_new_once() {
        let mut all = Forgotten::default();
        let geo = |up_to: &str| Order::Geo { author: "u".into(), up_to: up_to.into() };
        let told = [Order::Post("1".into()), Order::Author("1".into()), geo("7"), geo("6"), geo("8"), geo("8")];
        assert_eq!(told.map(|o| all.obey(&o)), [true, true, true, false, true, false]);
        assert!(!all.obey(&Order::Post("1".into())));
        let (mut seven, mut nine) = (post("7", "u"), post("9", "u"));
        assert!(all.clean(&mut seven) && all.clean(&mut nine));
        assert_eq!((seven.geo, nine.geo.is_some()), (None, true));
        assert!(!all.clean(&mut post("1", "x")) && !all.clean(&mut post("2", "1")));
    }

    #[test]
    fn a_damaged_file_is_refused_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "kind,id,up_to\npost,1,\nperson,2,\n").unwrap();
        let error = read(folder.path(), |_| Ok(())).unwrap_err();
        assert!(error.place().is_some_and(|p| p.ends_with("forgotten.csv:3")), "{error}");
    }
}
