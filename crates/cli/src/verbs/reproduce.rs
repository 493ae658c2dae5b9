//! `quintet reproduce`

use quintet::Result;
use quintet::reproduce::{ReproduceOptions, reproduce};

use super::print;
use crate::args::{Common, Reproduce};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Reproduce, common: &Common, talk: &Talk) -> Result<Exit> {
    let options = ReproduceOptions {
        data: args.data.clone(),
        seeds: args.seeds,
        only: args.only.clone(),
        report_only: args.report_only,
    };
    let reproduced = reproduce(&args.into, &options, talk)?;
    print(
        common,
        || serde_json::to_value(&reproduced),
        || {
            let mut lines = vec![format!(
                "{} runs done, {} were there, {} failed ({:.0} s)",
                reproduced.done,
                reproduced.kept,
                reproduced.failed.len(),
                reproduced.seconds
            )];
            lines.extend(reproduced.failed.iter().map(|failure| format!("failed: {failure}")));
            if !reproduced.missing.is_empty() {
                lines.push(format!("left out, data not there: {}", reproduced.missing.join(", ")));
            }
            lines.push(format!("report: {}", reproduced.report.display()));
            lines.push(format!("figures: {}", reproduced.results.display()));
            lines.join("\n")
        },
    )?;
    Ok(if reproduced.failed.is_empty() { Exit::Done } else { Exit::Failed })
}
