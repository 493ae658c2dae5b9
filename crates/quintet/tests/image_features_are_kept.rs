//! Promise: image features are computed once, survive a kill, and depend on nothing but the image.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use quintet::ErrorKind;
use quintet::features::image::{ImageEncoder, ImageFeature, ImageStore};
use quintet::progress::Silent;

const SHIPPED: &str = "efficientnet-lite0";

fn draw(folder: &Path, n: u32) -> Vec<PathBuf> {
    (0..n)
        .map(|i| {
            let path = folder.join(format!("{i}.png"));
            let image = image::RgbImage::from_fn(40 + i, 30, |x, y| {
                image::Rgb([(x * (i + 3)) as u8, (y * 7) as u8, (i * 40) as u8])
            });
            image.save(&path).unwrap();
            path
        })
        .collect()
}

fn features(store: &Path, files: &[PathBuf], threads: usize) -> Vec<ImageFeature> {
    let encoder = ImageEncoder::open(SHIPPED).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| ImageStore::open(store).unwrap().features(&encoder, files, &Silent::default()).unwrap())
}

fn records(store: &Path) -> PathBuf {
    let folder = fs::read_dir(store).unwrap().flatten().find(|e| e.path().is_dir()).unwrap();
    folder.path().join("features.bin")
}

#[test]
fn a_feature_depends_on_nothing_but_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let files = draw(folder.path(), 5);
    let together = features(&folder.path().join("a"), &files, 2);
    let reversed: Vec<_> = files.iter().rev().cloned().collect();
    let mut other_order = features(&folder.path().join("b"), &reversed, 3);
    other_order.reverse();
    assert_eq!(together, other_order);
    let alone = features(&folder.path().join("c"), &files[2..3], 1);
    assert_eq!(together[2], alone[0]);
    let norm: f32 = together[0].feature.as_ref().unwrap().iter().map(|v| v * v).sum();
    assert!((norm - 1.0).abs() < 1e-5);
    assert_ne!(together[0].feature, together[1].feature);
}

#[test]
fn equal_files_are_one_image_and_bad_files_cost_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = draw(folder.path(), 2);
    let copy = folder.path().join("copy.jpg");
    fs::copy(&files[0], &copy).unwrap();
    let text = folder.path().join("text.png");
    fs::write(&text, "no image at all").unwrap();
    files.extend([copy, text, folder.path().join("absent.png"), folder.path().to_owned(), files[1].clone()]);
    let store = folder.path().join("store");
    let got = features(&store, &files, 2);
    assert_eq!(got[0], got[2]);
    assert_eq!(got[1], got[6]);
    assert_eq!(got[3].feature, Err("not a JPEG, PNG, WebP or GIF".to_owned()));
    assert_eq!(got[4].feature, Err("no such file".to_owned()));
    assert_eq!(got[5].feature, Err("not a file".to_owned()));
    assert!(got.iter().all(|f| f.key != 0));
    assert_eq!(fs::metadata(records(&store)).unwrap().len(), 2 * (32 + 1280 * 4 + 8));
}

#[test]
fn a_torn_or_damaged_record_is_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = draw(folder.path(), 4);
    let store = folder.path().join("store");
    let first = features(&store, &files, 2);
    let records = records(&store);
    let mut bytes = fs::read(&records).unwrap();
    bytes.truncate(bytes.len() - 100); // torn by a kill
    bytes[5200] ^= 1; // a flipped bit in the second record
    fs::write(&records, &bytes).unwrap();
    assert_eq!(features(&store, &files, 2), first);
    let size = fs::metadata(&records).unwrap().len();
    assert_eq!(features(&store, &files, 1), first);
    assert_eq!(fs::metadata(&records).unwrap().len(), size, "nothing was left to compute");
}

#[test]
fn unchanged_files_are_not_read_again_and_changed_ones_are() {
    let folder = tempfile::tempdir().unwrap();
    let files = draw(folder.path(), 2);
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let set_time = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    files.iter().for_each(|f| set_time(f));
    let store = folder.path().join("store");
    let first = features(&store, &files, 2);
    // Same size, same time, other content: only a reader would notice.
    let size = fs::metadata(&files[0]).unwrap().len() as usize;
    fs::write(&files[0], vec![0; size]).unwrap();
    set_time(&files[0]);
    assert_eq!(features(&store, &files, 2), first);
    fs::write(&files[0], vec![0; size]).unwrap();
    let after = features(&store, &files, 2);
    assert!(after[0].feature.is_err());
    assert_eq!(after[1], first[1]);
}

#[test]
fn stopping_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let files = draw(folder.path(), 2);
    let encoder = ImageEncoder::open(SHIPPED).unwrap();
    let progress = Silent::default();
    progress.stop();
    let store = folder.path().join("store");
    let error = ImageStore::open(&store).unwrap().features(&encoder, &files, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(features(&store, &files, 2).iter().all(|f| f.feature.is_ok()));
}

#[test]
fn an_open_store_sees_what_others_add_or_remove() {
    let folder = tempfile::tempdir().unwrap();
    let files = draw(folder.path(), 4);
    let path = folder.path().join("store");
    let encoder = ImageEncoder::open(SHIPPED).unwrap();
    let mut open = ImageStore::open(&path).unwrap();
    let ask = |store: &mut ImageStore, files: &[PathBuf]| store.features(&encoder, files, &Silent::default()).unwrap();
    let first = ask(&mut open, &files[..2]);
    let of_others = features(&path, &files[2..], 1);
    let length = |path: &Path| fs::metadata(records(path)).unwrap().len();
    let before = length(&path);
    assert_eq!(ask(&mut open, &files[2..]), of_others);
    assert_eq!(length(&path), before, "nothing is computed twice");
    fs::remove_file(records(&path)).unwrap();
    assert_eq!(ask(&mut open, &files[..2]), first);
}
