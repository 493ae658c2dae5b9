//! Recognises posts that came before, and merges what a later copy adds.
//!
//! Memory is some 40 bytes a post plus the later copies that add something. The first copy of a post stays; a later
//! one only fills fields that are unknown; but a text that was cut gives way to a whole one, and any version of an edited
//! post to a newer one. Ids of two sources may be equal by accident, as row numbers are: where one of
//! the two is in our own format, comes from another source and is clearly another post (another author, or without
//! authors another text), the later one is renamed `SOURCE/ID`. Posts of platforms with the same id are always one.

use std::collections::{HashMap, HashSet};

use hashbrown::HashTable;
use jiff::Timestamp;

use super::facts::{Facts, hash128};
use super::fill::{fill_around, fill_in};
use super::forgotten::{Forgotten, Order};
use super::post::{Author, Place, Post};

/// What is remembered of a post.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Hash of the id.
    id: u128,
    /// Which fields are known, a bit each.
    known: u32,
    /// Hash of the author's id, 0 if unknown.
    author: u32,
    /// Hash of the letters and digits of the text.
    text: u32,
    source: u16,
    native: bool,
}

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Its row, which is new.
    New(u64),
    /// The row of an earlier copy.
    Merged(u64),
}

/// Where a post comes from, as far as merging is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Number of the source.
    pub source: u16,
    /// Its name.
    pub name: &'a str,
    /// Whether the format is our own, whose ids need not be those of a platform.
    pub native: bool,
    /// Whether the text is known to be cut.
    pub cut: bool,
    /// The copy was edited at this time.
    pub edited: Option<Timestamp>,
}

/// Posts seen so far.
#[derive(Default)]
pub struct Seen {
    entries: Entries,
    fills: HashMap<u32, Fill>,
    /// When the newest version of an edited post is from; the version, if it is not the first copy.
    versions: HashMap<u32, (Timestamp, Option<Post>)>,
    renamed: HashMap<(u16, String), String>,
    forgotten: Forgotten,
    /// Rows that [`Seen::revise`] found to be forgotten.
    gone: HashSet<u32>,
}

/// What later copies add to a post.
#[derive(Clone, Default)]
struct Fill {
    post: Post,
    /// The text of the first copy is cut and this one is whole.
    whole: bool,
}

/// Entries of a page: pages never move, so growing needs no second copy of what is there.
const PAGE: usize = 1 << 14;

/// Entries by row, found by id. A hash map of the entries themselves would take three times the memory when it grows.
#[derive(Default)]
struct Entries {
    pages: Vec<Vec<Entry>>,
    rows: HashTable<u32>,
}

impl Entries {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row_of(&self, id: u128) -> Option<u32> {
        self.rows.find(id as u64, |row| entry(&self.pages, *row).id == id).copied()
    }

    fn push(&mut self, new: Entry) {
        let row = u32::try_from(self.len()).unwrap_or(u32::MAX);
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(new);
        }
        let pages = &self.pages;
        self.rows.insert_unique(new.id as u64, row, |row| entry(pages, *row).id as u64);
    }
}

fn entry(pages: &[Vec<Entry>], row: u32) -> &Entry {
    &pages[row as usize / PAGE][row as usize % PAGE]
}

