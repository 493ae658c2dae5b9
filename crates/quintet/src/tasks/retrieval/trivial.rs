//! The trivial baseline of retrieval: a random order of the candidates.

use super::evaluation::Task;
use crate::metrics::{Chance, Draw, Summary};

/// Expected figures of a random order, exact for the number of candidates and of right answers of every query.
pub(super) fn chance(task: &Task) -> Summary {
    let candidates = task.candidates.len();
    Chance::of(task.queries.iter().map(|q| Draw { candidates, right: q.right.len() })).summary()
}
