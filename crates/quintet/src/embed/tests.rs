//! The file of vectors without a model: what is written is read back, whatever the chunks were.

use std::fs;
use std::path::Path;

use quintet_kernels::rng::Rng;

use super::corpus::{merge_numpy, merge_parquet};
use super::parts::Parts;
use super::table::{Embedded, GROUP, Meta, read};
use super::{Embeddings, Summary};
use crate::component::{Component, PerComponent};
use crate::error::Result;
use crate::features::Status;

const DIM: usize = 5;

fn meta(f16: bool) -> Meta {
    Meta {
        model: "0123".into(),
        corpus: "made up".into(),
        synthetic: true,
        components: vec![Component::Text, Component::Image, Component::User],
        dim: DIM,
        f16,
    }
}

/// `posts` posts with random vectors for about half of the components; every seventh has nothing.
fn posts(posts: usize) -> Embedded {
    let mut rng = Rng::new(7, &[]);
    let mut out = Embedded {
        ids: (0..posts).map(|i| format!("post {i}")).collect(),
        status: vec![PerComponent::default(); posts],
        embeddings: Embeddings::empty(DIM, posts),
    };
    for post in 0..posts {
        for &c in &meta(false).components {
            out.status[post][c] = Status::Broken;
            if post % 7 != 0 && rng.chance(0.5) {
                let raw: Vec<f32> = (0..DIM).map(|_| rng.normal() as f32).collect();
                let norm = raw.iter().map(|v| v * v).sum::<f32>().sqrt();
                out.embeddings.set(c, post, &raw.iter().map(|v| v / norm).collect::<Vec<f32>>());
                out.status[post][c] = Status::Inferred;
            }
        }
    }
    out
}

/// Posts `range` of `all`.
fn slice(all: &Embedded, range: std::ops::Range<usize>) -> Embedded {
    let mut out = Embedded {
        ids: all.ids[range.clone()].to_vec(),
        status: all.status[range.clone()].to_vec(),
        embeddings: Embeddings::empty(DIM, range.len()),
    };
    for (i, post) in range.enumerate() {
        for c in Component::ALL {
            if let Some(vector) = all.embeddings.vector(c, post) {
                out.embeddings.set(c, i, vector);
            }
        }
    }
    out
}

fn write(all: &Embedded, chunk: usize, meta: &Meta, into: &Path) -> Result<Summary> {
    let parts = Parts::open(into, "key")?;
    let n = all.ids.len();
    let mut chunks = 0;
    for start in (0..n).step_by(chunk) {
        parts.write(chunks, meta, &slice(all, start..(start + chunk).min(n)))?;
        chunks += 1;
    }
    assert_eq!(parts.rows(chunks)?, n);
    let numpy = into.extension().is_some_and(|e| e == "npy");
    let merge = if numpy { merge_numpy } else { merge_parquet };
    let summary = merge(&parts, chunks, meta, into)?;
    parts.remove()?;
    Ok(summary)
}

fn folder() -> tempfile::TempDir {
    match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(e) => panic!("no temporary folder: {e}"),
    }
}

/// Chunks that end before, at and after the end of a row group, and a chunk for everything.
#[test]
fn the_bytes_do_not_depend_on_the_chunks() -> Result<()> {
    let all = posts(GROUP + 100);
    let folder = folder();
    let mut files = Vec::new();
    for chunk in [700, GROUP - 1, GROUP, GROUP + 1, 2 * GROUP] {
        let path = folder.path().join(format!("{chunk}.parquet"));
        write(&all, chunk, &meta(false), &path)?;
        files.push(fs::read(&path).unwrap_or_default());
    }
    assert!(!files[0].is_empty() && files.iter().all(|f| *f == files[0]));
    let left: Vec<_> = fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 5, "no part is left over: {left:?}");
    Ok(())
}

#[test]
fn what_was_written_is_read() -> Result<()> {
    let all = posts(100);
    let folder = folder();
    let path = folder.path().join("vectors.parquet");
    let summary = write(&all, 33, &meta(false), &path)?;
    let (read_meta, read) = read(&path)?;
    assert_eq!(read_meta, meta(false));
    assert_eq!(read.ids, all.ids);
    assert_eq!(read.status, all.status);
    for post in 0..100 {
        for c in Component::ALL {
            assert_eq!(read.embeddings.vector(c, post), all.embeddings.vector(c, post));
        }
    }
    assert_eq!(summary.posts, 100);
    assert!(summary.none >= 15 && summary.none + summary.partial + summary.complete == 100);
    let of_text: u64 = summary.statuses[0].1.iter().map(|(_, n)| n).sum();
    assert_eq!((summary.statuses.len(), of_text), (3, 100));
    Ok(())
}

#[test]
fn half_precision_is_within_its_promise() -> Result<()> {
    let all = posts(100);
    let folder = folder();
    let path = folder.path().join("vectors.parquet");
    write(&all, 64, &meta(true), &path)?;
    let (read_meta, read) = read(&path)?;
    assert!(read_meta.f16);
    let mut compared = 0;
    for post in 0..100 {
        for c in Component::ALL {
            let (a, b) = (all.embeddings.vector(c, post), read.embeddings.vector(c, post));
            assert_eq!(a.is_some(), b.is_some());
            for (x, y) in a.into_iter().flatten().zip(b.into_iter().flatten()) {
                // Relative error 2^-11 for normal numbers; below 2^-14 the spacing is fixed.
                assert!((x - y).abs() <= x.abs() / 2048.0 + 2f32.powi(-25), "{x} {y}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100);
    Ok(())
}

#[test]
fn numpy_has_a_row_per_post() -> Result<()> {
    let all = posts(100);
    let folder = folder();
    let path = folder.path().join("vectors.npy");
    write(&all, 33, &meta(false), &path)?;
    let bytes = fs::read(&path).unwrap_or_default();
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("(100, 5)"));
    let numbers: Vec<f32> =
        bytes[128..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(numbers.len(), 100 * DIM);
    for (post, row) in numbers.chunks_exact(DIM).enumerate() {
        match all.embeddings.average(post) {
            Some(average) => assert_eq!(row, average),
            None => assert!(row.iter().all(|v| v.is_nan())),
        }
    }
    let ids = fs::read_to_string(folder.path().join("vectors.ids.txt")).unwrap_or_default();
    assert_eq!(ids.lines().collect::<Vec<_>>(), all.ids);
    Ok(())
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = folder();
    let path = folder.path().join("vectors.parquet");
    fs::write(&path, b"not parquet").unwrap_or_default();
    let error = read(&path).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("vectors.parquet") && error.contains("help:"), "{error}");
}