impl Seen {
    /// Takes a post in; a merged one is kept if it adds something. The id of `post` is changed if it must be renamed.
    pub fn place(&mut self, post: &mut Post, facts: &Facts, origin: Origin) -> Placed {
        let mut new = Entry {
            id: facts.id,
            known: known(post) | if origin.cut { 0 } else { WHOLE },
            // The lowest bit is given up so that 0 means unknown.
            author: facts.author.map_or(0, |a| a as u32 | 1),
            text: facts.text,
            source: origin.source,
            native: origin.native,
        };
        let mut row = self.entries.row_of(new.id);
        if row.is_some_and(|row| is_another(entry(&self.entries.pages, row), &new)) {
            let id = format!("{}/{}", origin.name, post.id);
            self.renamed.insert((origin.source, std::mem::replace(&mut post.id, id.clone())), id);
            new.id = hash128(&post.id);
            row = self.entries.row_of(new.id);
        }
        let Some(row) = row else {
            self.entries.push(new);
            let row = self.entries.len() as u32 - 1;
            self.versions.extend(origin.edited.map(|time| (row, (time, None))));
            return Placed::New(u64::from(row));
        };
        let earlier = &mut self.entries.pages[row as usize / PAGE][row as usize % PAGE];
        if earlier.author != 0 && earlier.author != new.author {
            new.known &= !AUTHOR;
        }
        let added = new.known & !earlier.known;
        let newer = |time| self.versions.get(&row).is_none_or(|(known, _)| time > *known);
        if let Some(time) = origin.edited.filter(|time| newer(*time)) {
            earlier.known |= new.known;
            self.versions.insert(row, (time, Some(std::mem::take(post))));
        } else if added != 0 {
            earlier.known |= new.known;
            let fill = self.fills.entry(row).or_default();
            fill.whole |= added & WHOLE != 0;
            fill_in(&mut fill.post, std::mem::take(post), added & WHOLE != 0);
        }
        Placed::Merged(u64::from(row))
    }

    /// Remembers what must be forgotten, whether it came already or comes later; whether that was not known.
    pub fn forget(&mut self, order: &Order) -> bool {
        self.forgotten.obey(order)
    }

    /// Whether [`Seen::revise`] changes anything; `has_author` says whether a post of an author (by hash) came.
    pub fn needs_revision(&self, has_author: impl Fn(u64) -> bool) -> bool {
        let edited = || self.versions.values().any(|(_, version)| version.is_some());
        !self.fills.is_empty()
            || edited()
            || self.forgotten.scrubs()
            || self.forgotten.posts().any(|id| self.entries.row_of(id).is_some())
            || self.forgotten.authors().any(has_author)
    }

    /// Brings the post of a row up to date with all that came after it; `false` if it must go.
    pub fn revise(&mut self, row: u64, post: &mut Post) -> bool {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        let fill = self.fills.get(&row).cloned();
        match self.versions.get(&row) {
            Some((_, version)) => {
                if let Some(version) = version {
                    let old = std::mem::replace(post, version.clone());
                    fill_around(post, old);
                }
                fill.into_iter().for_each(|fill| fill_around(post, fill.post));
            }
            None => fill.into_iter().for_each(|fill| fill_in(post, fill.post, fill.whole)),
        }
        let stays = self.forgotten.clean(post);
        if !stays {
            self.gone.insert(row);
        }
        stays
    }

    /// How many posts [`Seen::revise`] found to be forgotten.
    pub fn gone(&self) -> u64 {
        self.gone.len() as u64
    }

    /// The id under which a post of a source is in the corpus, if it is.
    pub fn final_id(&self, source: u16, id: &str) -> Option<String> {
        let id = self.renamed.get(&(source, id.to_owned())).map_or(id, String::as_str);
        let row = self.entries.row_of(hash128(id))?;
        (!self.gone.contains(&row)).then(|| id.to_owned())
    }

    /// How many posts of the corpus have a text that is cut.
    pub fn cut(&self) -> u64 {
        let entries = self.entries.pages.iter().flatten().enumerate();
        entries.filter(|(row, e)| e.known & WHOLE == 0 && !self.gone.contains(&(*row as u32))).count() as u64
    }

    /// How many posts were renamed.
    pub fn renamed(&self) -> u64 {
        self.renamed.len() as u64
    }
}

/// Whether two posts with one id are different posts: see the rule above.
fn is_another(earlier: &Entry, later: &Entry) -> bool {
    let accident = (earlier.native || later.native) && earlier.source != later.source;
    let differ = if earlier.author != 0 && later.author != 0 {
        earlier.author != later.author
    } else {
        earlier.text != later.text
    };
    accident && differ
}

/// Bits of [`known`] that belong to the author's profile.
const AUTHOR: u32 = 0x3ff << 16;

