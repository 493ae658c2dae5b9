//! Image features on disk, by content of the image and identity of the encoder.
//!
//! ```text
//! CORPUS/features/images/
//!   files.csv                     which content each file had (so that unchanged files are not read again)
//!   <cache name>/features.bin     records of equal size: blake3 of the image file, feature, checksum
//! ```
//!
//! Records are only ever appended. One that is torn or damaged fails its checksum, is ignored and computed again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::decode::{MAX_FILE_BYTES, too_many_bytes};
use super::stamps::{Stamp, Stamps};
use super::{ImageEncoder, Worker};
use crate::error::{AtPath, Error, Result};
use crate::progress::Progress;

/// Images a thread handles between two appends: what a kill can cost, and how often Ctrl-C is looked at.
const APPEND_EVERY: usize = 32;

/// What became of one image file.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeature {
    /// Hash of the file's content (of its path, if it cannot be read), never 0; equal for equal files.
    pub key: u64,
    /// The unit vector, or why there is none ("truncated JPEG", "no such file").
    pub feature: std::result::Result<Vec<f32>, String>,
}

/// Features on disk, by content of the image and identity of the encoder: `CORPUS/features/images/<cache name>/`.
/// Appends are crash-safe; an interrupted run goes on where it was.
pub struct ImageStore {
    folder: PathBuf,
    stamps: Stamps,
    /// What is in each `features.bin`, by cache name: a corpus that is embedded in chunks asks again and again.
    scanned: HashMap<String, Scanned>,
}

/// The records of a `features.bin` that were checked.
#[derive(Default)]
struct Scanned {
    /// Position of each record, counted in records.
    places: HashMap<blake3::Hash, u64>,
    /// Records in the file, damaged ones included.
    count: u64,
}

/// The content of a file, or why it cannot be read.
type Content = std::result::Result<blake3::Hash, String>;

impl ImageStore {
    /// Opens or makes the store under `folder`.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub fn open(folder: &Path) -> Result<ImageStore> {
        fs::create_dir_all(folder).at(folder)?;
        let stamps = Stamps::open(folder.join("files.csv"));
        Ok(ImageStore { folder: folder.to_owned(), stamps, scanned: HashMap::new() })
    }

    /// Features of `files` in their order; computes what is not stored and stores it. A bad file costs itself only
    /// and is tried again the next time. Files named twice are read once.
    ///
    /// # Errors
    /// If the store cannot be written or the person stops the work (what is done is kept).
    pub fn features(
        &mut self,
        encoder: &ImageEncoder,
        files: &[PathBuf],
        progress: &dyn Progress,
    ) -> Result<Vec<ImageFeature>> {
        let mut workers: Vec<Worker> = (0..rayon::current_num_threads()).map(|_| encoder.worker()).collect();
        let contents = self.contents(files, &mut workers, progress)?;
        let name = encoder.cache_name();
        let scanned = self.scanned.remove(&name).unwrap_or_default();
        let mut records = Records::open(&self.folder.join(&name), encoder.dim(), scanned, progress)?;
        let mut broken: HashMap<blake3::Hash, String> = HashMap::new();

        let mut wanted: Vec<(&Path, blake3::Hash)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for file in files {
            if let Some(Ok(hash)) = contents.get(file.as_path())
                && !records.contains(hash)
                && seen.insert(*hash)
            {
                wanted.push((file, *hash));
            }
        }
        if !wanted.is_empty() {
            let task = progress.task("images", Some(wanted.len() as u64), "images");
            let mut done = 0;
            for chunk in wanted.chunks(APPEND_EVERY * workers.len()) {
                if progress.interrupted() {
                    return Err(Error::interrupted(format!("stopped after {done} of {} images", wanted.len()))
                        .help("what is done is kept; the same command goes on from there"));
                }
                let features = in_parallel(chunk, &mut workers, |worker, (path, hash)| {
                    let feature = encode_file(encoder, worker, path, hash);
                    task.advance(1);
                    feature
                });
                for (&(_, hash), feature) in chunk.iter().zip(features) {
                    match feature {
                        Ok(feature) => records.append(hash, &feature)?,
                        Err(reason) => {
                            broken.insert(hash, reason);
                        }
                    }
                }
                records.flush()?;
                done += chunk.len();
            }
        }
        let found =
            files.iter().map(|file| result_of(file, contents.get(file.as_path()), &mut records, &broken)).collect();
        self.scanned.insert(name, records.scanned);
        found
    }

    /// The content of each distinct file, from `files.csv` where size and time are unchanged.
    fn contents<'a>(
        &mut self,
        files: &'a [PathBuf],
        workers: &mut [Worker],
        progress: &dyn Progress,
    ) -> Result<HashMap<&'a Path, Content>> {
        let mut contents: HashMap<&Path, Content> = HashMap::new();
        let mut unread = Vec::new();
        for file in files.iter().map(PathBuf::as_path) {
            if contents.contains_key(file) {
                continue;
            }
            let found = match fs::metadata(file) {
                Err(e) => Err(unreadable(&e)),
                Ok(m) if !m.is_file() => Err("not a file".to_owned()),
                Ok(m) if m.len() > MAX_FILE_BYTES => Err(too_many_bytes()),
                Ok(m) => {
                    let stamp = Stamp::of(&m);
                    let known = stamp.and_then(|s| self.stamps.get(file, s));
                    known.ok_or_else(|| {
                        unread.push((file, stamp));
                        String::new() // replaced below, once the file is read
                    })
                }
            };
            contents.insert(file, found);
        }
        if unread.is_empty() {
            return Ok(contents);
        }
        let task = progress.task("image files", Some(unread.len() as u64), "files");
        for chunk in unread.chunks(4096) {
            if progress.interrupted() {
                self.stamps.save()?;
                return Err(Error::interrupted("stopped while looking for new images"));
            }
            let hashes = in_parallel(chunk, workers, |_, (file, _)| {
                task.advance(1);
                read(file).map(|bytes| blake3::hash(&bytes))
            });
            for (&(file, stamp), hash) in chunk.iter().zip(hashes) {
                if let (Some(stamp), Ok(hash)) = (stamp, &hash) {
                    self.stamps.insert(file, stamp, *hash);
                }
                contents.insert(file, hash);
            }
        }
        self.stamps.save()?;
        Ok(contents)
    }
}

