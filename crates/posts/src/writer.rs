//! Makes a corpus folder as a whole or not at all: everything is written beside it and moved there at the end.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::corpus::{Corpus, FORMAT, Label, Manifest, Part, write_labels, write_manifest};
use super::forgotten::{self, Order};
use super::parquet::{self, PostWriter};
use super::post::Post;
use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// A corpus being written. Dropping it without [`CorpusWriter::finish`] leaves nothing behind.
pub struct CorpusWriter {
    target: PathBuf,
    staging: TempDir,
    table: PostWriter<BufWriter<File>>,
    manifest: Manifest,
    /// `splits.csv`, once a post is in a part.
    parts: Option<csv::Writer<File>>,
    /// `forgotten.csv`, once something must be.
    forgotten: Option<csv::Writer<File>>,
    labels: Vec<Label>,
}

fn new_table(folder: &Path) -> Result<PostWriter<BufWriter<File>>> {
    let path = folder.join("posts.parquet");
    PostWriter::new(BufWriter::with_capacity(1 << 20, File::create(&path).at(&path)?), &path)
}

/// Where the folder that holds `path` is.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// Refuses to write over a folder that is in use, unless it is a corpus and `replace` allows it.
fn check_target(target: &Path, replace: bool) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(Error::input("there is a file of this name").at(target).help("name another folder"));
    }
    let empty = std::fs::read_dir(target).at(target)?.next().is_none();
    let corpus = target.join("corpus.json").is_file();
    if empty || (corpus && replace) {
        return Ok(());
    }
    let help = if corpus {
        "name another folder, or pass --add or --replace"
    } else {
        "name a folder that does not exist yet"
    };
    let what = if corpus { "there is already a corpus here" } else { "the folder holds other files" };
    Err(Error::input(what).at(target).help(help))
}

impl CorpusWriter {
    /// Starts a corpus that will stand at `target`, named after it. With `replace` an existing corpus gives way at the
    /// end, its features included.
    ///
    /// # Errors
    /// If `target` is in use or the disk refuses.
    pub fn create(target: &Path, synthetic: bool, replace: bool) -> Result<CorpusWriter> {
        check_target(target, replace)?;
        let folder = parent(target);
        std::fs::create_dir_all(folder).at(folder)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".quintet-corpus-").suffix(".tmp");
        // Temporary folders are private by default; this one stays, with the permissions of an ordinary new folder.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let staging = builder.tempdir_in(folder).at(folder)?;
        let table = new_table(staging.path())?;
        let name = target.file_name().map_or_else(|| "corpus".into(), |n| n.to_string_lossy().into_owned());
        let manifest = Manifest { format: FORMAT, name, synthetic, ..Manifest::default() };
        Ok(CorpusWriter {
            target: target.to_owned(),
            staging,
            table,
            manifest,
            parts: None,
            forgotten: None,
            labels: Vec::new(),
        })
    }

    /// The folder as it grows: images and further files go here, by the names they will have in the corpus.
    pub fn root(&self) -> &Path {
        self.staging.path()
    }

    /// The manifest: set `name` and `split` as needed; `sources` is counted from the posts.
    pub fn manifest_mut(&mut self) -> &mut Manifest {
        &mut self.manifest
    }

    /// Appends a post, in `part` if it is in one.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn push(&mut self, post: Post, part: Option<Part>) -> Result<()> {
        *self.manifest.sources.entry(post.source.clone()).or_default() += 1;
        if let Some(part) = part {
            self.put_part(&post.id, part)?;
        }
        self.table.push(post)
    }

    fn put_part(&mut self, id: &str, part: Part) -> Result<()> {
        put_row(&mut self.parts, &self.staging.path().join("splits.csv"), &["post_id", "part"], &[id, part.name()])
    }

    /// Keeps an order to forget, for later imports into this folder; taking posts out is up to the caller.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn forget(&mut self, order: &Order) -> Result<()> {
        let path = self.staging.path().join(forgotten::FILE);
        put_row(&mut self.forgotten, &path, &forgotten::COLUMNS, &order.row())
    }

    /// Goes over all posts again, in their order: `change` gets the row and the post and says its part, or `None` to
    /// leave the post out.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn revise(&mut self, mut change: impl FnMut(u64, &mut Post) -> Option<Option<Part>>) -> Result<()> {
        let root = self.staging.path().to_owned();
        let old = root.join(".unrevised.parquet");
        std::fs::rename(root.join("posts.parquet"), &old).at(&old)?;
        std::mem::replace(&mut self.table, new_table(&root)?)
            .finish()?
            .into_inner()
            .map_err(|e| Error::io(&old, e.into_error()))?;
        self.manifest.sources.clear();
        self.parts = None;
        let mut row = 0;
        for chunk in parquet::read(&old, 8192)? {
            for mut post in chunk? {
                if let Some(part) = change(row, &mut post) {
                    self.push(post, part)?;
                }
                row += 1;
            }
        }
        std::fs::remove_file(&old).at(&old)
    }

    /// Adds a label.
    pub fn label(&mut self, label: Label) {
        self.labels.push(label);
    }

    /// Posts so far.
    pub fn rows(&self) -> u64 {
        self.table.rows()
    }

    /// Puts everything on disk, moves the folder to its place and opens it.
    ///
    /// # Errors
    /// If the disk refuses; then the old folder, if there was one, is still there.
    pub fn finish(self) -> Result<Corpus> {
        let root = self.staging.path();
        let file = self.table.finish()?.into_inner().map_err(|e| Error::io(root, e.into_error()))?;
        file.sync_all().at(root)?;
        for table in [self.parts, self.forgotten].into_iter().flatten() {
            let file = table.into_inner().map_err(|e| Error::io(root, std::io::Error::other(e.to_string())))?;
            file.sync_all().at(root)?;
        }
        if !self.labels.is_empty() {
            write_labels(&root.join("labels.csv"), &self.labels)?;
        }
        write_manifest(root, &self.manifest)?;
        let staged = self.staging.keep();
        swap(&staged, &self.target).inspect_err(|_| {
            // The error of the swap is what the user must see; a leftover folder is hidden and harmless.
            let _ = std::fs::remove_dir_all(&staged);
        })?;
        Corpus::open(&self.target)
    }
}

