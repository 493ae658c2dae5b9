//! `quintet eval retrieval`

use quintet::tasks::retrieval::{Options, compare, ours};
use quintet::train::ModelFolder;
use quintet::{Corpus, Result};

use super::{part, print};
use crate::args::{Common, Retrieval};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Retrieval, common: &Common, talk: &Talk) -> Result<Exit> {
    let options = Options {
        part: Some(part(&args.part)?),
        source: args.source.clone(),
        queries_from: args.queries_from.clone(),
        ..Options::default()
    };
    let corpus = Corpus::open(&args.corpus)?;
    let mut reports = Vec::new();
    for path in &args.model {
        reports.push(ours::run(&corpus, &ModelFolder::open(path)?, &options, talk)?);
    }
    let json = || match reports.as_slice() {
        [one] => serde_json::to_value(one),
        many => serde_json::to_value(many),
    };
    print(common, json, || match reports.as_slice() {
        [one] => one.table(),
        many => compare(&many.iter().map(|r| ("ours".to_string(), r.clone())).collect::<Vec<_>>()),
    })?;
    Ok(Exit::Done)
}
