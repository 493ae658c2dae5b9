//! Figures of methods side by side: one report an evaluation, several reports (seeds, models) in one table.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::embed::model_id;
use crate::metrics::{Interval, Spread};
use crate::posts::{Corpus, Part};
use crate::report::Table;
use crate::train::ModelFolder;

use super::{Options, Unit};

/// Whose a method is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Our best variant.
    Ours,
    /// The method of the paper this project implements.
    Paper,
    /// The published baseline it was compared with.
    Baseline,
    /// What needs no learning to speak of; keeps everybody honest.
    Trivial,
}

impl Role {
    /// As in tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Ours => "ours",
            Role::Paper => "paper",
            Role::Baseline => "baseline",
            Role::Trivial => "trivial",
        }
    }
}

/// A figure of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Such as `F1@1`, `balanced accuracy`, `median km`.
    pub name: String,
    /// What was measured, in its natural unit (shares as 0 to 1).
    pub value: f64,
    /// 95 % bootstrap interval over the items, where it was computed.
    pub interval: Option<Interval>,
    /// Whether more is better.
    pub higher_is_better: bool,
}

impl Measure {
    /// A figure of which more is better, with its interval.
    pub fn new(name: impl Into<String>, value: f64, interval: Option<Interval>) -> Measure {
        Measure { name: name.into(), value, interval, higher_is_better: true }
    }

    /// The same figure, of which less is better.
    #[must_use]
    pub fn lower_is_better(mut self) -> Measure {
        self.higher_is_better = false;
        self
    }

    /// Digits after the point that say something.
    fn digits(&self) -> usize {
        if self.value.abs() >= 10.0 { 0 } else { 3 }
    }
}

/// A point of a training curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Passes over the training data.
    pub epoch: f64,
    /// Mean training loss of the epoch.
    pub loss: f64,
    /// The score by which the best epoch is chosen, on data held out from fitting.
    pub score: f64,
}

/// What one method reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Under what conditions, such as `per author`, `text only`; empty where there is one.
    pub group: String,
    /// Name of the method.
    pub method: String,
    /// Whose it is.
    pub role: Role,
    /// Posts or authors measured.
    pub items: usize,
    /// The figures, in the same order for every line of a group.
    pub figures: Vec<Measure>,
    /// How training went, for what is trained by epochs.
    pub curve: Vec<CurvePoint>,
    /// Why training stopped, and what was chosen on which data.
    pub remark: String,
    /// Seconds to fit and to predict.
    pub seconds: f64,
}

/// Everything `quintet eval TASK` measures with one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// `hashtags`, `bots`, `location`.
    pub task: String,
    /// Name of the corpus.
    pub corpus: String,
    /// True if the corpus is the town: every table then says "synthetic".
    pub synthetic: bool,
    /// Hash of the model's weights.
    pub model: String,
    /// Part measured on.
    pub part: Part,
    /// What is predicted.
    pub unit: Unit,
    /// Seed of fitting.
    pub seed: u64,
    /// Counts a reader needs: training items, classes, how many had which input.
    pub facts: Vec<(String, String)>,
    /// The methods, ours first.
    pub lines: Vec<Line>,
}

impl TaskReport {
    /// Figures of `task` on `corpus` (or on the source that the options name) with `model`.
    pub fn new(
        task: &str,
        corpus: &Corpus,
        model: &ModelFolder,
        options: &Options,
        unit: Unit,
        facts: Vec<(String, String)>,
        lines: Vec<Line>,
    ) -> TaskReport {
        let manifest = corpus.manifest();
        TaskReport {
            task: task.into(),
            corpus: options.source.clone().unwrap_or_else(|| manifest.name.clone()),
            synthetic: manifest.synthetic,
            model: model_id(model),
            part: options.part,
            unit,
            seed: options.seed,
            facts,
            lines,
        }
    }

    /// What was evaluated, in one line: `bots on pan19, dev part`.
    pub fn subject(&self) -> String {
        let synthetic = if self.synthetic && !self.corpus.contains("synthetic") { " (synthetic)" } else { "" };
        format!("{} on {}{synthetic}, {} part", self.task, self.corpus, self.part)
    }

    /// The figures as text for a terminal.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for table in tables(std::slice::from_ref(&("".into(), self.clone()))) {
            out += &table.plain();
            out.push('\n');
        }
        for (name, value) in &self.facts {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{name}: {value}");
        }
        for line in self.lines.iter().filter(|line| !line.remark.is_empty()) {
            let _ = writeln!(out, "{}: {}", line.method, line.remark);
        }
        out
    }
}

