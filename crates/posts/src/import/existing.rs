//! The corpus that an import adds to: its posts come first, with their parts, labels and images.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::super::corpus::Corpus;
use super::super::extract;
use super::super::facts::Facts;
use super::super::folder::Source;
use super::super::merge::Origin;
use super::Import;
use super::parsed::BATCH_RECORDS;
use crate::error::{AtPath, Error, Result};

impl Import<'_> {
    /// Takes in what is in `corpus` already. A post of a source that is imported again, by its name, joins that source.
    pub(super) fn existing(&mut self, corpus: &Corpus, sources: &[Source]) -> Result<()> {
        if corpus.manifest().synthetic {
            return Err(Error::input("the corpus is synthetic; real posts are not mixed with it")
                .at(corpus.root())
                .help("import into another folder"));
        }
        if let Some(source) = sources.iter().find(|s| s.export.as_ref().is_some_and(|e| e.synthetic)) {
            return Err(Error::input("these posts are synthetic; they are not mixed with real ones")
                .at(&source.root)
                .help("import them into another folder"));
        }
        let mut names: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        names.extend(
            corpus.manifest().sources.keys().map(String::as_str).filter(|n| !names.contains(n)).collect::<Vec<_>>(),
        );
        let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(number, name)| (*name, number)).collect();
        let parts = corpus.parts()?;
        for chunk in corpus.chunks(BATCH_RECORDS)? {
            if self.progress.interrupted() {
                return Err(Error::interrupted("import stopped; the corpus is as it was"));
            }
            let posts = chunk?;
            let facts: Vec<Facts> = posts.par_iter().map(|post| Facts::of(post, true)).collect();
            for (mut post, facts) in posts.into_iter().zip(facts) {
                let number = numbers.get(post.source.as_str()).and_then(|n| u16::try_from(*n).ok());
                let number = number.ok_or_else(|| Error::input("more than 65,535 sources").help("import fewer"))?;
                let name = post.source.clone();
                let cut = extract::looks_cut(&post.text);
                let origin = Origin { source: number, name: &name, native: false, cut, edited: None };
                self.seen.place(&mut post, &facts, origin);
                self.tally.add(&post, &facts);
                let part = parts.get(&post.id).copied();
                self.parts.push(part);
                self.writer.push(post, part)?;
                self.existing += 1;
            }
        }
        self.report.rows.existing = self.existing;
        bring(&corpus.root().join("images"), &self.writer.root().join("images"))
    }

    /// Keeps the labels of posts and authors that are still there.
    pub(super) fn old_labels(&mut self, corpus: Option<&Corpus>) -> Result<()> {
        let Some(corpus) = corpus else { return Ok(()) };
        for label in corpus.labels()? {
            let stays = match label.kind.as_str() {
                "author" => self.tally.has_author(&label.id),
                _ => self.seen.final_id(u16::MAX, &label.id).is_some(),
            };
            if stays {
                self.label(label.clone());
                self.old.push(label);
            }
        }
        Ok(())
    }
}

/// Brings a tree of files along without copying their bytes where the file system can: the import only ever puts new
/// files beside them.
fn bring(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to).at(to)?;
    for entry in fs::read_dir(from).at(from)? {
        let path = entry.at(from)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            bring(&path, &target)?;
        } else if fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target).at(&target)?;
        }
    }
    Ok(())
}
