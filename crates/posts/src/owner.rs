//! Whose personal archive of X it is: `account.js` and `profile.js`, in a folder or in a ZIP file.
//!
//! The tweets in an archive name no author and no image file; both follow from where they lie. The files also hold the
//! account's mail address and telephone number: nothing but the fields of [`Author`] is looked at.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::folder::Source;
use super::formats::json::Json;
use super::post::{Author, Post};

/// Longest file that is read for it.
const MAX: u64 = 1 << 20;

/// The owner of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    author: Author,
    /// Folder of the images of tweets, from the source's root or within the ZIP file.
    media: Option<String>,
}

/// Where the files of an archive are.
enum Place<'a> {
    Folder(&'a Path),
    Zip(zip::ZipArchive<File>),
}

impl Place<'_> {
    /// The text of a file, by its path from the root with `/`.
    fn read(&mut self, path: &str) -> Option<String> {
        let mut text = String::new();
        match self {
            Place::Folder(root) => File::open(root.join(path)).ok()?.take(MAX).read_to_string(&mut text).ok()?,
            Place::Zip(zip) => zip.by_name(path).ok()?.take(MAX).read_to_string(&mut text).ok()?,
        };
        Some(text)
    }

    fn has_folder(&self, path: &str) -> bool {
        match self {
            Place::Folder(root) => root.join(path).is_dir(),
            Place::Zip(zip) => zip.file_names().flatten().any(|name| name.starts_with(&format!("{path}/"))),
        }
    }
}

impl Owner {
    /// The owner, if the source is an archive of X.
    pub fn of(source: &Source) -> Option<Owner> {
        let (mut place, account) = if source.folder {
            let account = source.unread.iter().chain(&source.files).find(|p| p.ends_with("account.js"))?;
            let inside = account.strip_prefix(&source.root).ok()?.to_string_lossy().replace('\\', "/");
            (Place::Folder(&source.root), inside)
        } else {
            let zip = zip::ZipArchive::new(File::open(source.archive.as_ref()?).ok()?).ok()?;
            let is_account = |name: &str| name == "account.js" || name.ends_with("/account.js");
            let account = zip.file_names().flatten().find(|name| is_account(name))?.into_owned();
            (Place::Zip(zip), account)
        };
        let folder = account.strip_suffix("account.js").unwrap_or_default();
        let mut author = author(&place.read(&account)?)?;
        if let Some(profile) = place.read(&format!("{folder}profile.js")) {
            add_profile(&mut author, &profile);
        }
        let media = ["tweets_media", "tweet_media"].map(|name| format!("{folder}{name}"));
        Some(Owner { author, media: media.into_iter().find(|m| place.has_folder(m)) })
    }

    /// Gives a post of the archive its author and its images their files.
    pub fn adopt(&self, post: &mut Post) {
        if post.author.is_some() {
            return;
        }
        post.author = Some(self.author.clone());
        let Some(media) = &self.media else { return };
        for image in &mut post.images {
            let name = image.url.as_deref().and_then(|url| url.rsplit('/').next());
            image.path = name.map(|name| format!("{media}/{}-{name}", post.id));
        }
    }
}

/// The first element of the list that a file assigns, and in it the object of that name.
fn first<T>(text: &str, name: &str, take: impl FnOnce(&Json) -> Option<T>) -> Option<T> {
    let list: Json = serde_json::from_str(text.get(text.find('[')?..)?.trim_end().trim_end_matches(';')).ok()?;
    take(list.as_list()?.first()?.get(name)?)
}

fn text_of(json: &Json, key: &str) -> Option<String> {
    json.get(key)?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn author(text: &str) -> Option<Author> {
    first(text, "account", |account| {
        Some(Author {
            id: text_of(account, "accountId")?,
            handle: text_of(account, "username"),
            name: text_of(account, "accountDisplayName"),
            created_at: text_of(account, "createdAt").and_then(|t| t.parse().ok()),
            ..Author::default()
        })
    })
}

fn add_profile(author: &mut Author, text: &str) {
    let found = first(text, "profile", |profile| {
        let about = profile.get("description")?;
        Some((text_of(about, "bio"), text_of(about, "location")))
    });
    if let Some((bio, location)) = found {
        (author.description, author.location) = (bio, location);
    }
}

/// The path of a ZIP file, if `path` is one.
pub fn zip_at(path: &Path) -> Option<PathBuf> {
    let mut head = [0; 4];
    let zip = File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && head == *b"PK\x03\x04";
    zip.then(|| path.to_owned())
}
