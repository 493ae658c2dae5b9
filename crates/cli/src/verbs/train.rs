//! `quintet train`

use quintet::{Corpus, Device, Result};

use super::{config, print};
use crate::args::{Common, Train};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Train, common: &Common, talk: &Talk) -> Result<Exit> {
    let config = config(&args.config)?;
    let device = Device::open(&args.device.device)?;
    let corpus = Corpus::open(&args.corpus)?;
    let summary = quintet::train::train_on(&device, &corpus, &config, &args.into, args.resume, talk)?;
    print(
        common,
        || serde_json::to_value(&summary),
        || {
            let mut lines =
                vec![format!("trained {} steps on {} posts in {:.0} s", summary.steps, summary.posts, summary.seconds)];
            if summary.too_few_components > 0 {
                lines.push(format!(
                    "{} posts have fewer than two usable components and taught nothing",
                    summary.too_few_components
                ));
            }
            match &summary.best {
                Some(best) => lines.push(format!(
                    "best at step {}: sum of recalls {:.1} on {} dev posts",
                    best.step,
                    best.sum(),
                    summary.validation_posts
                )),
                None => lines.push("no dev part: the last weights were kept".into()),
            }
            for component in &summary.collapsed {
                lines.push(format!("warning: {component} collapsed; see the notes in the log"));
            }
            lines.push(format!("model: {}", summary.model.display()));
            lines.join("\n")
        },
    )?;
    Ok(Exit::Done)
}