/// Bit of [`known`] that says that the text is not cut.
const WHOLE: u32 = 1 << 13;

/// Which fields of a post are known.
fn known(post: &Post) -> u32 {
    let place = post.place.as_ref();
    let author = post.author.as_ref();
    let in_author = |f: fn(&Author) -> bool| author.is_some_and(f);
    let in_place = |f: fn(&Place) -> bool| place.is_some_and(f);
    let fields = [
        post.created_at.is_some(),
        post.lang.is_some(),
        !post.text.is_empty(),
        !post.hashtags.is_empty(),
        !post.mentions.is_empty(),
        !post.images.is_empty(),
        post.images.iter().any(|i| i.path.is_some()),
        place.is_some(),
        in_place(|p| p.name.is_some()),
        in_place(|p| p.bounds.is_some()),
        post.geo.is_some(),
        post.reply_to.is_some(),
        post.quote_of.is_some(),
        false,
        false,
        false,
        author.is_some(),
        in_author(|a| a.handle.is_some()),
        in_author(|a| a.name.is_some()),
        in_author(|a| a.description.is_some()),
        in_author(|a| a.location.is_some()),
        in_author(|a| a.created_at.is_some()),
        in_author(|a| a.followers.is_some() && a.following.is_some()),
        in_author(|a| a.posts.is_some()),
        in_author(|a| a.listed.is_some()),
        in_author(|a| a.verified.is_some()),
    ];
    fields.iter().enumerate().fold(0, |bits, (i, known)| bits | u32::from(*known) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(id: &str, text: &str, author: Option<&str>) -> Post {
        let author = author.map(|a| Author { id: a.into(), ..Author::default() });
        Post { id: id.into(), text: text.into(), author, ..Post::default() }
    }

    fn place(seen: &mut Seen, post: &mut Post, origin: Origin) -> Placed {
        let facts = Facts::of(post, true);
        seen.place(post, &facts, origin)
    }

    fn origin(source: u16, native: bool) -> Origin<'static> {
        Origin { source, name: ["one", "two"][source as usize], native, cut: false, edited: None }
    }

    #[test]
    fn the_newest_version_of_an_edited_post_stays() {
        let mut seen = Seen::default();
        let at = |second| Origin { edited: Timestamp::from_second(second).ok(), ..origin(0, false) };
        let tagged =
            |text: &str| Post { hashtags: vec!["a".into()], lang: Some("en".into()), ..post("1", text, Some("u")) };
        let mut first = tagged("one");
        place(&mut seen, &mut first, origin(0, false));
        assert_eq!(place(&mut seen, &mut post("1", "three", None), at(3)), Placed::Merged(0));
        place(&mut seen, &mut post("1", "two", None), at(2));
        place(&mut seen, &mut tagged("again"), origin(0, false));
        assert!(seen.needs_revision(|_| false) && seen.revise(0, &mut first));
        assert_eq!((first.text.as_str(), first.hashtags.len(), first.author.is_some()), ("three", 0, true));
        // A first copy that is a version already does not give way to an older one.
        let mut first = post("2", "new", None);
        place(&mut seen, &mut first, at(5));
        place(&mut seen, &mut post("2", "old", None), at(4));
        place(&mut seen, &mut tagged("old"), origin(0, false));
        assert!(seen.revise(1, &mut first));
        assert_eq!((first.text.as_str(), first.hashtags.len()), ("new", 0));
    }

    #[test]
    fn a_later_copy_fills_what_is_unknown_and_changes_nothing_else() {
        let mut seen = Seen::default();
        let mut first = post("1", "a", Some("u"));
        assert_eq!(place(&mut seen, &mut first, origin(0, false)), Placed::New(0));
        let mut copy = Post { lang: Some("en".into()), ..post("1", "b", Some("u")) };
        assert_eq!(place(&mut seen, &mut copy, origin(1, false)), Placed::Merged(0));
        assert!(seen.needs_revision(|_| false) && seen.revise(0, &mut first));
        assert_eq!((first.text.as_str(), first.lang.as_deref()), ("a", Some("en")));
    }

    #[test]
    fn a_whole_text_replaces_one_that_is_cut_in_any_order() {
        let cut = Origin { cut: true, ..origin(0, false) };
        let (short, long) =
            (post("1", "a b\u{2026}", None), Post { hashtags: vec!["c".into()], ..post("1", "a b #c", None) });
        let mut seen = Seen::default();
        let mut first = short.clone();
        place(&mut seen, &mut first, cut);
        assert_eq!(seen.cut(), 1);
        place(&mut seen, &mut long.clone(), origin(0, false));
        assert!(seen.needs_revision(|_| false) && seen.revise(0, &mut first));
        assert_eq!((first, seen.cut()), (long.clone(), 0));
        let mut seen = Seen::default();
        place(&mut seen, &mut long.clone(), origin(0, false));
        place(&mut seen, &mut short.clone(), cut);
        assert_eq!((seen.needs_revision(|_| false), seen.cut()), (false, 0));
    }

    #[test]
    fn a_copy_that_adds_nothing_needs_no_revision() {
        let mut seen = Seen::default();
        place(&mut seen, &mut post("1", "a", None), origin(0, true));
        place(&mut seen, &mut post("1", "a", None), origin(0, true));
        assert!(!seen.needs_revision(|_| false));
    }

    #[test]
    fn ids_equal_by_accident_are_told_apart() {
        let mut seen = Seen::default();
        place(&mut seen, &mut post("1", "a", None), origin(0, true));
        let mut other = post("1", "b", None);
        assert_eq!(place(&mut seen, &mut other, origin(1, true)), Placed::New(1));
        assert_eq!(other.id, "two/1");
        assert_eq!(seen.final_id(1, "1").as_deref(), Some("two/1"));
        assert_eq!(place(&mut seen, &mut post("1", "b", None), origin(1, true)), Placed::Merged(1));
        // The same author: the same post, in whatever words.
        place(&mut seen, &mut post("2", "a", Some("u")), origin(0, true));
        assert_eq!(place(&mut seen, &mut post("2", "&amp; a", Some("u")), origin(1, false)), Placed::Merged(2));
    }

    #[test]
    fn orders_hold_for_posts_before_and_after() {
        let mut seen = Seen::default();
        place(&mut seen, &mut post("4", "a", Some("w")), origin(0, false));
        for order in [Order::Post("5".into()), Order::Author("w".into())] {
            assert!(seen.forget(&order));
        }
        seen.forget(&Order::Geo { author: "u".into(), up_to: "7".into() });
        let mut gone = post("5", "a", None);
        let mut scrubbed = Post { geo: Some(Default::default()), ..post("7", "a", Some("u")) };
        let mut kept = Post { geo: Some(Default::default()), ..post("8", "a", Some("u")) };
        let mut author_gone = post("9", "a", Some("w"));
        for p in [&mut gone, &mut scrubbed, &mut kept, &mut author_gone] {
            place(&mut seen, p, origin(0, false));
        }
        assert!(!seen.revise(0, &mut post("4", "a", Some("w"))) && !seen.revise(4, &mut author_gone));
        assert!(!seen.revise(1, &mut gone) && seen.revise(2, &mut scrubbed) && seen.revise(3, &mut kept));
        assert_eq!((scrubbed.geo, kept.geo.is_some()), (None, true));
        assert_eq!((seen.gone(), seen.final_id(0, "5"), seen.final_id(0, "8").is_some()), (3, None, true));
    }

    #[test]
    fn rows_are_found_over_many_pages() {
        let mut seen = Seen::default();
        let count = 3 * PAGE as u64 + 5;
        for row in 0..count {
            assert_eq!(place(&mut seen, &mut post(&row.to_string(), "a", None), origin(0, false)), Placed::New(row));
        }
        for row in (0..count).step_by(777) {
            assert_eq!(place(&mut seen, &mut post(&row.to_string(), "a", None), origin(0, false)), Placed::Merged(row));
        }
    }
}
