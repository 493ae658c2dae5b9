//! `images ENCODER THREADS tensors FILE` and `images ENCODER THREADS files LIST`: features of prepared images (the array
//! `images` `[n, 3, height, width]` of a file) or of image files (one path a line).

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use quintet::features::image::{ImageEncoder, Worker};
use serde_json::json;

use crate::arrays::Arrays;
use crate::{Failure, Work, argument};

/// Prepares the row; the answer holds the features, one after the other.
pub fn prepare(arguments: &[String]) -> Result<Work, Failure> {
    let encoder = ImageEncoder::open(&argument::<String>(arguments, 0, "encoder")?)?;
    let threads: usize = argument(arguments, 1, "threads")?;
    let mut workers: Vec<Worker> = (0..threads).map(|_| encoder.worker()).collect();
    let source: String = argument(arguments, 3, "file")?;
    match argument::<String>(arguments, 2, "tensors or files")?.as_str() {
        "tensors" => {
            let images = Arrays::open(Path::new(&source))?.floats("images")?;
            let len = images.shape[1..].iter().product();
            let images: Vec<Vec<f32>> = images.values.chunks(len).map(<[f32]>::to_vec).collect();
            Ok(Box::new(move || {
                let encode = |worker: &mut Worker, image: &Vec<f32>| encoder.encode_tensor(worker, image);
                features(&mut workers, &images, encode)
            }))
        }
        _ => {
            let list = std::fs::read_to_string(&source)?;
            let files: Vec<String> = list.lines().map(ToOwned::to_owned).collect();
            Ok(Box::new(move || {
                let encode = |worker: &mut Worker, file: &String| {
                    encoder.encode(worker, &std::fs::read(file).map_err(|e| e.to_string())?)
                };
                features(&mut workers, &files, encode)
            }))
        }
    }
}

/// The features of all images, each worker on its own thread.
fn features<T: Sync>(
    workers: &mut [Worker],
    images: &[T],
    encode: impl Fn(&mut Worker, &T) -> Result<Vec<f32>, String> + Sync,
) -> Result<serde_json::Value, Failure> {
    let start = std::time::Instant::now();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![Vec::new(); images.len()]);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for worker in workers {
            scope.spawn(|| {
                while let Some((i, image)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, images.get(i)?)))
                {
                    match (encode(worker, image), done.lock(), failure.lock()) {
                        (Ok(feature), Ok(mut done), _) => done[i] = feature,
                        (Err(reason), _, Ok(mut failure)) => *failure = Some(reason),
                        _ => {}
                    }
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    if let Some(reason) = failure.into_inner()? {
        return Err(reason.into());
    }
    Ok(json!({ "seconds": seconds, "features": done.into_inner()? }))
}
