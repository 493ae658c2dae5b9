//! `quintet search`

use std::fmt::Write;
use std::str::FromStr;

use quintet::progress::Progress;
use quintet::search::{self, Column, Found, Measured, Options, Vectors};
use quintet::{Error, Result};
use serde_json::{Value, json};

use super::print;
use crate::args::{Common, Search};
use crate::exit::Exit;
use crate::talk::Talk;

/// The share of the true nearest that an index should find, if nothing is said.
const RECALL: f64 = 0.95;

pub fn run(args: &Search, common: &Common, talk: &Talk) -> Result<Exit> {
    let (from, to) = (Column::from_str(&args.from)?, Column::from_str(&args.to)?);
    let recall = args.approximate.then(|| args.recall.unwrap_or(RECALL));
    if let Some(recall) = recall.filter(|r| !(*r > 0.0 && *r <= 1.0)) {
        return Err(Error::config(format!("--recall {recall} is no share")).help("give a number above 0, at most 1"));
    }
    if let Some(into) = &args.into {
        search::check_name(into)?;
    }
    let vectors = Vectors::read(&args.vectors, to)?;
    // The posts that may ask; those that do.
    let pool = match &args.queries {
        Some(queries) => Some(Vectors::read(queries, from)?),
        None if from == to => None,
        None => Some(Vectors::read(&args.vectors, from)?),
    };
    let pool = pool.as_ref().unwrap_or(&vectors);
    let named = if args.queries.is_some() { None } else { Some(pool.of(&args.posts)?) };
    let asking = named.as_ref().unwrap_or(pool);
    if args.queries.is_some() && !asking.without.is_empty() {
        talk.note(&format!("{} posts have no {from} vector and do not ask", asking.without.len()));
    }
    let options = Options { k: args.k.get(), recall, seed: args.seed };
    let found = search::search(asking, pool, &vectors, &options, talk)?;
    match &args.into {
        Some(into) => {
            search::write(into, search::rows(asking, &vectors, &found))?;
            let rows: usize = found.hits.iter().map(Vec::len).sum();
            let summary = json!({
                "posts": vectors.ids.len(), "asked": asking.ids.len(), "could_not_ask": asking.without.len(),
                "rows": rows, "approximate": found.measured,
            });
            let text = || {
                let what = format!(
                    "{rows} rows in {}: {} posts asked {}",
                    into.display(),
                    asking.ids.len(),
                    vectors.ids.len()
                );
                what + "\n" + &found.measured.map(|m| quality(&m, args.k.get())).unwrap_or_default()
            };
            print(common, || Ok(summary), text)?;
        }
        None => {
            print(common, || as_json(asking, &vectors, &found), || as_text(asking, &vectors, &found, args.k.get()))?
        }
    }
    Ok(Exit::Done)
}

/// One line about an index.
fn quality(m: &Measured, k: usize) -> String {
    format!(
        "recall@{k} {:.3}, measured on {} posts: each search looks through {} of {} lists\n",
        m.recall, m.posts, m.probes, m.lists
    )
}

fn as_json(asking: &Vectors, vectors: &Vectors, found: &Found) -> serde_json::Result<Value> {
    // Through text, so that a cosine keeps its seven digits: as a value it would show those of the nearest f64.
    let value = |row: search::Row| serde_json::to_string(&row).and_then(|row| serde_json::from_str::<Value>(&row));
    let rows = search::rows(asking, vectors, found).map(value).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(json!({ "from": asking.column.name(), "to": vectors.column.name(), "posts": vectors.ids.len(),
        "nearest": rows, "approximate": found.measured }))
}

fn as_text(asking: &Vectors, vectors: &Vectors, found: &Found, k: usize) -> String {
    let (from, to) = (asking.column, vectors.column);
    let mut out = String::new();
    let mut last = None;
    for row in search::rows(asking, vectors, found) {
        // Writing to a string cannot fail.
        if last.replace(row.query_id) != Some(row.query_id) {
            let _ = writeln!(out, "{}: {from} to {to}, {} posts", row.query_id, vectors.ids.len());
            let _ = writeln!(out, "rank  cosine  post");
        }
        let _ = writeln!(out, "{:>4}  {:>6.3}  {}", row.rank, row.cosine, row.post_id);
    }
    if out.is_empty() {
        out += "no other post to find\n";
    }
    out + &found.measured.map(|m| quality(&m, k)).unwrap_or_default()
}
