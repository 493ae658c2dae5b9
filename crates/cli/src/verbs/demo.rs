//! `quintet demo`

use quintet::Result;
use quintet::demo::{DemoOptions, demo};

use super::print;
use crate::args::{Common, Demo};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Demo, common: &Common, talk: &Talk) -> Result<Exit> {
    let report = demo(&args.into, &DemoOptions { posts: args.posts, seed: args.seed }, talk)?;
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(Exit::Done)
}
