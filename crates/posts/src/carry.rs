//! Brings the image files beside a dump along: copies them into the corpus or keeps where they are.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::folder::Source;
use super::post::ImageRef;
use crate::error::{AtPath, Error, Result};

/// What becomes of image files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// Copied to `images/SOURCE/` in the corpus, which then needs nothing else.
    #[default]
    Copy,
    /// Left where they are; the corpus holds their absolute paths.
    Link,
}

impl FromStr for Images {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "copy" => Ok(Images::Copy),
            "link" => Ok(Images::Link),
            _ => Err(Error::input(format!("`{s}` is no way to bring images along")).help("ways are copy and link")),
        }
    }
}

/// Image files by what became of them. A post keeps the reference to a missing or broken one, so that later stages
/// count it as broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Copied or linked.
    pub taken: u64,
    /// Not there.
    pub missing: u64,
    /// There, but neither JPEG, PNG, GIF nor WebP by their first bytes.
    pub broken: u64,
    /// Paths that lead out of the folder by `..`; the reference is dropped.
    pub outside: u64,
}

/// Carries each file once.
pub struct Carrier {
    images: Images,
    corpus: PathBuf,
    done: HashMap<(String, String), (Option<String>, bool)>,
    /// The ZIP file that images were last taken from.
    zip: Option<(PathBuf, zip::ZipArchive<File>)>,
    /// What became of the files.
    pub carried: Carried,
}

impl Carrier {
    /// Carries into the corpus folder `corpus`.
    pub fn new(images: Images, corpus: &Path) -> Self {
        Carrier { images, corpus: corpus.to_owned(), done: HashMap::new(), zip: None, carried: Carried::default() }
    }

    /// Brings the files of a post along and makes their paths those of the corpus.
    ///
    /// # Errors
    /// If a file cannot be copied (a full disk); a missing or broken image is no error.
    pub fn carry(&mut self, images: &mut Vec<ImageRef>, source: &Source) -> Result<()> {
        for image in images.iter_mut() {
            if let Some(path) = image.path.take() {
                let (path, there) = self.file(path, source)?;
                // Where there is an address, the image is still to be had.
                image.path = path.filter(|_| there || image.url.is_none());
            }
        }
        images.retain(|i| i.path.is_some() || i.url.is_some());
        Ok(())
    }

    /// The path of a file in the corpus, `None` if it may not be read, and whether there is a file.
    fn file(&mut self, path: String, source: &Source) -> Result<(Option<String>, bool)> {
        let key = (source.name.clone(), path);
        if let Some(known) = self.done.get(&key) {
            return Ok(known.clone());
        }
        let missing = self.carried.missing;
        let new = self.take(Path::new(&key.1), source)?;
        let new = (new, self.carried.missing == missing);
        self.done.insert(key, new.clone());
        Ok(new)
    }

    fn take(&mut self, path: &Path, source: &Source) -> Result<Option<String>> {
        if path.components().any(|c| c == Component::ParentDir) {
            self.carried.outside += 1;
            return Ok(None);
        }
        let from = source.root.join(path);
        let inside = path.strip_prefix("images").unwrap_or(path);
        let to = if path.is_absolute() {
            // Absolute paths of many folders may share their last names; a hash of the whole keeps them apart.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            PathBuf::from(format!("{}-{name}", &blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex()[..12]))
        } else {
            inside.to_owned()
        };
        // An export holds the images of a corpus, by source already.
        let kept = source.alone && source.export.is_some() && path.starts_with("images");
        let folder = if kept { PathBuf::from("images") } else { Path::new("images").join(&source.name) };
        let to = folder.join(to);
        let packed = source.archive.as_ref().and_then(|zip| self.in_zip(zip, path));
        let looks = match &packed {
            Some(bytes) => Some(is_image(bytes)),
            None => looks_like_image(&from),
        };
        match looks {
            None => self.carried.missing += 1,
            Some(false) => self.carried.broken += 1,
            Some(true) => {
                self.carried.taken += 1;
                if self.images == Images::Link && packed.is_none() {
                    let whole = std::fs::canonicalize(&from).at(&from)?;
                    return Ok(Some(whole.to_string_lossy().into_owned()));
                }
                let target = self.corpus.join(&to);
                let folder = target.parent().unwrap_or(&self.corpus);
                std::fs::create_dir_all(folder).at(folder)?;
                // Read and written rather than `fs::copy`, which would carry a read-only mode into the corpus.
                let bytes = packed.map_or_else(|| std::fs::read(&from).at(&from), Ok)?;
                match std::fs::read(&target) {
                    Ok(same) if same == bytes => {}
                    // An earlier import brought another file of this name.
                    Ok(_) => return self.beside(&bytes, &to).map(Some),
                    Err(_) => std::fs::write(&target, bytes).at(&target)?,
                }
            }
        }
        Ok(Some(to.to_string_lossy().into_owned()))
    }
}

