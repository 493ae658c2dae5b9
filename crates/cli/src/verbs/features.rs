//! `quintet features`

use quintet::features::features_report;
use quintet::{Corpus, Result};

use super::{config, print};
use crate::args::{Common, Features};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Features, common: &Common, talk: &Talk) -> Result<Exit> {
    let config = config(&args.config)?;
    let corpus = Corpus::open(&args.corpus)?;
    let report = features_report(&corpus, &config, talk)?;
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(Exit::Done)
}
