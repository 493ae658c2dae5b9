//! "Bring the pictures that posts refer to": downloads by the rules of `quintet import --fetch-images`.
//!
//! ```text
//! CORPUS/images/fetched/
//!   ledger.jsonl     one line an address that was tried, with what came of it; a later call goes on from it
//!   failures.csv     post_id,url,reason
//!   3f/3fa2...c1.jpg the pictures, named by the hash (BLAKE3) of their bytes
//! ```
//!
//! Nothing is fetched twice, nothing from private addresses, nothing that is no image by its first bytes.

pub mod download;
pub mod ledger;
pub mod pace;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quintet_posts::atomic;
use quintet_posts::error::{AtPath, Error, Result};
use quintet_posts::parquet::PostWriter;
use quintet_posts::progress::Progress;
use quintet_posts::{Corpus, Post};
use serde::Serialize;

use crate::net::Connector;
use crate::net::connect::ConnectOptions;
use download::{Limits, Trouble};
use ledger::{Entry, Ledger};
use pace::Pace;

/// How pictures are fetched.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Requests a second, at most.
    pub per_second: f64,
    /// Requests at a time.
    pub connections: usize,
    /// Largest picture in bytes.
    pub most_bytes: usize,
    /// Time for a picture.
    pub deadline: Duration,
    /// Times a picture is asked for when what went wrong may pass.
    pub tries: u32,
    /// Wait before the second try; it doubles for each further one.
    pub wait: Duration,
    /// Those that failed for good in an earlier call are tried again.
    pub again: bool,
    /// Hosts (with the port where it is not the usual one) that are reached although they are private.
    pub allow_private: Vec<String>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            per_second: 5.0,
            connections: 4,
            most_bytes: 20 << 20,
            deadline: Duration::from_secs(60),
            tries: 3,
            wait: Duration::from_secs(2),
            again: false,
            allow_private: Vec::new(),
        }
    }
}

/// Reasons that a report lists; `failures.csv` has all.
const MAX_REASONS: usize = 20;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// Different addresses that posts refer to and no file was there for.
    pub addresses: u64,
    /// Fetched in this call.
    pub fetched: u64,
    /// Were there from an earlier call.
    pub known: u64,
    /// Failed, in this call or for good in an earlier one.
    pub failed: u64,
    /// Not tried, because the person stopped.
    pub left: u64,
    /// Bytes fetched in this call.
    pub bytes: u64,
    /// Posts whose first image has a file now.
    pub posts_with_file: u64,
    /// Failures with their numbers, most frequent first.
    pub reasons: Vec<(String, u64)>,
}

impl fmt::Display for FetchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "images: {} fetched ({mib:.1} MiB), {} were there, {} failed",
            self.fetched, self.known, self.failed
        )?;
        for (reason, n) in &self.reasons {
            writeln!(f, "  {n} {reason}")?;
        }
        if self.left > 0 {
            writeln!(f, "  {} not tried yet: the same command goes on", self.left)?;
        }
        Ok(())
    }
}

/// Fetches what the posts of a corpus refer to, as far as it is not there, and enters the files into the corpus.
///
/// # Errors
/// If the corpus cannot be read or written. Pictures that cannot be had are no error. When the person stops it, what was
/// fetched is entered and an error of the kind `Interrupted` says how to go on.
pub fn fetch(corpus: &Corpus, options: &FetchOptions, progress: &dyn Progress) -> Result<FetchReport> {
    if !(options.per_second > 0.0 && options.per_second.is_finite()) {
        return Err(Error::config(format!("{} requests a second is no rate", options.per_second))
            .help("give a number above 0, such as 5"));
    }
    let folder = corpus.root().join("images").join("fetched");
    std::fs::create_dir_all(&folder).at(&folder)?;
    let wanted = wanted(corpus)?;
    let ledger = Ledger::open(&folder)?;
    let todo: Vec<&String> = wanted.iter().filter(|url| ledger.is_open(url, options.again)).collect();
    let mut report = FetchReport { addresses: wanted.len() as u64, ..FetchReport::default() };
    report.known = wanted.iter().filter(|url| ledger.file(url).is_some()).count() as u64;
    let ledger = get_all(&todo, &folder, ledger, options, progress, &mut report)?;
    report.left = wanted.iter().filter(|url| !ledger.knows(url)).count() as u64;
    report.failed = wanted.iter().filter(|url| ledger.reason(url).is_some()).count() as u64;
    enter(corpus, &folder, &ledger, &mut report)?;
    if progress.interrupted() && report.left > 0 {
        let what = format!("stopped; {} images are fetched, {} are left", report.fetched + report.known, report.left);
        return Err(
            Error::interrupted(what).help("`quintet import --fetch-images --into CORPUS` without files goes on")
        );
    }
    Ok(report)
}

/// Addresses of images without a file, each once, in the order of the posts.
fn wanted(corpus: &Corpus) -> Result<Vec<String>> {
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for chunk in corpus.chunks(8192)? {
        for image in chunk?.into_iter().flat_map(|p| p.images).filter(|i| i.path.is_none()) {
            if let Some(url) = image.url.filter(|url| !seen.contains(url)) {
                seen.insert(url.clone());
                all.push(url);
            }
        }
    }
    Ok(all)
}

