//! `quintet import`

use quintet::posts::import::{ImportOptions, import};
use quintet::posts::{Images, Part};
use quintet::{Error, Result};

use super::{part, print};
use crate::args::{Common, Import};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Import, common: &Common, talk: &Talk) -> Result<Exit> {
    let images = match args.images.as_str() {
        "copy" => Images::Copy,
        "link" => Images::Link,
        other => {
            return Err(Error::config(format!("`{other}` is nothing that can be done with images")).help("--images takes copy or link"));
        }
    };
    let options = ImportOptions {
        format: Some(args.format.clone()),
        strict: args.strict,
        images,
        rest: args.rest.as_deref().map(part).transpose()?,
        replace: args.replace,
    };
    let report = import(&args.inputs, &options, &args.into, talk)?;
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(Exit::Done)
}
