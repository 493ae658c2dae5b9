//! The regions of the posts' images, in memory and, while a corpus is learned from, beside its features.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use half::f16;
use rayon::prelude::*;

use super::super::cases::Case;
use crate::atomic;
use crate::error::{AtPath, Error, Result};
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

    /// Those of the first readable image of each post. With `kept` they are read from, or written to,
    /// `CORPUS/features/regions-<hash>.bin`: a file for these images and this encoder.
    ///
    /// # Errors
    /// If the file cannot be written, or the person stops the work.
    pub fn of(
        corpus: &Corpus,
        encoder: &ImageEncoder,
        cases: &[Case],
        kept: bool,
        progress: &dyn Progress,
    ) -> Result<Regions> {
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
        let path = corpus.root().join("features").join(format!("regions-{}.bin", identity(encoder, &files)));
        let (readable, values) = match kept.then(|| read(&path, files.len(), shape)).flatten() {
            Some(found) => found,
            None => {
                let found = compute(encoder, &files, progress)?;
                if kept && !files.is_empty() {
                    write(&path, &found)?;
                }
                found
            }
        };
        let mut next = 0;
        let row_of: Vec<Option<u32>> = readable
            .into_iter()
            .map(|readable| {
                next += u32::from(readable);
                readable.then(|| next - 1)
            })
            .collect();
        let of_post = of_post.into_iter().map(|row| row_of[row?]).collect();
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

/// Which images could be read, and the regions of those.
type Found = (Vec<bool>, Vec<f16>);

fn compute(encoder: &ImageEncoder, files: &[PathBuf], progress: &dyn Progress) -> Result<Found> {
    let task = progress.task("image regions", Some(files.len() as u64), "images");
    let (mut readable, mut values) = (Vec::with_capacity(files.len()), Vec::new());
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
            readable.push(regions.is_some());
            values.extend(regions.into_iter().flatten());
        }
        task.advance(chunk.len() as u64);
    }
    Ok((readable, values))
}

/// A hash of the encoder and of each image's place, size and time of change.
fn identity(encoder: &ImageEncoder, files: &[PathBuf]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(encoder.cache_name().as_bytes());
    for file in files {
        let stamp = std::fs::metadata(file).map(|m| (m.len(), m.modified().ok())).ok();
        hasher.update(format!("{}\0{stamp:?}\0", file.display()).as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_string()
}

/// A byte an image, the regions of the readable ones, and a checksum of both.
fn write(path: &Path, (readable, values): &Found) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    atomic::write(path, |out| {
        let mut put = |bytes: &[u8]| {
            hasher.update(bytes);
            out.write_all(bytes).at(path)
        };
        put(&readable.iter().map(|&r| u8::from(r)).collect::<Vec<u8>>())?;
        for some in values.chunks(1 << 15) {
            put(&some.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
        }
        out.write_all(hasher.finalize().as_bytes()).at(path)
    })
}

/// What [`write`] wrote; `None` if there is no such file or it is damaged: then it is made anew.
fn read(path: &Path, images: usize, [regions, length]: [usize; 2]) -> Option<Found> {
    let bytes = std::fs::read(path).ok()?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(blake3::OUT_LEN)?)?;
    if blake3::hash(body).as_bytes() != sum {
        return None;
    }
    let (readable, values) = body.split_at_checked(images)?;
    let readable: Vec<bool> = readable.iter().map(|&r| r == 1).collect();
    let values: Vec<f16> = values.as_chunks::<2>().0.iter().map(|&b| f16::from_le_bytes(b)).collect();
    let expected = readable.iter().filter(|r| **r).count() * regions * length;
    (values.len() == expected).then_some((readable, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_kept_and_a_damaged_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.bin");
        let found: Found = (vec![true, false, true], (0..12).map(|i| f16::from_f32(i as f32 / 3.0)).collect());
        write(&path, &found).unwrap();
        assert_eq!(read(&path, 3, [2, 3]), Some(found));
        assert_eq!(read(&path, 2, [2, 3]), None, "other images");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[5] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path, 3, [2, 3]), None);
        assert_eq!(read(&folder.path().join("none.bin"), 3, [2, 3]), None);
    }
}
