//! How long work tells a person where it is, and how a person stops it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Where long work reports to. The command line shows bars; tests and libraries pass [`Silent`].
pub trait Progress: Send + Sync {
    /// Begins a task of `total` units (`None`: not known beforehand), such as `("images", Some(7000), "images")`.
    fn task(&self, label: &str, total: Option<u64>, unit: &'static str) -> Box<dyn Task>;
    /// One line for the person: a warning, a milestone.
    fn note(&self, line: &str);
    /// True once the person has asked to stop; long work saves and returns [`crate::Error::interrupted`].
    fn interrupted(&self) -> bool;
}

/// A task under way; dropping it ends it.
pub trait Task: Send + Sync {
    /// `n` more units are done.
    fn advance(&self, n: u64);
    /// What is going on now, in a few words (a loss, a file name).
    fn message(&self, text: &str);
}

/// Reports nothing; can be told to stop, which tests use.
#[derive(Debug, Default)]
pub struct Silent {
    stop: AtomicBool,
}

impl Silent {
    /// Makes [`Progress::interrupted`] true from now on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct SilentTask;

impl Task for SilentTask {
    fn advance(&self, _: u64) {}
    fn message(&self, _: &str) {}
}

impl Progress for Silent {
    fn task(&self, _: &str, _: Option<u64>, _: &'static str) -> Box<dyn Task> {
        Box::new(SilentTask)
    }
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
