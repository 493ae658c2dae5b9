//! Writes a report to a file, whole or not at all.

use std::path::Path;

use quintet_report::Report;

use crate::atomic;
use crate::error::{Error, Result};

/// Writes the report as the extension of `path` says: `html`, `md` or `json`.
///
/// # Errors
/// If the extension is another one or the file cannot be written.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let content = match extension(path)? {
        "html" => report.html(),
        "md" => report.markdown(),
        _ => report.json().map_err(|e| Error::internal(format!("the report has no JSON form: {e}")))?,
    };
    atomic::write_bytes(path, content.as_bytes())
}

/// The form that a file's name asks for; long work asks before it begins.
///
/// # Errors
/// If it is no form of a report.
pub fn extension(path: &Path) -> Result<&'static str> {
    let known = ["html", "md", "json"].into_iter().find(|known| path.extension().is_some_and(|e| e == *known));
    known.ok_or_else(|| {
        Error::input("a report cannot be written in this format").at(path).help("name the file .html, .md or .json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_the_form() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| write(&Report::new("A run").text("x"), &folder.path().join(name));
        let starts = |name: &str, with: &str| {
            write(name).unwrap();
            assert!(std::fs::read_to_string(folder.path().join(name)).unwrap().starts_with(with), "{name}");
        };
        starts("a.html", "<!DOCTYPE html>");
        starts("a.md", "# A run");
        starts("a.json", "{");
        assert!(write("a.pdf").unwrap_err().way_out().is_some_and(|h| h.contains(".html")));
    }
}
