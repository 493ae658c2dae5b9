//! The one error type: what went wrong, where, and the way out.

use std::fmt;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is; decides the exit status of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user's input (a file, a line, a value) cannot be used.
    Input,
    /// The configuration has an unknown key or an impossible value.
    Config,
    /// The operating system refused (missing file, full disk, no permission).
    Io,
    /// Ctrl-C: the state is saved and the command can be resumed.
    Interrupted,
    /// A bug of ours.
    Internal,
}

/// What happened, where, and what the user can do about it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    place: Option<String>,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Error { kind, what: what.into(), place: None, help: None, source: None }
    }

    /// The user's input cannot be used.
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, what)
    }

    /// A configuration value cannot be used.
    pub fn config(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, what)
    }

    /// Stopped by Ctrl-C with the state saved.
    pub fn interrupted(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, what)
    }

    /// Something that cannot happen happened: our bug.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, what)
    }

    /// The operating system refused an operation on `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io, source.to_string());
        error.help = way_out(source.kind()).map(str::to_owned);
        error.place = Some(path.display().to_string());
        error.source = Some(Box::new(source));
        error
    }

    /// Adds the file the error is about.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.place = Some(path.display().to_string());
        self
    }

    /// Adds the file and the line (counted from 1) the error is about.
    #[must_use]
    pub fn at_line(mut self, path: &Path, line: u64) -> Self {
        self.place = Some(format!("{}:{line}", path.display()));
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file (and line) the error is about, if there is one.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The way out, if there is one.
    pub fn way_out(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What happened, without place and help.
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// What a person can do about what the operating system refused, where that is the same everywhere.
fn way_out(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind as Kind;
    Some(match kind {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            "make room or name a folder on another disk, and run the command again"
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "name a folder or file that you may use",
        Kind::NotADirectory => "a part of this path is a file: name another folder",
        _ => return None,
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        if self.kind == ErrorKind::Internal {
            f.write_str("\n  this is a bug in quintet; please report it with the command you ran")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

/// Adds the path to results of the operating system: `file.sync_all().at(path)?`.
pub trait AtPath<T> {
    /// Turns an I/O error into an [`Error`] that names `path`.
    fn at(self, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|e| Error::io(&path.into(), e))
    }
}