fn result_of(
    file: &Path,
    content: Option<&Content>,
    records: &mut Records,
    broken: &HashMap<blake3::Hash, String>,
) -> Result<ImageFeature> {
    let (key, feature) = match content {
        Some(Ok(hash)) => (
            key(hash),
            match records.read(hash)? {
                Some(feature) => Ok(feature),
                None => Err(broken.get(hash).cloned().unwrap_or_else(|| "unreadable".to_owned())),
            },
        ),
        Some(Err(reason)) => (key(&blake3::hash(file.as_os_str().as_encoded_bytes())), Err(reason.clone())),
        None => return Err(Error::internal("an image file was lost on the way").at(file)),
    };
    Ok(ImageFeature { key, feature })
}

/// The first eight bytes of a hash, never 0 (which means "missing" in a data set).
fn key(hash: &blake3::Hash) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first).max(1)
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}

/// The whole file, at most one byte over the limit.
fn read(file: &Path) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(|e| unreadable(&e))?;
    open.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    Ok(bytes)
}

fn encode_file(
    encoder: &ImageEncoder,
    worker: &mut Worker,
    path: &Path,
    hash: &blake3::Hash,
) -> std::result::Result<Vec<f32>, String> {
    let bytes = read(path)?;
    if blake3::hash(&bytes) != *hash {
        return Err("changed while it was read".to_owned());
    }
    encoder.encode(worker, &bytes)
}

/// `f` of every item, in order, each worker on its own thread. Not on rayon's pool: a rayon thread that waits for the
/// network's pool takes up other images meanwhile, which stacks their memory.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    workers: &mut [Worker],
    f: impl Fn(&mut Worker, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for worker in workers.iter_mut().take(items.len()) {
            scope.spawn(|| {
                while let Some((i, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
                {
                    let result = f(worker, item);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((i, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The open `features.bin` of one encoder.
struct Records {
    path: PathBuf,
    file: File,
    dim: usize,
    scanned: Scanned,
}

const HASH: usize = 32;
const CHECKSUM: usize = 8;

impl Records {
    /// Opens the file under an exclusive lock (waiting for another process that holds it), checks every record that is
    /// not among the `scanned` ones and cuts off a torn tail.
    fn open(folder: &Path, dim: usize, scanned: Scanned, progress: &dyn Progress) -> Result<Records> {
        fs::create_dir_all(folder).at(folder)?;
        let path = folder.join("features.bin");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).at(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                progress.note("another quintet is computing image features here; waiting for it");
                file.lock().at(&path)?;
            }
            Err(fs::TryLockError::Error(e)) => return Err(Error::io(&path, e)),
        }
        let mut this = Records { path, file, dim, scanned };
        this.scan()?;
        Ok(this)
    }

    fn size(&self) -> usize {
        HASH + self.dim * 4 + CHECKSUM
    }

    fn scan(&mut self) -> Result<()> {
        let size = self.size();
        let count = self.file.metadata().at(&self.path)?.len() / size as u64;
        if count < self.scanned.count {
            // Somebody removed or replaced the file in between.
            self.scanned = Scanned::default();
        }
        self.file.seek(SeekFrom::Start(self.scanned.count * size as u64)).at(&self.path)?;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let mut record = vec![0; size];
        for i in self.scanned.count..count {
            reader.read_exact(&mut record).at(&self.path)?;
            if let Some(hash) = check(&record) {
                self.scanned.places.insert(hash, i);
            }
        }
        self.scanned.count = count;
        self.file.set_len(count * size as u64).at(&self.path)
    }

    fn contains(&self, hash: &blake3::Hash) -> bool {
        self.scanned.places.contains_key(hash)
    }

    fn append(&mut self, hash: blake3::Hash, feature: &[f32]) -> Result<()> {
        let mut record = Vec::with_capacity(self.size());
        record.extend_from_slice(hash.as_bytes());
        record.extend(feature.iter().flat_map(|v| v.to_le_bytes()));
        let sum = checksum(&record);
        record.extend_from_slice(&sum);
        self.file.seek(SeekFrom::Start(self.scanned.count * self.size() as u64)).at(&self.path)?;
        self.file.write_all(&record).at(&self.path)?;
        self.scanned.places.insert(hash, self.scanned.count);
        self.scanned.count += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.sync_data().at(&self.path)
    }

    fn read(&mut self, hash: &blake3::Hash) -> Result<Option<Vec<f32>>> {
        let Some(&place) = self.scanned.places.get(hash) else { return Ok(None) };
        let mut record = vec![0; self.size()];
        self.file.seek(SeekFrom::Start(place * self.size() as u64)).at(&self.path)?;
        self.file.read_exact(&mut record).at(&self.path)?;
        let values = record[HASH..HASH + self.dim * 4].chunks_exact(4);
        Ok(Some(values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()))
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM]);
    sum
}

/// The hash a record is filed under, if the record is whole.
fn check(record: &[u8]) -> Option<blake3::Hash> {
    let (body, sum) = record.split_at(record.len() - CHECKSUM);
    (checksum(body) == sum).then(|| blake3::Hash::from_slice(&body[..HASH]).ok()).flatten()
}
