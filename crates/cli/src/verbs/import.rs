//! `quintet import`

use quintet::Result;
use quintet::posts::import::{ImportOptions, import};
use quintet::posts::table::FieldMap;
use serde_json::Value;

use super::{part, print};
use crate::args::{Common, Import};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Import, common: &Common, talk: &Talk) -> Result<Exit> {
    if args.inputs.is_empty() {
        return fetch(args, common, talk, Value::Object(serde_json::Map::new()));
    }
    let options = ImportOptions {
        format: Some(args.format.clone()),
        strict: args.strict,
        images: args.images.parse()?,
        rest: args.rest.as_deref().map(part).transpose()?,
        replace: args.replace,
        add: args.add,
        fields: args.fields.as_deref().map(FieldMap::read).transpose()?.unwrap_or_default().into(),
    };
    let report = import(&args.inputs, &options, &args.into, talk)?;
    if !wants_images(args) {
        print(common, || serde_json::to_value(&report), || report.to_string())?;
        return Ok(Exit::Done);
    }
    let json = serde_json::to_value(&report).unwrap_or_default();
    if !common.json {
        print(common, || Ok(Value::Null), || report.to_string())?;
    }
    fetch(args, common, talk, json)
}

#[cfg(feature = "collect")]
fn wants_images(args: &Import) -> bool {
    args.fetch.fetch_images
}

#[cfg(not(feature = "collect"))]
fn wants_images(_: &Import) -> bool {
    false
}

/// Fetches images; the report of the import becomes part of the JSON.
#[cfg(feature = "collect")]
fn fetch(args: &Import, common: &Common, talk: &Talk, mut report: Value) -> Result<Exit> {
    let corpus = quintet::Corpus::open(&args.into)?;
    let fetched = quintet_collect::images::fetch(&corpus, &args.fetch.options(), talk)?;
    print(
        common,
        || {
            report["fetched_images"] = serde_json::to_value(&fetched)?;
            Ok(report)
        },
        || fetched.to_string(),
    )?;
    Ok(Exit::Done)
}

#[cfg(not(feature = "collect"))]
fn fetch(_: &Import, _: &Common, _: &Talk, _: Value) -> Result<Exit> {
    Err(quintet::Error::internal("the arguments ask for a part that this build has not"))
}
