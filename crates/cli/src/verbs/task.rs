//! `quintet eval hashtags|bots|location`, `quintet fit`, `quintet predict`: one face for every task on top of a model.

use std::path::Path;
use std::str::FromStr;

use quintet::posts::import::{ImportOptions, import};
use quintet::progress::Progress;
use quintet::tasks::{self, Options, Saved, Unit, report};
use quintet::{Component, Corpus, Error, Result};
use serde_json::json;

use super::{model, part, print};
use crate::args::{Common, EvalFitted, Fit, Predict, TaskArgs};
use crate::exit::Exit;
use crate::talk::Talk;

fn options(args: &TaskArgs) -> Result<Options> {
    let setting = |pair: &String| {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Error::config(format!("--set {pair} has no =")).help("write --set name=value, such as --set posts=10")
        })?;
        Ok((name.trim().to_string(), value.trim().to_string()))
    };
    Ok(Options {
        source: args.source.clone(),
        label: args.label.clone(),
        unit: args.by.as_deref().map(Unit::from_str).transpose()?,
        components: args.component.iter().map(|c| Component::from_str(c)).collect::<Result<_>>()?,
        settings: args.set.iter().map(setting).collect::<Result<_>>()?,
        seed: args.seed,
        ..Options::default()
    })
}

pub fn eval(name: &str, args: &EvalFitted, common: &Common, talk: &Talk) -> Result<Exit> {
    let task = tasks::task(name)?;
    let mut options = options(&args.task)?;
    options.part = part(&args.part)?;
    options.methods.clone_from(&args.method);
    options.methods_of(task)?;
    let corpus = Corpus::open(&args.corpus)?;
    let first_seed = options.seed;
    let mut reports: Vec<(String, tasks::TaskReport)> = Vec::new();
    for named in &args.model {
        let (name, path) = named.split_once('=').unwrap_or(("model", named));
        let model = model(Path::new(path), &args.task.device, talk)?;
        options.seed = first_seed + reports.iter().filter(|(n, _)| n == name).count() as u64;
        reports.push((name.to_string(), task.evaluate(&corpus, &model, &options, talk)?));
    }
    let json = || match reports.as_slice() {
        [(_, one)] => serde_json::to_value(one),
        many => serde_json::to_value(many),
    };
    print(common, json, || match reports.as_slice() {
        [(_, one)] => one.table(),
        many => report::compare(many),
    })?;
    Ok(Exit::Done)
}

pub fn fit(args: &Fit, common: &Common, talk: &Talk) -> Result<Exit> {
    let task = tasks::task(&args.task_name)?;
    let method = match &args.method {
        Some(name) => tasks::method(task, name)?,
        None => *task.methods().first().ok_or_else(|| Error::internal("a task without methods"))?,
    };
    let options = options(&args.task)?;
    let corpus = Corpus::open(&args.corpus)?;
    let model = model(&args.model, &args.task.device, talk)?;
    let saved = task.fit(&corpus, &model, method, &options, talk)?;
    saved.write(&args.into)?;
    print(
        common,
        || serde_json::to_value(&saved.header),
        || {
            let header = &saved.header;
            format!(
                "{} of {} learned from {} items in {}",
                header.method,
                header.task,
                header.items,
                args.into.display()
            )
        },
    )?;
    Ok(Exit::Done)
}

pub fn predict(args: &Predict, common: &Common, talk: &Talk) -> Result<Exit> {
    let task = tasks::task(&args.task_name)?;
    quintet::search::check_name(&args.into)?;
    let options = options(&args.task)?;
    let saved = Saved::read(&args.using)?;
    let model = model(&args.model, &args.task.device, talk)?;
    saved.check(task.name(), &model)?;
    // A dump becomes a corpus that lives as long as this command.
    let imported;
    let corpus = if args.posts.join("corpus.json").is_file() {
        Corpus::open(&args.posts)?
    } else {
        imported = tempfile::tempdir()
            .map_err(|e| Error::io(&std::env::temp_dir(), e).help("set TMPDIR to a folder with space"))?;
        let folder = imported.path().join("corpus");
        let images = ImportOptions { images: "link".parse()?, ..ImportOptions::default() };
        let report = import(std::slice::from_ref(&args.posts), &images, &folder, talk)?;
        if report.rows.rejected > 0 {
            let rows = report.rows;
            talk.note(&format!(
                "{} of {} records could not be read; `quintet import` names them",
                rows.rejected, rows.read
            ));
        }
        Corpus::open(&folder)?
    };
    let predictions = task.predict(&corpus, &model, &saved, &options, talk)?;
    predictions.write(&args.into)?;
    if predictions.rows.is_empty() && !corpus.is_empty() {
        talk.note(&format!(
            "none of the {} posts names its author, and this predicts for authors; fit with --by post where labels are of posts",
            corpus.len()
        ));
    }
    let of = |status: &str| predictions.rows.iter().filter(|row| row.status == status).count();
    let (predicted, fallback, none) = (of("predicted"), of("fallback"), of("none"));
    print(
        common,
        || {
            Ok(json!({ "task": predictions.task, "method": predictions.method, "unit": predictions.unit,
                "rows": predictions.rows.len(), "predicted": predicted, "fallback": fallback, "none": none }))
        },
        || {
            let unit = predictions.unit;
            format!(
                "{} {unit}s in {}: {predicted} predicted, {fallback} by the prior alone, {none} without an answer",
                predictions.rows.len(),
                args.into.display()
            )
        },
    )?;
    Ok(Exit::Done)
}
