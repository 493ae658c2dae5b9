//! The loop: change a kept input, run it, keep it if its outcome is new, save it if it panics.

use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::mutate::{Random, mutate};
use crate::targets::Target;

/// When to end, and where failures go.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest time.
    pub time: Duration,
    /// Most executions.
    pub executions: u64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Folder of the inputs that failed; made when there is one.
    pub failures: PathBuf,
    /// Write each input to `TARGET-current` before it is run: slow, but it outlives an abort of the process.
    pub trace: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Inputs that were run.
    pub executions: u64,
    /// Different outcomes.
    pub outcomes: usize,
    /// Time it took.
    pub time: Duration,
    /// Files of inputs that failed, with what happened.
    pub failures: Vec<(PathBuf, String)>,
}

/// An input that takes longer is a failure of its own.
const TOO_LONG: Duration = Duration::from_secs(5);
/// The search ends at this many failures.
const MAX_FAILURES: usize = 10;
/// Kept inputs; a new one takes the place of an old one beyond.
const MAX_KEPT: usize = 4000;

/// Runs a target.
///
/// # Errors
/// If failures cannot be saved.
pub fn run(target: &Target, seeds: Vec<Vec<u8>>, limits: &Limits) -> io::Result<Outcome> {
    let start = Instant::now();
    let mut random = Random(limits.seed);
    let mut outcome = Outcome::default();
    let mut seen = HashSet::new();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut waiting = seeds;
    waiting.reverse();
    let current = limits.failures.join(format!("{}-current", target.name));
    let mut failed = HashSet::new();
    while start.elapsed() < limits.time && outcome.executions < limits.executions {
        let input = match waiting.pop() {
            Some(seed) => seed,
            None if kept.is_empty() => b"{}".to_vec(),
            None => {
                let (a, b) = (random.below(kept.len()), random.below(kept.len()));
                mutate(&kept[a], &kept[b], &mut random)
            }
        };
        if limits.trace {
            std::fs::create_dir_all(&limits.failures)?;
            std::fs::write(&current, &input)?;
        }
        outcome.executions += 1;
        let before = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        let took = before.elapsed();
        let failure = match result {
            Ok(hash) => {
                if seen.insert(hash) {
                    if kept.len() < MAX_KEPT {
                        kept.push(input.clone());
                    } else {
                        let at = random.below(kept.len());
                        kept[at].clone_from(&input);
                    }
                }
                // Asked twice, because the process may only have been stopped for a while.
                let again = || {
                    let before = Instant::now();
                    (target.run)(&input);
                    before.elapsed()
                };
                (took > TOO_LONG && again() > TOO_LONG).then(|| format!("took {:.1} s", took.as_secs_f64()))
            }
            Err(panic) => Some(message(&*panic)),
        };
        if let Some(what) = failure {
            if failed.insert(what.clone()) {
                let path = save(&limits.failures, target.name, &input)?;
                outcome.failures.push((path, what));
            }
            if outcome.failures.len() >= MAX_FAILURES {
                break;
            }
        }
    }
    if limits.trace && current.is_file() {
        std::fs::remove_file(&current)?;
    }
    outcome.outcomes = seen.len();
    outcome.time = start.elapsed();
    Ok(outcome)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("(no message)"))
}

/// Saves an input under a name made of its content.
fn save(folder: &Path, target: &str, input: &[u8]) -> io::Result<PathBuf> {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    let path = folder.join(format!("{target}-{hash:016x}"));
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, input)?;
    Ok(path)
}
