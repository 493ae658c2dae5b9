//! The figures of retrieval, as data and as tables.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::evaluation::Options;
use crate::component::Component;
use crate::metrics::{Interval, Spread, Summary};

/// A figure with what is needed to judge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub value: f64,
    /// 95 % bootstrap interval over queries.
    pub interval: Interval,
    /// What a random order of the candidates scores in expectation, exact.
    pub chance: f64,
}

impl Figure {
    /// A figure from its value, chance level and resampled values (which get sorted).
    pub fn new(value: f64, chance: f64, resampled: &mut [f64]) -> Figure {
        Figure { value, interval: Interval::of(resampled), chance }
    }
}

/// Figures of one direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Components that ask.
    pub from: Vec<Component>,
    /// Component that is searched for.
    pub target: Option<Component>,
    /// Number of distinct queries.
    pub queries: usize,
    /// Number of distinct candidates.
    pub candidates: usize,
    /// Right answers per query, on average.
    pub right_per_query: f64,
    /// Recall@1 in percent of queries.
    pub recall_at_1: Figure,
    /// Recall@5 in percent of queries.
    pub recall_at_5: Figure,
    /// Recall@10 in percent of queries.
    pub recall_at_10: Figure,
    /// Median rank of the best right answer, 1 is best.
    pub median_rank: Figure,
    /// Mean of 1 / rank.
    pub mean_reciprocal_rank: Figure,
}

impl Direction {
    /// Figures from `(queries, candidates, right per query)`, the summary, its chance level and its resamples.
    pub(super) fn new(
        from: Vec<Component>,
        target: Component,
        (queries, candidates, right_per_query): (usize, usize, f64),
        summary: &Summary,
        chance: &Summary,
        resamples: &[Summary],
    ) -> Direction {
        let figure = |of: &dyn Fn(&Summary) -> f64| {
            let mut resampled: Vec<f64> = resamples.iter().map(of).collect();
            Figure::new(of(summary), of(chance), &mut resampled)
        };
        Direction {
            from,
            target: Some(target),
            queries,
            candidates,
            right_per_query,
            recall_at_1: figure(&|s| s.recall[0]),
            recall_at_5: figure(&|s| s.recall[1]),
            recall_at_10: figure(&|s| s.recall[2]),
            median_rank: figure(&|s| s.median_rank),
            mean_reciprocal_rank: figure(&|s| s.mean_reciprocal_rank),
        }
    }

    /// Such as `image -> text`; with several components asking `all others -> text`.
    pub fn name(&self) -> String {
        name_of(&self.from, self.target)
    }

    fn figures(&self) -> [&Figure; 5] {
        [&self.recall_at_1, &self.recall_at_5, &self.recall_at_10, &self.median_rank, &self.mean_reciprocal_rank]
    }
}

fn name_of(from: &[Component], target: Option<Component>) -> String {
    let target = target.map_or("", Component::name);
    match from {
        [one] => format!("{one} -> {target}"),
        _ => format!("all others -> {target}"),
    }
}

/// Sum of the six recalls of a pair of components, both directions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rsum {
    /// The pair.
    pub between: [Component; 2],
    /// 0 to 600. The interval resamples the two directions independently.
    pub rsum: Figure,
}

/// A direction with too few queries to say anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Components that ask.
    pub from: Vec<Component>,
    /// Component that is searched for.
    pub target: Component,
    /// Number of distinct queries there are.
    pub queries: usize,
}

/// Everything `quintet eval retrieval` measures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrievalReport {
    /// Name of the corpus.
    pub corpus: String,
    /// True if the corpus is the town: every table then says "synthetic".
    pub synthetic: bool,
    /// Hash of the model's weights.
    pub model: String,
    /// Number of posts evaluated, with or without usable components.
    pub posts: usize,
    /// How it was evaluated.
    pub options: Options,
    /// Ordered pairs of components.
    pub pairs: Vec<Direction>,
    /// Both directions of a pair added.
    pub rsums: Vec<Rsum>,
    /// The published protocol: all components but the target ask.
    pub published: Vec<Direction>,
    /// Directions with fewer than `options.min_queries` queries.
    pub left_out: Vec<LeftOut>,
}

impl RetrievalReport {
    /// What was evaluated, in one line: `town (synthetic), dev part, 500 posts`.
    pub fn subject(&self) -> String {
        let mut line = self.corpus.clone();
        if self.synthetic && !line.contains("synthetic") {
            line.push_str(" (synthetic)");
        }
        match self.options.part {
            Some(part) => write!(line, ", {} part", part.name()),
            None => write!(line, ", all posts"),
        }
        .ok();
        if let Some(from) = &self.options.queries_from {
            write!(line, ", queries from {from}").ok();
        }
        if let Some(source) = &self.options.source {
            write!(line, ", source {source}").ok();
        }
        write!(line, ", {} posts", self.posts).ok();
        line
    }

    /// The figures as text for a terminal.
    pub fn table(&self) -> String {
        let mut out = format!(
            "Retrieval on {}\nfigure [95 % interval] chance; recall in % of queries, ties count against the model\n",
            self.subject()
        );
        for (title, directions) in [
            ("Pairs of components", &self.pairs),
            ("Published protocol: all other components ask, largest cosine counts", &self.published),
        ] {
            if directions.is_empty() {
                continue;
            }
            write!(out, "\n{title}\n").ok();
            let mut rows = vec![HEADER.map(String::from).to_vec()];
            rows.extend(directions.iter().map(direction_row));
            out.push_str(&aligned(&rows));
        }
        if !self.rsums.is_empty() {
            out.push_str("\nSum of the six recalls of a pair (0 to 600)\n");
            let rows: Vec<Vec<String>> = self
                .rsums
                .iter()
                .map(|r| vec![format!("{} <-> {}", r.between[0], r.between[1]), cell(&r.rsum, 1)])
                .collect();
            out.push_str(&aligned(&rows));
        }
        if !self.left_out.is_empty() {
            let names: Vec<String> =
                self.left_out.iter().map(|l| format!("{} ({})", name_of(&l.from, Some(l.target)), l.queries)).collect();
            let least = self.options.min_queries;
            write!(out, "\nLeft out, fewer than {least} queries: {}\n", names.join(", ")).ok();
        }
        out
    }
}

