//! One pass over the posts and one over the image files: what the report is computed from, small enough to hold.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::PathBuf;

use rayon::prelude::*;

use super::near::{Sketch, groups};
use super::words::{SHORTEST, hash, words};
use super::{Images, PartCounts};
use crate::component::PerComponent;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::{Corpus, Part, Post};

/// What overlap and duplicates are about; 0 means that the post has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// Hash of the id.
    pub post: u64,
    /// Hash of the author's id.
    pub author: u64,
    /// Hash of the first image's content.
    pub image: u64,
    /// Hash of the words, if they are enough to compare.
    pub text: u64,
    /// Group of near-duplicates, counted from 1.
    pub near: u64,
}

/// All posts, reduced.
pub struct Scan {
    /// Part and traits of each post, in file order.
    pub posts: Vec<(Option<Part>, Traits)>,
    /// Counts of train, dev, test and of posts in no part.
    pub counts: [PartCounts; 4],
    /// Posts with words too few to compare.
    pub short_texts: usize,
    /// Health of the image files.
    pub images: Images,
}

/// Index of a part in `Scan::counts`.
pub fn slot(part: Option<Part>) -> usize {
    part.map_or(3, |p| p as usize)
}

/// Posts read at a time.
const CHUNK: usize = 4096;

/// Reads everything once.
pub fn scan(corpus: &Corpus, progress: &dyn Progress) -> Result<Scan> {
    let parts = corpus.parts()?;
    let mut posts = Vec::with_capacity(corpus.len());
    let mut counts: [PartCounts; 4] = Default::default();
    let mut texts = Texts::default();
    let mut files = Files::default();
    let mut short_texts = 0;
    let task = progress.task("posts", Some(corpus.len() as u64), "posts");
    for chunk in corpus.chunks(CHUNK)? {
        if progress.interrupted() {
            return Err(Error::interrupted("the check was stopped"));
        }
        let chunk = chunk?;
        let prepared: Vec<Vec<String>> = chunk.par_iter().map(|post| words(&post.text)).collect();
        for (post, words) in chunk.iter().zip(prepared) {
            let part = parts.get(&post.id).copied();
            let mut traits = Traits { post: hash(post.id.as_bytes()), ..Traits::default() };
            traits.author = post.author.as_ref().map_or(0, |a| hash(a.id.as_bytes()));
            let has_text = !words.is_empty();
            if words.len() >= SHORTEST {
                traits.text = hash(words.join(" ").as_bytes());
                texts.add(posts.len(), traits.text, words);
            } else {
                short_texts += usize::from(has_text);
            }
            files.add(corpus, post, posts.len());
            count(&mut counts[slot(part)], post, has_text);
            posts.push((part, traits));
        }
        task.advance(chunk.len() as u64);
    }
    drop(task);
    texts.group(&mut posts);
    let images = files.read(&mut posts, progress)?;
    let mut authors: [Vec<u64>; 4] = Default::default();
    for (part, traits) in posts.iter().filter(|(_, t)| t.author != 0) {
        authors[slot(*part)].push(traits.author);
    }
    for (count, mut authors) in counts.iter_mut().zip(authors) {
        authors.sort_unstable();
        authors.dedup();
        count.authors = authors.len();
    }
    Ok(Scan { posts, counts, short_texts, images })
}

fn count(counts: &mut PartCounts, post: &Post, has_text: bool) {
    let has = PerComponent([
        has_text,
        !post.images.is_empty(),
        !post.hashtags.is_empty(),
        post.place.is_some(),
        post.author.is_some(),
    ]);
    counts.posts += 1;
    for (component, &yes) in has.iter() {
        counts.components[component] += usize::from(yes);
    }
    let names: Vec<&str> = has.iter().filter(|(_, yes)| **yes).map(|(c, _)| c.name()).collect();
    let combination = if names.is_empty() { "nothing".to_owned() } else { names.join("+") };
    *counts.combinations.entry(combination).or_default() += 1;
    *counts.languages.entry(post.lang.clone().unwrap_or_else(|| "unknown".into())).or_default() += 1;
    if let Some(at) = post.created_at {
        counts.first = Some(counts.first.map_or(at, |first| first.min(at)));
        counts.last = Some(counts.last.map_or(at, |last| last.max(at)));
    }
}

/// Distinct texts with their sketches.
#[derive(Default)]
struct Texts {
    number: HashMap<u64, usize>,
    sketches: Vec<Sketch>,
    /// Post and number of its text.
    of_post: Vec<(usize, usize)>,
}

impl Texts {
    fn add(&mut self, post: usize, key: u64, words: Vec<String>) {
        let number = *self.number.entry(key).or_insert(self.sketches.len());
        if number == self.sketches.len() {
            self.sketches.push(Sketch::new(&words));
        }
        self.of_post.push((post, number));
    }

    fn group(self, posts: &mut [(Option<Part>, Traits)]) {
        let groups = groups(&self.sketches);
        for (post, number) in self.of_post {
            posts[post].1.near = groups[number] as u64 + 1;
        }
    }
}

/// First images of posts, each file once.
#[derive(Default)]
struct Files {
    /// Posts of each file.
    posts: BTreeMap<PathBuf, Vec<usize>>,
    remote: usize,
}

impl Files {
    fn add(&mut self, corpus: &Corpus, post: &Post, index: usize) {
        let Some(image) = post.images.first() else { return };
        match corpus.image_path(image) {
            Some(path) => self.posts.entry(path).or_default().push(index),
            None => self.remote += 1,
        }
    }

    fn read(self, posts: &mut [(Option<Part>, Traits)], progress: &dyn Progress) -> Result<Images> {
        let task = progress.task("images", Some(self.posts.len() as u64), "images");
        let files: Vec<(PathBuf, Vec<usize>)> = self.posts.into_iter().collect();
        let mut images = Images { remote: self.remote, ..Images::default() };
        for chunk in files.chunks(1024) {
            if progress.interrupted() {
                return Err(Error::interrupted("the check was stopped"));
            }
            let looks: Vec<Look> = chunk.par_iter().map(|(path, _)| look(path)).collect();
            for ((path, of), look) in chunk.iter().zip(looks) {
                images.files += 1;
                match look {
                    Look::Fine(key) => of.iter().for_each(|&post| posts[post].1.image = key),
                    Look::Absent => images.absent.add(path, of.len()),
                    Look::Unreadable(key) => {
                        of.iter().for_each(|&post| posts[post].1.image = key);
                        images.unreadable.add(path, of.len());
                    }
                }
            }
            task.advance(chunk.len() as u64);
        }
        Ok(images)
    }
}

/// What an image file looks like from outside.
enum Look {
    Fine(u64),
    Absent,
    Unreadable(u64),
}

fn look(path: &std::path::Path) -> Look {
    let Ok(bytes) = std::fs::read(path) else { return Look::Absent };
    let key = hash(&bytes);
    if has_header(&bytes) { Look::Fine(key) } else { Look::Unreadable(key) }
}

/// Whether the file starts as an image of a format that can be decoded, with a size.
fn has_header(bytes: &[u8]) -> bool {
    match image::guess_format(bytes) {
        Ok(image::ImageFormat::Jpeg) => {
            let mut decoder = zune_jpeg::JpegDecoder::new(Cursor::new(bytes));
            decoder.decode_headers().is_ok()
        }
        Ok(format) => image::ImageReader::with_format(Cursor::new(bytes), format)
            .into_dimensions()
            .is_ok_and(|(width, height)| width > 0 && height > 0),
        Err(_) => false,
    }
}
