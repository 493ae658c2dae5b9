//! Quintet's side of the benchmarks.
//!
//! `quintet-bench ROW ARGUMENTS...` prepares a piece of work, prints a line, and then does the work once for every line
//! on standard input, answering with a line of JSON: the seconds it took and what the peer's result is checked against.
//! So the Python side (`benchmarks/*.py`) interleaves it with the peer in one run.

mod arrays;
mod forest;
mod images;
mod lines;
mod matmul;
mod model;
mod search;
mod vectors;

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

/// Why a row could not be prepared or run.
type Failure = Box<dyn std::error::Error>;
/// One piece of work; what it returns is added to the answer.
type Work = Box<dyn FnMut() -> Result<Value, Failure>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quintet-bench {}: {failure}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let (row, rest) = arguments
        .split_first()
        .ok_or("name a row: matmul, step, embed, words, users, search, images, lines, forest")?;
    let mut work = match row.as_str() {
        "matmul" => matmul::prepare(rest)?,
        "step" => model::step(rest)?,
        "embed" => model::embed(rest)?,
        "words" => vectors::words(rest)?,
        "users" => vectors::users(rest)?,
        "search" => search::prepare(rest)?,
        "images" => images::prepare(rest)?,
        "lines" => lines::prepare(rest)?,
        "forest" => forest::prepare(rest)?,
        _ => return Err(format!("there is no row `{row}`").into()),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ "ready": row }))?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let mut answer = work()?;
        let seconds = start.elapsed().as_secs_f64();
        if answer.get("seconds").is_none() {
            answer["seconds"] = json!(seconds);
        }
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The argument at `at`, as a `T`.
fn argument<T: std::str::FromStr>(arguments: &[String], at: usize, what: &str) -> Result<T, Failure> {
    let text = arguments.get(at).ok_or_else(|| format!("argument {} is missing: {what}", at + 1))?;
    text.parse().map_err(|_| format!("argument {}, {what}: `{text}` cannot be read", at + 1).into())
}
