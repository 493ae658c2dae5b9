//! `quintet check`

use quintet::posts::check::check;
use quintet::posts::page;
use quintet::{Corpus, Result};

use super::print;
use crate::args::{Check, Common};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Check, common: &Common, talk: &Talk) -> Result<Exit> {
    if let Some(path) = &args.html {
        page::extension(path)?;
    }
    let corpus = Corpus::open(&args.corpus)?;
    let report = check(&corpus, talk)?;
    if let Some(path) = &args.html {
        page::write(&report.page(), path)?;
    }
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(if report.has_void() { Exit::Failed } else { Exit::Done })
}