/// Several reports in one Markdown text. Reports of the same name are runs with different seeds and give mean ± standard
/// deviation; other names stand beside the method's.
pub fn compare(reports: &[(String, TaskReport)]) -> String {
    tables(reports).iter().map(|table| table.markdown() + "\n").collect()
}

/// One table a group. A cell is a value with its 95 % interval where one report was given, otherwise mean ± deviation.
pub fn tables(reports: &[(String, TaskReport)]) -> Vec<Table> {
    let Some((_, first)) = reports.first() else { return Vec::new() };
    let mut groups: Vec<&str> = Vec::new();
    for line in reports.iter().flat_map(|(_, report)| &report.lines) {
        if !groups.contains(&line.group.as_str()) {
            groups.push(&line.group);
        }
    }
    groups.into_iter().map(|group| group_table(first, reports, group)).collect()
}

fn group_table(first: &TaskReport, reports: &[(String, TaskReport)], group: &str) -> Table {
    let of_group = |report: &'_ TaskReport| -> Vec<Line> {
        report.lines.iter().filter(|line| line.group == group).cloned().collect()
    };
    // A line of the table is a (report name, method), in the order of its first report.
    let mut rows: Vec<((String, String), Vec<Line>)> = Vec::new();
    for (name, report) in reports {
        for line in of_group(report) {
            let key = (name.clone(), line.method.clone());
            match rows.iter_mut().find(|(k, _)| *k == key) {
                Some((_, runs)) => runs.push(line),
                None => rows.push((key, vec![line])),
            }
        }
    }
    let mut names: Vec<String> = Vec::new();
    for measure in rows.iter().flat_map(|(_, runs)| &runs[0].figures) {
        if !names.contains(&measure.name) {
            names.push(measure.name.clone());
        }
    }
    let several = reports.len() > 1;
    let mut columns = vec!["method".to_string(), "whose".into(), "seeds".into(), "items".into()];
    columns.extend(names.iter().cloned());
    let title = if group.is_empty() { first.subject() } else { format!("{}, {group}", first.subject()) };
    let note =
        if several { "mean ± standard deviation over the seeds" } else { "figure [95 % interval over the items]" };
    let mut table = Table::new(columns).title(title).note(note);
    for ((name, method), runs) in &rows {
        let method = if name.is_empty() || name == "model" { method.clone() } else { format!("{method} ({name})") };
        let items = runs[0].items.to_string();
        let mut cells = vec![method, runs[0].role.name().into(), runs.len().to_string(), items];
        for name in &names {
            let figures: Vec<&Measure> =
                runs.iter().filter_map(|run| run.figures.iter().find(|f| f.name == *name)).collect();
            cells.push(cell(&figures, several));
        }
        table.push(cells);
    }
    table
}

fn cell(figures: &[&Measure], several: bool) -> String {
    let Some(first) = figures.first() else { return String::new() };
    let digits = first.digits();
    match first.interval {
        Some(Interval { low, high }) if !several => {
            format!("{:.digits$} [{low:.digits$} {high:.digits$}]", first.value)
        }
        _ => {
            let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
            format!("{:.digits$}", Spread::of(&values))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(value: f64) -> TaskReport {
        let line = |method: &str, role, value| Line {
            group: "per author".into(),
            method: method.into(),
            role,
            items: 7,
            figures: vec![Measure::new("F1", value, Some(Interval { low: 0.1, high: 0.9 }))],
            curve: Vec::new(),
            remark: String::new(),
            seconds: 0.0,
        };
        TaskReport {
            task: "bots".into(),
            corpus: "town".into(),
            synthetic: true,
            model: String::new(),
            part: Part::Dev,
            unit: Unit::Author,
            seed: 1,
            facts: Vec::new(),
            lines: vec![line("ours", Role::Ours, value), line("all bots", Role::Trivial, 0.5)],
        }
    }

    #[test]
    fn one_report_shows_intervals() {
        let text = report(0.75).table();
        assert!(text.contains("bots on town (synthetic), dev part, per author"), "{text}");
        assert!(text.contains("0.750 [0.100 0.900]"), "{text}");
    }

    #[test]
    fn seeds_of_one_name_become_mean_and_deviation() {
        let text = compare(&[("model".into(), report(0.7)), ("model".into(), report(0.8))]);
        assert!(text.contains("| ours | ours | 2 | 7 | 0.750 ± 0.071 |"), "{text}");
        assert!(text.contains("| all bots | trivial | 2 | 7 | 0.500 ± 0.000 |"), "{text}");
    }

    #[test]
    fn names_stand_beside_methods() {
        let text = compare(&[("a".into(), report(0.7)), ("b".into(), report(0.8))]);
        assert!(text.contains("ours (a)") && text.contains("ours (b)"), "{text}");
    }
}
