//! The regions of the posts' images, in memory.

use std::collections::HashMap;
use std::path::PathBuf;

use half::f16;
use rayon::prelude::*;

use super::super::cases::Case;
use crate::error::{Error, Result};
use crate::features::Dense;
use crate::features::image::{ImageEncoder, Worker};
use crate::posts::Corpus;
use crate::progress::Progress;

/// Images between two looks at Ctrl-C.
const CHUNK: usize = 256;

/// Regions of distinct images, in half precision: they lie between 0 and 6, so each number is off by at most 1 part in
/// 2,048. About 125 KB an image.
#[derive(Debug, Default)]
pub struct Regions {
    /// Regions an image, and their length.
    shape: [usize; 2],
    /// `[images, regions, length]`.
    values: Vec<f16>,
    /// Image of each post.
    of_post: Vec<Option<u32>>,
}

impl Regions {
    /// None for `posts` posts.
    pub fn none(posts: usize) -> Regions {
        Regions { of_post: vec![None; posts], ..Regions::default() }
    }

    /// Those of the first readable image of each post.
    ///
    /// # Errors
    /// If the person stops the work.
    pub fn of(corpus: &Corpus, encoder: &ImageEncoder, cases: &[Case], progress: &dyn Progress) -> Result<Regions> {
        let Some(shape) = encoder.region_shape() else {
            progress.note("the image encoder shows no regions of an image: Co-Attention reads the text only");
            return Ok(Regions::none(cases.len()));
        };
        let mut files: Vec<PathBuf> = Vec::new();
        let mut rows: HashMap<PathBuf, usize> = HashMap::new();
        let of_post = |case: &Case| {
            let file = case.post.images.iter().find_map(|image| corpus.image_path(image))?;
            Some(*rows.entry(file).or_insert_with_key(|file| {
                files.push(file.clone());
                files.len() - 1
            }))
        };
        let of_post: Vec<Option<usize>> = cases.iter().map(of_post).collect();
        let task = progress.task("image regions", Some(files.len() as u64), "images");
        let (mut values, mut stored) = (Vec::new(), Vec::with_capacity(files.len()));
        for chunk in files.chunks(CHUNK) {
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while computing image regions"));
            }
            let read = |worker: &mut Worker, file: &PathBuf| {
                let bytes = std::fs::read(file).ok()?;
                let regions = encoder.regions(worker, &bytes).ok()?;
                Some(regions.into_iter().map(f16::from_f32).collect::<Vec<f16>>())
            };
            let found: Vec<Option<Vec<f16>>> = chunk.par_iter().map_init(|| encoder.worker(), read).collect();
            for regions in found {
                stored.push(regions.map(|regions| {
                    values.extend(regions);
                    (values.len() / (shape[0] * shape[1]) - 1) as u32
                }));
            }
            task.advance(chunk.len() as u64);
        }
        let of_post = of_post.into_iter().map(|row| stored[row?]).collect();
        Ok(Regions { shape, values, of_post })
    }

    /// Length of a region; `None` where no post has an image.
    pub fn length(&self) -> Option<usize> {
        (!self.values.is_empty()).then_some(self.shape[1])
    }

    /// Whether a post has an image.
    pub fn has(&self, post: usize) -> bool {
        self.of_post[post].is_some()
    }

    /// Number of posts that have an image.
    pub fn posts_with(&self) -> usize {
        self.of_post.iter().flatten().count()
    }

    /// Regions `[regions of all posts, length]` of some posts, and where each post's begin, and the end.
    pub fn rows(&self, posts: &[usize]) -> (Dense, Vec<usize>) {
        let mut rows = Dense::new(self.shape[1]);
        let mut offsets = vec![0];
        let size = self.shape[0] * self.shape[1];
        for &post in posts {
            if let Some(image) = self.of_post[post] {
                rows.values.extend(self.values[image as usize * size..][..size].iter().map(|v| v.to_f32()));
            }
            offsets.push(rows.len());
        }
        (rows, offsets)
    }
}
