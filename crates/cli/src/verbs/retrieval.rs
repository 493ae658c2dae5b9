//! `quintet eval retrieval`

use std::path::Path;

use quintet::tasks::retrieval::{Options, compare, ours};
use quintet::{Corpus, Result};

use super::{model, part, print};
use crate::args::{Common, Retrieval};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Retrieval, common: &Common, talk: &Talk) -> Result<Exit> {
    let options = Options {
        part: Some(part(&args.part)?),
        source: args.source.clone(),
        queries_from: args.queries_from.clone(),
        min_queries: args.min_queries,
        ..Options::default()
    };
    let corpus = Corpus::open(&args.corpus)?;
    let mut reports = Vec::new();
    for named in &args.model {
        let (name, path) = named.split_once('=').unwrap_or(("model", named));
        let model = model(Path::new(path), &args.device, talk)?;
        reports.push((name.to_string(), ours::run(&corpus, &model, &options, talk)?));
    }
    let json = || match reports.as_slice() {
        [(_, one)] => serde_json::to_value(one),
        many => serde_json::to_value(many),
    };
    print(common, json, || match reports.as_slice() {
        [(_, one)] => one.table(),
        many => compare(many),
    })?;
    Ok(Exit::Done)
}
