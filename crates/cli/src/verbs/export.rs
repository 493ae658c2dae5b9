//! `quintet export`

use std::path::Path;

use quintet::posts::export::{ExportOptions, Selection, export, part, sample, time};
use quintet::{Corpus, Error, Progress, Result};

use super::print;
use crate::args::{Common, Export};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Export, common: &Common, talk: &Talk) -> Result<Exit> {
    let stdout = args.into == Path::new("-");
    if stdout && common.json {
        return Err(Error::config("posts and a report cannot both go to standard output")
            .help("leave out --json, or name a file or folder with --into"));
    }
    let words = |list: &[String]| list.iter().map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect();
    let selection = Selection {
        parts: args.part.iter().map(|p| part(p.trim())).collect::<Result<_>>()?,
        with: args.with.iter().map(|c| c.trim().parse()).collect::<Result<_>>()?,
        authors: words(&args.author),
        languages: words(&args.lang),
        from: args.from.as_deref().map(time).transpose()?,
        until: args.until.as_deref().map(time).transpose()?,
        sample: args.sample.as_deref().map(sample).transpose()?,
        seed: args.seed,
    };
    let options = ExportOptions {
        format: args.format.as_deref().map(str::parse).transpose()?,
        selection,
        columns: args.columns.as_deref().map(words),
        images: args.images.as_deref().map(str::parse).transpose()?,
        replace: args.replace,
        ..ExportOptions::default()
    };
    let report = export(&Corpus::open(&args.corpus)?, &options, &args.into, talk)?;
    if stdout {
        // stdout is the posts; the report is talk.
        talk.note(report.to_string().trim_end());
    } else {
        print(common, || serde_json::to_value(&report), || report.to_string())?;
    }
    Ok(Exit::Done)
}