/// Longest image that is unpacked from a ZIP file.
const MAX_IMAGE: u64 = 64 << 20;

impl Carrier {
    /// The bytes of an image within a ZIP file.
    fn in_zip(&mut self, zip: &Path, path: &Path) -> Option<Vec<u8>> {
        if self.zip.as_ref().is_none_or(|(open, _)| open != zip) {
            self.zip = Some((zip.to_owned(), zip::ZipArchive::new(File::open(zip).ok()?).ok()?));
        }
        let (_, archive) = self.zip.as_mut()?;
        let mut bytes = Vec::new();
        archive.by_name(path.to_str()?).ok()?.take(MAX_IMAGE).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Writes an image beside the one whose name it has; its new name begins with a hash of its content.
    fn beside(&self, bytes: &[u8], to: &Path) -> Result<String> {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let to = to.with_file_name(format!("{}-{name}", &blake3::hash(bytes).to_hex()[..12]));
        let target = self.corpus.join(&to);
        std::fs::write(&target, bytes).at(&target)?;
        Ok(to.to_string_lossy().into_owned())
    }
}

/// Whether a file begins like an image; `None` if it cannot be read.
fn looks_like_image(path: &Path) -> Option<bool> {
    let mut head = Vec::with_capacity(12);
    File::open(path).ok()?.take(12).read_to_end(&mut head).ok()?;
    Some(is_image(&head))
}

/// Whether bytes begin like JPEG, PNG, GIF or WebP.
fn is_image(bytes: &[u8]) -> bool {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    webp || [&b"\xff\xd8\xff"[..], b"\x89PNG", b"GIF8"].iter().any(|magic| bytes.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_once_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dump");
        let corpus = folder.path().join("corpus");
        std::fs::create_dir_all(root.join("images")).unwrap();
        std::fs::write(root.join("images/a.jpg"), b"\xff\xd8\xff rest").unwrap();
        std::fs::write(root.join("images/b.jpg"), b"<html>gone</html>").unwrap();
        let source = Source { name: "dump".into(), root, ..Source::default() };
        let of = |p: &str| ImageRef { path: Some(p.into()), ..ImageRef::default() };
        let mut carrier = Carrier::new(Images::Copy, &corpus);
        let mut images = ["images/a.jpg", "images/a.jpg", "images/b.jpg", "images/c.jpg", "../x.jpg"].map(of).to_vec();
        carrier.carry(&mut images, &source).unwrap();
        assert_eq!(carrier.carried, Carried { taken: 1, missing: 1, broken: 1, outside: 1 });
        let paths: Vec<&str> = images.iter().filter_map(|i| i.path.as_deref()).collect();
        assert_eq!(paths, ["images/dump/a.jpg", "images/dump/a.jpg", "images/dump/b.jpg", "images/dump/c.jpg"]);
        assert!(corpus.join(paths[0]).is_file() && !corpus.join(paths[2]).exists());

        // Every post whose file is missing keeps the address alone, not the first one only.
        let remote = ImageRef { url: Some("https://x.example/c".into()), ..of("images/c.jpg") };
        for _ in 0..2 {
            let mut images = vec![remote.clone()];
            carrier.carry(&mut images, &source).unwrap();
            assert_eq!((images[0].path.as_deref(), images[0].url.is_some()), (None, true));
        }

        let mut linked = vec![of("images/a.jpg")];
        Carrier::new(Images::Link, &corpus).carry(&mut linked, &source).unwrap();
        assert!(Path::new(linked[0].path.as_deref().unwrap()).is_absolute());
    }
}
