//! `words TEXT CONFIG OUT` and `users EDGES CONFIG OUT`: vectors of words and of the nodes of a graph, from scratch.
//!
//! TEXT has a text a line, words apart by spaces; EDGES a line `from to weight` an edge, nodes counted from 0; CONFIG is
//! a Quintet configuration of which the section `[words]` or `[user]` counts; OUT gets the vectors in the text format
//! of word2vec.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use quintet::Config;
use quintet::features::WordVectors;
use quintet::features::graph::MentionGraph;
use quintet::features::user;
use quintet::progress::Silent;
use serde_json::json;

use crate::{Failure, Work, argument};

/// Word vectors; reading the text counts, writing the vectors does not.
pub fn words(arguments: &[String]) -> Result<Work, Failure> {
    let (text, config, out) = files(arguments)?;
    Ok(Box::new(move || {
        let start = std::time::Instant::now();
        let lines: Vec<Vec<String>> =
            fs::read_to_string(&text)?.lines().map(|l| l.split_whitespace().map(str::to_owned).collect()).collect();
        let vectors = WordVectors::train(&lines, &config.words, &Silent::default())?;
        let seconds = start.elapsed().as_secs_f64();
        let mut known: Vec<&str> = lines.iter().flatten().map(String::as_str).collect();
        known.sort_unstable();
        let mut counted: Vec<(usize, &str)> = known.chunk_by(|a, b| a == b).map(|w| (w.len(), w[0])).collect();
        counted.retain(|(n, _)| *n >= config.words.min_count);
        counted.sort_by_key(|&(n, word)| (std::cmp::Reverse(n), word));
        let rows = counted.iter().filter_map(|(_, w)| Some(((*w).to_owned(), vectors.vector(w)?)));
        write(&out, counted.len(), vectors.dim(), rows)?;
        Ok(json!({ "seconds": seconds, "words": counted.len() }))
    }))
}

/// Vectors of the nodes; reading the edges does not count.
pub fn users(arguments: &[String]) -> Result<Work, Failure> {
    let (edges, config, out) = files(arguments)?;
    let mut read = Vec::new();
    for line in fs::read_to_string(&edges)?.lines() {
        let [from, to, weight] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("{edges}: `{line}` is not `from to weight`").into());
        };
        read.push((from.parse::<u32>()?, to.parse::<u32>()?, weight.parse::<f64>()?));
    }
    let nodes = read.iter().map(|&(from, to, _)| from.max(to) as usize + 1).max().unwrap_or(0);
    Ok(Box::new(move || {
        let start = std::time::Instant::now();
        let graph = MentionGraph::from_edges(nodes, read.clone(), config.user.undirected);
        let vectors = user::learn(&graph, &config.user, &Silent::default())?;
        let seconds = start.elapsed().as_secs_f64();
        let rows = (0..nodes).map(|node| (node.to_string(), vectors.row(node).to_vec()));
        write(&out, nodes, vectors.dim, rows)?;
        Ok(json!({ "seconds": seconds, "nodes": nodes }))
    }))
}

fn files(arguments: &[String]) -> Result<(String, Config, String), Failure> {
    let config: String = argument(arguments, 1, "a configuration")?;
    Ok((argument(arguments, 0, "the input")?, Config::read(Path::new(&config))?, argument(arguments, 2, "the output")?))
}

fn write(
    path: &str,
    rows: usize,
    dim: usize,
    vectors: impl Iterator<Item = (String, Vec<f32>)>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(fs::File::create(path)?);
    writeln!(out, "{rows} {dim}")?;
    for (name, vector) in vectors {
        write!(out, "{name}")?;
        for x in vector {
            write!(out, " {x}")?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(())
}