/// Writes a row to a table that is made, with its header, when its first row comes.
fn put_row(table: &mut Option<csv::Writer<File>>, path: &Path, header: &[&str], row: &[&str]) -> Result<()> {
    let refused = |e: csv::Error| Error::io(path, std::io::Error::other(e));
    if table.is_none() {
        let mut new = csv::Writer::from_path(path).map_err(refused)?;
        new.write_record(header).map_err(refused)?;
        *table = Some(new);
    }
    table.as_mut().map_or(Ok(()), |t| t.write_record(row)).map_err(refused)
}

/// Puts `staged` where `target` is; what stood there is set aside first and removed last.
pub(super) fn swap(staged: &Path, target: &Path) -> Result<()> {
    let folder = parent(target);
    if !target.exists() {
        std::fs::rename(staged, target).at(target)?;
        return atomic::sync_folder(folder);
    }
    let aside = tempfile::Builder::new().prefix(".quintet-old-").suffix(".tmp").tempdir_in(folder).at(folder)?;
    let old = aside.path().join("corpus");
    std::fs::rename(target, &old).at(target)?;
    if let Err(error) = std::fs::rename(staged, target) {
        std::fs::rename(&old, target).at(target)?;
        return Err(Error::io(target, error));
    }
    atomic::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(id: &str) -> Post {
        Post { id: id.into(), text: "x".into(), source: "s".into(), ..Post::default() }
    }

    #[test]
    fn posts_parts_and_labels_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("c");
        let mut writer = CorpusWriter::create(&target, true, false).unwrap();
        writer.push(post("1"), Some(Part::Train)).unwrap();
        writer.push(post("2"), None).unwrap();
        let label = Label { kind: "post".into(), id: "1".into(), name: "a,b".into(), value: "\"x\"\n".into() };
        writer.label(label.clone());
        let corpus = writer.finish().unwrap();
        assert_eq!(corpus.len(), 2);
        assert_eq!(corpus.posts().unwrap(), [post("1"), post("2")]);
        assert_eq!(corpus.parts().unwrap().into_iter().collect::<Vec<_>>(), [("1".to_owned(), Part::Train)]);
        assert_eq!(corpus.labels().unwrap(), [label]);
        assert!(corpus.manifest().synthetic);
        assert_eq!(corpus.manifest().sources["s"], 2);
    }

    #[test]
    fn a_revision_changes_drops_and_reassigns() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
        for id in ["1", "2", "3"] {
            writer.push(post(id), Some(Part::Train)).unwrap();
        }
        let change = |row, post: &mut Post| {
            post.text = format!("{row}");
            (row != 1).then_some((row == 2).then_some(Part::Test))
        };
        writer.revise(change).unwrap();
        let corpus = writer.finish().unwrap();
        let texts: Vec<String> = corpus.posts().unwrap().into_iter().map(|p| p.text).collect();
        assert_eq!(texts, ["0", "2"]);
        assert_eq!(corpus.parts().unwrap().into_iter().collect::<Vec<_>>(), [("3".to_owned(), Part::Test)]);
        assert_eq!(corpus.manifest().sources["s"], 2);
        assert_eq!(std::fs::read_dir(corpus.root()).unwrap().count(), 3, "manifest, posts, splits and nothing else");
    }

    #[cfg(unix)]
    #[test]
    fn a_corpus_has_the_permissions_of_any_new_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let plain = folder.path().join("plain");
        std::fs::create_dir(&plain).unwrap();
        let corpus = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap().finish().unwrap();
        assert_eq!(mode(corpus.root()), mode(&plain));
    }

    #[test]
    fn an_abandoned_corpus_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
        writer.push(post("1"), None).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_corpus_is_replaced_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("c");
        CorpusWriter::create(&target, false, false).unwrap().finish().unwrap();
        assert!(CorpusWriter::create(&target, false, false).is_err());
        let mut writer = CorpusWriter::create(&target, false, true).unwrap();
        writer.push(post("1"), None).unwrap();
        assert_eq!(writer.finish().unwrap().len(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_folder_with_other_files_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(CorpusWriter::create(folder.path(), false, true).is_err());
    }
}