/// Fetches addresses, several at a time, and writes down what comes of each at once.
fn get_all(
    todo: &[&String],
    folder: &Path,
    ledger: Ledger,
    options: &FetchOptions,
    progress: &dyn Progress,
    report: &mut FetchReport,
) -> Result<Ledger> {
    let connect = ConnectOptions {
        public_only: true,
        except: options.allow_private.clone(),
        deadline: options.deadline.min(Duration::from_secs(30)),
        ..ConnectOptions::default()
    };
    let connector = Connector::new(connect);
    let limits = Limits { bytes: options.most_bytes, time: options.deadline };
    let task = progress.task("images", Some(todo.len() as u64), "images");
    let pace = Pace::new(options.per_second);
    let next = AtomicUsize::new(0);
    let shared = Mutex::new((ledger, Vec::new()));
    let stop = || progress.interrupted();
    let worker = || -> Result<()> {
        while let Some(url) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(outcome) =
                with_tries(url, options, &pace, &stop, || download::download(&connector, url, &limits, &stop))
            else {
                return Ok(());
            };
            let entry = match outcome {
                Ok(image) => {
                    let name = save(folder, &image)?;
                    Entry::fetched(url, &name, image.bytes.len())
                }
                Err(trouble) => Entry::failed(url, &trouble.reason, trouble.passes),
            };
            task.advance(1);
            let mut shared = shared.lock().map_err(|_| Error::internal("a thread that fetched images broke"))?;
            shared.0.add(&entry)?;
            shared.1.push(entry);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.connections.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| {
            w.join().map_err(|_| Error::internal("a thread that fetched images broke")).and_then(|r| r)
        })
    })?;
    let (ledger, entries) = shared.into_inner().map_err(|_| Error::internal("a thread that fetched images broke"))?;
    for entry in entries.iter().filter(|e| e.file.is_some()) {
        report.fetched += 1;
        report.bytes += entry.bytes;
    }
    Ok(ledger)
}

/// Calls until it works, cannot work, or was tried often enough; `None` if the person stopped it.
fn with_tries<T>(
    url: &str,
    options: &FetchOptions,
    pace: &Pace,
    stop: &dyn Fn() -> bool,
    call: impl Fn() -> Option<Result<T, Trouble>>,
) -> Option<Result<T, Trouble>> {
    let mut tried = 0;
    loop {
        if !pace.wait(download::host(url), stop) {
            return None;
        }
        let outcome = call()?;
        tried += 1;
        let Err(trouble) = &outcome else { return Some(outcome) };
        if !trouble.passes || tried >= options.tries {
            return Some(outcome);
        }
        let wait = options.wait.saturating_mul(2u32.saturating_pow(tried - 1)).max(trouble.wait.unwrap_or_default());
        // The whole host rests: the next picture from there would fare the same.
        pace.rest(download::host(url), wait + wait.mul_f64(0.25 * fastrand::f64()));
    }
}

/// Saves a picture under the hash of its bytes; its path from `folder` on.
fn save(folder: &Path, image: &download::Image) -> Result<String> {
    let hash = blake3::hash(&image.bytes).to_hex();
    let name = format!("{}/{hash}.{}", &hash[..2], image.kind);
    let path = folder.join(&name);
    if !path.is_file() {
        atomic::write_bytes(&path, &image.bytes)?;
    }
    Ok(name)
}

/// Enters files into the posts, and failures into their table.
fn enter(corpus: &Corpus, folder: &Path, ledger: &Ledger, report: &mut FetchReport) -> Result<()> {
    let posts_file = corpus.root().join("posts.parquet");
    let mut reasons: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (url, reason) in ledger.failures() {
        reasons.entry(reason).or_default().insert(url);
    }
    report.reasons = reasons.into_iter().map(|(reason, urls)| (reason.to_owned(), urls.len() as u64)).collect();
    report.reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    report.reasons.truncate(MAX_REASONS);
    let mut failures = String::from("post_id,url,reason\n");
    let mut with_file = 0u64;
    let mut change = |post: &mut Post| {
        for image in post.images.iter_mut().filter(|i| i.path.is_none()) {
            let Some(url) = &image.url else { continue };
            if let Some(file) = ledger.file(url) {
                image.path = Some(format!("images/fetched/{file}"));
            } else if let Some(reason) = ledger.reason(url) {
                failures += &[&post.id, url, reason].map(quoted).join(",");
                failures.push('\n');
            }
        }
        with_file += u64::from(post.images.first().is_some_and(|i| i.path.is_some()));
    };
    let chunks = corpus.chunks(8192)?;
    atomic::write(&posts_file, |out| {
        let mut table = PostWriter::new(out, &posts_file)?;
        for chunk in chunks {
            for mut post in chunk? {
                change(&mut post);
                table.push(post)?;
            }
        }
        table.finish().map(drop)
    })?;
    report.posts_with_file = with_file;
    atomic::write_bytes(&folder.join("failures.csv"), failures.as_bytes())
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
