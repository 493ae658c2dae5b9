//! What a collection run brought: for people (text) and for programs (JSON).

use std::fmt;

use quintet_posts::Component;
use serde::Serialize;

use crate::store::state::Counts;

/// What a run brought.
#[derive(Clone, Debug, Serialize)]
pub struct CollectReport {
    /// Folder of the collection.
    pub folder: String,
    /// Why it ended.
    pub ended: String,
    /// Seconds it took.
    pub seconds: f64,
    /// What came in this run.
    pub run: Counts,
    /// What came since the collection began.
    pub total: Counts,
    /// Lines in all raw files.
    pub lines: u64,
    /// Lines that an earlier run had written but not acknowledged before it was killed, and that are saved now.
    pub rescued: u64,
    /// Acknowledged lines of an earlier run that are gone: the disk lost them or a file was changed.
    pub missing: u64,
    /// Where the next run goes on.
    pub cursor: Option<String>,
}

impl fmt::Display for CollectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.run;
        writeln!(f, "{}: {} after {:.0} s", self.folder, self.ended, self.seconds)?;
        writeln!(f, "  posts        {} seen, {} kept", run.posts, run.kept)?;
        for component in Component::ALL {
            let n = run.components[component];
            writeln!(f, "  {:<12} {n} ({:.1} %)", component.name(), percent(n, run.posts))?;
        }
        writeln!(f, "  all five     {} ({:.1} %)", run.all, percent(run.all, run.posts))?;
        writeln!(f, "  messages     {}, of them {} deletes", run.messages, run.deletes)?;
        writeln!(f, "  connections  {}", run.connections)?;
        for (count, what) in [
            (run.duplicates, "messages came twice and were left out"),
            (run.unreadable, "messages are no JSON; they are saved as they came"),
            (run.too_long, "messages were too long and are lost"),
            (run.undelivered, "messages were not delivered, the service says"),
            (run.gap_seconds, "seconds without connection were not replayed"),
            (self.rescued, "lines of a killed run were saved"),
            (self.missing, "acknowledged lines of an earlier run are gone: look at the disk"),
        ] {
            if count > 0 {
                writeln!(f, "  {count} {what}")?;
            }
        }
        write!(f, "  in all {} lines; read them with `quintet import {}/raw --into CORPUS`", self.lines, self.folder)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