const HEADER: [&str; 8] = ["", "queries", "candidates", "R@1", "R@5", "R@10", "median rank", "MRR"];

fn direction_row(d: &Direction) -> Vec<String> {
    let mut row = vec![d.name(), d.queries.to_string(), d.candidates.to_string()];
    row.extend(d.figures().into_iter().zip(DIGITS).map(|(figure, digits)| cell(figure, digits)));
    row
}

/// Decimals of R@1, R@5, R@10, median rank, MRR.
const DIGITS: [usize; 5] = [1, 1, 1, 0, 3];

fn cell(f: &Figure, digits: usize) -> String {
    // A chance of 0.02 % must not read as 0.0.
    let chance_digits = if f.chance > 0.0 && f.chance < 0.1 { digits.max(2) } else { digits };
    let Interval { low, high } = f.interval;
    format!("{:.digits$} [{low:.digits$} {high:.digits$}] {:.chance_digits$}", f.value, f.chance)
}

/// Columns padded to their widest cell, first one to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        for (c, text) in row.iter().enumerate() {
            let width = widths[c];
            if c == 0 { write!(out, "{text:<width$}") } else { write!(out, "   {text:>width$}") }.ok();
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

/// Several models side by side, as a Markdown table: one block a direction, chance first, then each name in the order of
/// its first report. Reports of the same name are runs with different seeds and give mean ± standard deviation.
///
/// All reports are meant to be of the same posts; queries and candidates are printed with every line so that a
/// difference shows.
pub fn compare(reports: &[(String, RetrievalReport)]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in reports {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let Some((_, first)) = reports.first() else { return String::new() };
    let mut out =
        format!("Retrieval on {}; recall in % of queries; mean ± standard deviation over seeds\n\n", first.subject());
    out.push_str("| direction | model | seeds | queries x candidates | R@1 | R@5 | R@10 | median rank | MRR |\n");
    out.push_str("|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for (protocol, of) in [("", pairs as Pick), (" (published)", published as Pick)] {
        for direction in names_of_directions(reports, of) {
            let mut chance_printed = false;
            for name in &names {
                let runs: Vec<&Direction> = reports
                    .iter()
                    .filter(|(n, _)| n == name)
                    .flat_map(|(_, r)| of(r))
                    .filter(|d| d.name() == direction)
                    .collect();
                let Some(run) = runs.first() else { continue };
                if !chance_printed {
                    let line =
                        std::iter::zip(run.figures(), DIGITS).map(|(f, n)| format!("{:.1$}", f.chance, n.max(2)));
                    write_line(&mut out, &format!("{direction}{protocol}"), "chance", "", run, line);
                    chance_printed = true;
                }
                let line = DIGITS.iter().enumerate().map(|(i, &digits)| {
                    let values: Vec<f64> = runs.iter().map(|d| d.figures()[i].value).collect();
                    format!("{:.digits$}", Spread::of(&values))
                });
                write_line(&mut out, &format!("{direction}{protocol}"), name, &runs.len().to_string(), run, line);
            }
        }
    }
    out.push_str(&compare_rsums(reports, &names));
    out
}

type Pick = fn(&RetrievalReport) -> &[Direction];

fn pairs(report: &RetrievalReport) -> &[Direction] {
    &report.pairs
}

fn published(report: &RetrievalReport) -> &[Direction] {
    &report.published
}

fn names_of_directions(reports: &[(String, RetrievalReport)], of: Pick) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for direction in reports.iter().flat_map(|(_, r)| of(r)) {
        let name = direction.name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn write_line(
    out: &mut String,
    direction: &str,
    model: &str,
    seeds: &str,
    run: &Direction,
    figures: impl Iterator<Item = String>,
) {
    let figures: Vec<String> = figures.collect();
    let sizes = format!("{} x {}", run.queries, run.candidates);
    writeln!(out, "| {direction} | {model} | {seeds} | {sizes} | {} |", figures.join(" | ")).ok();
}

fn compare_rsums(reports: &[(String, RetrievalReport)], names: &[&str]) -> String {
    let mut between: Vec<[Component; 2]> = reports.iter().flat_map(|(_, r)| &r.rsums).map(|r| r.between).collect();
    between.sort_unstable();
    between.dedup();
    if between.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n| rsum | chance |");
    for name in names {
        write!(out, " {name} |").ok();
    }
    write!(out, "\n|---|---:|{}\n", "---:|".repeat(names.len())).ok();
    for pair in between {
        let of = |r: &RetrievalReport| r.rsums.iter().find(|s| s.between == pair).map(|s| s.rsum);
        let chance = reports.iter().find_map(|(_, r)| of(r)).map_or(0.0, |f| f.chance);
        write!(out, "| {} <-> {} | {chance:.2} |", pair[0], pair[1]).ok();
        for name in names {
            let values: Vec<f64> =
                reports.iter().filter(|(n, _)| n == name).filter_map(|(_, r)| of(r)).map(|f| f.value).collect();
            if values.is_empty() { write!(out, " - |") } else { write!(out, " {:.1} |", Spread::of(&values)) }.ok();
        }
        out.push('\n');
    }
    out
}
