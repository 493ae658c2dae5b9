//! `quintet split`

use quintet::posts::split::{Rule, durations, shares, split};
use quintet::{Corpus, Error, Result};

use super::{part, print};
use crate::args::{Common, Split};
use crate::exit::Exit;

pub fn run(args: &Split, common: &Common) -> Result<Exit> {
    let rule = match (&args.by_time, &args.by_author, &args.from) {
        (Some(text), None, None) => Rule::Time(durations(text)?),
        (None, Some(text), None) => Rule::Author(shares(text)?, args.seed),
        (None, None, Some(path)) => Rule::File(path.clone()),
        _ if args.rest.is_some() => Rule::Keep,
        _ => {
            return Err(Error::config("no rule is given").help("give one of --by-time, --by-author, --from, or --rest"));
        }
    };
    let rest = args.rest.as_deref().map(part).transpose()?;
    let mut corpus = Corpus::open(&args.corpus)?;
    let report = split(&mut corpus, &rule, rest)?;
    print(
        common,
        || serde_json::to_value(&report),
        || {
            let parts: Vec<String> = report.parts.iter().map(|(part, n)| format!("{part} {n}")).collect();
            let mut line = format!("{}: {}", report.rule, parts.join(", "));
            if report.unassigned > 0 {
                line += &format!("; {} posts in no part", report.unassigned);
            }
            if report.without_time > 0 {
                line += &format!(", {} of them without a time", report.without_time);
            }
            line
        },
    )?;
    Ok(Exit::Done)
}
