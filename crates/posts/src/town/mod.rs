//! The synthetic town: posts with all five components and a known truth, so that every task has a known ceiling and
//! tests need no download.
//!
//! Behind every post stands a hidden state: an entity (of one of eight topics) in a colour, or the campaign of a spam
//! account. Author and state are drawn first; then each component shows the state on its own, with the noise of
//! [`states`]: words of three invented languages, a drawn image, tags, the district. The author is seen through whom they
//! mention. Nothing else ties components together, which is what makes the ceiling exact. A tenth of the accounts are
//! bots of four kinds; components are missing at known shares; copies and near-duplicates occur within a day.
//!
//! The same options give the same bytes, on any number of threads. Everything made here is named synthetic.

mod compose;
mod draw;
pub mod oracle;
mod picture;
pub mod states;
pub mod truth;
mod words;
pub mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::compose::{Composed, image_file, part};
use self::states::State;
use self::truth::TruthWriter;
pub use self::world::Kind;
use self::world::World;
use super::{Corpus, CorpusWriter, Label, Part};
use crate::component::{Component, PerComponent};
use crate::error::{AtPath, Error, Result};
use crate::progress::Progress;

/// What the town is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TownOptions {
    /// Number of posts, spread over ten days.
    pub posts: usize,
    /// Same seed, same bytes.
    pub seed: u64,
    /// Number of accounts; absent: one for every twelve posts, at least 40.
    pub authors: Option<usize>,
    /// Share of accounts that are bots.
    pub bots: f64,
    /// Share of posts that lack each component, independent of everything. An author is never missing.
    pub missing: PerComponent<f64>,
    /// Draw at most about this many different images (0: none); with more posts, posts of a day share them.
    pub images: usize,
    /// Whether a corpus that already stands at the target gives way.
    #[serde(skip)]
    pub replace: bool,
}

impl Default for TownOptions {
    fn default() -> Self {
        TownOptions {
            posts: 3000,
            seed: 1,
            authors: None,
            bots: 0.1,
            missing: PerComponent([0.1, 0.15, 0.2, 0.25, 0.0]),
            images: 20_000,
            replace: false,
        }
    }
}

impl TownOptions {
    /// Number of accounts.
    pub fn authors(&self) -> usize {
        self.authors.unwrap_or_else(|| (self.posts / 12).max(40))
    }

    fn check(&self) -> Result<()> {
        let share = |name: &str, value: f64| match (0.0..=0.9).contains(&value) {
            true => Ok(()),
            false => Err(Error::input(format!("{name} is {value}")).help("a share between 0 and 0.9 is accepted")),
        };
        if self.posts < compose::DAYS {
            let what = format!("{} posts do not cover the town's ten days", self.posts);
            return Err(Error::input(what).help("ask for at least 10 posts"));
        }
        if self.authors() < 2 || self.authors() > u32::MAX as usize {
            return Err(Error::input(format!("{} authors", self.authors())).help("ask for at least 2"));
        }
        share("the share of bots", self.bots)?;
        for (component, &missing) in self.missing.iter().filter(|(c, _)| *c != Component::User) {
            share(&format!("the share of posts without {component}"), missing)?;
        }
        if self.missing[Component::User] != 0.0 {
            return Err(Error::input("a post of the town always has an author").help("set the share to 0"));
        }
        Ok(())
    }
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TownReport {
    /// Posts.
    pub posts: usize,
    /// Posts in train, dev and test.
    pub parts: [usize; 3],
    /// Accounts that posted.
    pub authors: usize,
    /// Accounts that posted, by kind.
    pub kinds: BTreeMap<Kind, usize>,
    /// Posts that have each component.
    pub present: PerComponent<usize>,
    /// Different image files.
    pub images: usize,
    /// Posts that copy another post.
    pub copies: usize,
}

/// Posts composed and written at a time.
const CHUNK: usize = 2048;

/// Writes the town of `options` as a corpus at `into`: posts, images, the published split by time, labels
/// (`author,ID,bot,KIND`), and the hidden side in `truth.csv` and `truth.json`.
///
/// # Errors
/// If an option is out of range, `into` is in use, the disk refuses, or the person stops the work (nothing stays then).
pub fn generate(options: &TownOptions, into: &Path, progress: &dyn Progress) -> Result<TownReport> {
    options.check()?;
    let mut corpus = CorpusWriter::create(into, true, options.replace)?;
    let manifest = corpus.manifest_mut();
    manifest.name = "town (synthetic)".into();
    manifest.split = Some("by time: 8d,1d,1d".into());
    let world = World::new(options);
    truth::write_world(&world, corpus.root())?;
    let mut truths = TruthWriter::create(&world, corpus.root())?;
    let mut report = TownReport::default();
    let mut drawn = BTreeSet::new();
    let mut authors = BTreeSet::new();
    let task = progress.task("town", Some(options.posts as u64), "posts");
    for start in (0..options.posts).step_by(CHUNK) {
        if progress.interrupted() {
            return Err(Error::interrupted("the town was not finished; nothing was kept"));
        }
        let end = (start + CHUNK).min(options.posts);
        let composed: Vec<Composed> = (start..end).into_par_iter().map(|i| world.compose(i)).collect();
        draw_pictures(options.seed, &composed, &mut drawn, corpus.root())?;
        for (i, Composed { post, truth }) in (start..end).zip(composed) {
            let part = part(i, options.posts);
            report.count(&truth, part);
            authors.insert(truth.author);
            truths.push(i, &post.id, &truth)?;
            corpus.push(post, Some(part))?;
        }
        task.advance((end - start) as u64);
    }
    truths.finish()?;
    for &author in &authors {
        let account = &world.accounts[author];
        *report.kinds.entry(account.kind).or_default() += 1;
        corpus.label(Label {
            kind: "author".into(),
            id: account.profile.id.clone(),
            name: "bot".into(),
            value: account.kind.name().into(),
        });
    }
    report.authors = authors.len();
    report.images = drawn.len();
    corpus.finish()?;
    Ok(report)
}

/// Name of the hidden topic of every post (`campaign` for spam and link farms), by post id.
///
/// # Errors
/// If `corpus` is no town.
pub fn topics(corpus: &Corpus) -> Result<HashMap<String, String>> {
    truth::read_options(corpus.root())?;
    Ok(truth::read_rows(corpus.root())?.into_iter().map(|row| (row.post_id, row.topic)).collect())
}

impl TownReport {
    fn count(&mut self, truth: &compose::Truth, part: Part) {
        self.posts += 1;
        self.parts[part as usize] += 1;
        self.copies += usize::from(truth.copy_of.is_some());
        let present = PerComponent([
            truth.text.is_some(),
            truth.image.is_some(),
            truth.hashtags.is_some(),
            truth.place.is_some(),
            true,
        ]);
        for (component, &has) in present.iter() {
            self.present[component] += usize::from(has);
        }
    }
}

/// Draws the pictures of `posts` that are not in `drawn` yet. Plain writes: until the corpus is finished the folder is
/// a temporary one that a failure removes.
fn draw_pictures(seed: u64, posts: &[Composed], drawn: &mut BTreeSet<u64>, root: &Path) -> Result<()> {
    let mut new = Vec::new();
    for Composed { truth, .. } in posts {
        if let (Some(number), Some(shown)) = (truth.picture, truth.image)
            && drawn.insert(number)
        {
            let path = root.join(image_file(number));
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).at(folder)?;
            }
            new.push((number, State::from_index(shown), path));
        }
    }
    new.into_par_iter()
        .try_for_each(|(number, state, path)| std::fs::write(&path, picture::png(seed, number, state)?).at(path))
}
