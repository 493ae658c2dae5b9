//! The one error type: what went wrong, where, and the way out.

use std::fmt;

/// Why a forest could not be grown, read or asked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Sizes that do not fit together.
    Shape {
        /// What does not fit what, with both numbers.
        what: String,
    },
    /// A feature is NaN or infinite.
    NotFinite {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// A label is not below the number of classes.
    Label {
        /// Row, counted from 0.
        row: usize,
        /// What stands there.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// An option has an impossible value.
    Option {
        /// Name of the field of [`Options`](crate::Options).
        name: &'static str,
        /// What is wrong with its value and what is accepted.
        what: String,
    },
    /// What was read is not a forest.
    Stored {
        /// What contradicts what.
        what: String,
    },
    /// The caller's progress function asked to stop.
    Stopped,
}

impl Error {
    pub(crate) fn shape(what: impl Into<String>) -> Self {
        Error::Shape { what: what.into() }
    }

    pub(crate) fn stored(what: impl Into<String>) -> Self {
        Error::Stored { what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape { what } => f.write_str(what),
            Error::NotFinite { row, column, value } => write!(
                f,
                "row {row}, column {column} (from 0): the feature is {value}\n  \
                 help: a forest needs finite numbers; replace missing values (with zeros, say) before"
            ),
            Error::Label { row, label, classes } => write!(
                f,
                "row {row} (from 0): label {label}, but there are {classes} classes\n  \
                 help: labels count from 0, the largest is one less than the number of classes"
            ),
            Error::Option { name, what } => write!(f, "option `{name}`: {what}"),
            Error::Stored { what } => {
                write!(f, "this is not a forest that can be used: {what}\n  help: fit and store it again")
            }
            Error::Stopped => f.write_str("growing the forest was stopped"),
        }
    }
}

impl std::error::Error for Error {}
