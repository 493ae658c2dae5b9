//! `quintet import`

use quintet::Result;
use quintet::posts::import::{ImportOptions, import};
use quintet::posts::table::FieldMap;

use super::{part, print};
use crate::args::{Common, Import};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(args: &Import, common: &Common, talk: &Talk) -> Result<Exit> {
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
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(Exit::Done)
}
