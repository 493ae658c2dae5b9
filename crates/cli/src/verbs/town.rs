//! `quintet town`

use quintet::posts::town::{TownOptions, generate};
use quintet::{Component, Result};

use super::print;
use crate::args::{Common, Town};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Town, common: &Common, talk: &Talk) -> Result<Exit> {
    let options = TownOptions { posts: args.posts, seed: args.seed, replace: args.replace, ..TownOptions::default() };
    let report = generate(&options, &args.into, talk)?;
    print(
        common,
        || serde_json::to_value(&report),
        || {
            let share =
                |c: Component| format!("{c} {:.0} %", 100.0 * report.present[c] as f64 / report.posts.max(1) as f64);
            let [train, dev, test] = report.parts;
            format!(
                "synthetic town with {} posts by {} accounts in {}\nparts       train {train}, dev {dev}, test {test}\ncomponents  {}\nimages      {} files",
                report.posts,
                report.authors,
                args.into.display(),
                Component::ALL.map(share).join(", "),
                report.images,
            )
        },
    )?;
    Ok(Exit::Done)
}
