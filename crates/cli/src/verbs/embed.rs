//! `quintet embed`

use std::str::FromStr;

use quintet::embed::{Options, embed_corpus};
use quintet::{Component, Corpus, Result};

use super::{model, part, print};
use crate::args::{Common, Embed};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Embed, common: &Common, talk: &Talk) -> Result<Exit> {
    let components = args.component.iter().map(|c| Component::from_str(c)).collect::<Result<Vec<_>>>()?;
    let part = args.part.as_deref().map(part).transpose()?;
    let corpus = Corpus::open(&args.corpus)?;
    let model = model(&args.model, &args.device, talk)?;
    let options = Options { f16: args.f16, components, part, ..Options::default() };
    let summary = embed_corpus(&corpus, &model, &args.into, &options, talk)?;
    print(
        common,
        || serde_json::to_value(&summary),
        || {
            let mut lines = vec![format!(
                "{} posts in {}: {} with every component, {} with some, {} with none ({:.1} s)",
                summary.posts,
                args.into.display(),
                summary.complete,
                summary.partial,
                summary.none,
                summary.seconds
            )];
            if summary.resumed > 0 {
                lines.push(format!("{} of them were already there from a run that was stopped", summary.resumed));
            }
            for (component, statuses) in &summary.statuses {
                let statuses: Vec<String> = statuses.iter().map(|(name, n)| format!("{name} {n}")).collect();
                lines.push(format!("{component:<10} {}", statuses.join(", ")));
            }
            lines.join("\n")
        },
    )?;
    Ok(Exit::Done)
}
