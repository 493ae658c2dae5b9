//! Exit status: a documented enum.

use std::process::ExitCode;

use quintet::{Error, ErrorKind};

/// How `quintet` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The user's input is at fault, or a check failed.
    Failed = 1,
    /// The command line or the configuration is at fault.
    Usage = 2,
    /// Ctrl-C, with the state saved.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Exit {
        match error.kind() {
            ErrorKind::Config => Exit::Usage,
            ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}
