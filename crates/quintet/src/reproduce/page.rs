//! Results -> the report: the paper's tables and figures, each with what the paper printed beside it.

use std::collections::BTreeSet;

use super::paper;
use super::plan::Section;
use super::run::{Evaluated, Figures, Outcome};
use crate::component::Component;
use crate::metrics::Spread;
use crate::report::{BarPlot, LinePlot, Report, Table};
use crate::tasks::report::tables;
use crate::tasks::retrieval::{Direction, RetrievalReport};
use crate::tasks::{Line, TaskReport};

/// The whole page from `outcomes` in the order of the plan; `missing` names data sets that were not at hand.
pub fn page(outcomes: &[Outcome], missing: &[String]) -> Report {
    let mut report = Report::new("Quintet: the paper's tables and figures").text(paper::NOT_THE_SAME).text(
        "All figures are on dev parts, on which settings were chosen too; test parts were not touched. ± is the standard deviation over \
         seeds; a line of one seed is one run. Figures of the town are from synthetic posts and say so.",
    );
    if !missing.is_empty() {
        report = report.note(format!("Left out, because the data sets are not at hand: {}.", missing.join(", ")));
    }
    let of = |section| outcomes.iter().filter(|o| o.section == section).collect::<Vec<_>>();
    report = report.section("Image and text retrieval (Tables 2 and 3)").table(paper::retrieval());
    report = retrieval(report, &of(Section::Retrieval));
    report = report.section("What a leak would be worth").text(
        "The location of a post is seen through other posts from the same place. If those include the post itself or copies of it, text is \
         found by looking it up. Both models below are the same but for that; the published protocol asks with the location too.",
    );
    report = retrieval(report, &of(Section::Leakage));
    for (section, title, printed, figure) in [
        (Section::Hashtags, "Hashtag recommendation (Figure 5)", paper::hashtags(), "F1@1"),
        (Section::Bots, "Bot detection (Figure 7)", paper::bots(), "F1"),
        (Section::Location, "Location prediction (Table 4)", paper::location(), "accuracy"),
    ] {
        report = report.section(title).table(printed);
        report = task(report, &of(section), figure);
    }
    report = report.section("Ablations").text(
        "One thing is changed at a time; everything else is as in the first line. rsum: the sum of the six recalls of text and image, both \
         ways (0 to 600). The other columns are recall@10 by the published protocol: all other components ask for this one.",
    );
    report = ablations(report, &of(Section::Ablations));
    report.section("How each number came about").table(provenance(outcomes))
}

/// The evaluations of `outcomes`, grouped by corpus and name, in order of appearance.
fn groups<'a>(outcomes: &[&'a Outcome]) -> Vec<(String, Vec<(&'a Outcome, &'a Evaluated)>)> {
    let mut groups: Vec<(String, Vec<(&Outcome, &Evaluated)>)> = Vec::new();
    for outcome in outcomes {
        for evaluated in &outcome.evaluations {
            let key = format!("{}: {}", evaluated.corpus, evaluated.name);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, members)) => members.push((outcome, evaluated)),
                None => groups.push((key, vec![(outcome, evaluated)])),
            }
        }
    }
    groups
}

/// Settings of a group with the reports of their seeds, in order of appearance.
fn settings<'a>(members: &[(&'a Outcome, &'a Evaluated)]) -> Vec<(&'a str, Vec<&'a RetrievalReport>)> {
    let mut settings: Vec<(&str, Vec<&RetrievalReport>)> = Vec::new();
    for (outcome, evaluated) in members {
        let Figures::Retrieval(report) = &evaluated.figures else { continue };
        let setting = outcome.run.split_once('/').map_or(outcome.run.as_str(), |(_, setting)| setting);
        match settings.iter_mut().find(|(name, _)| *name == setting) {
            Some((_, reports)) => reports.push(report),
            None => settings.push((setting, vec![report])),
        }
    }
    settings
}

fn pair(report: &RetrievalReport, from: Component, target: Component) -> Option<&Direction> {
    report.pairs.iter().find(|d| d.from == [from] && d.target == Some(target))
}

fn published(report: &RetrievalReport, target: Component) -> Option<&Direction> {
    report.published.iter().find(|d| d.target == Some(target))
}

fn rsum(report: &RetrievalReport) -> Option<f64> {
    let found = report.rsums.iter().find(|r| r.between == [Component::Text, Component::Image])?;
    Some(found.rsum.value)
}

/// Mean ± deviation of what every report has; "-" if one lacks it.
fn spread(reports: &[&RetrievalReport], digits: usize, of: impl Fn(&RetrievalReport) -> Option<f64>) -> String {
    match reports.iter().map(|report| of(report)).collect::<Option<Vec<f64>>>() {
        Some(values) => format!("{:.digits$}", Spread::of(&values)),
        None => "-".into(),
    }
}

const BOTH: [(Component, Component); 2] = [(Component::Text, Component::Image), (Component::Image, Component::Text)];

fn retrieval(mut report: Report, outcomes: &[&Outcome]) -> Report {
    for (name, members) in groups(outcomes) {
        let settings = settings(&members);
        let Some(first) = settings.first().and_then(|(_, reports)| reports.first()) else { continue };
        report = report.table(pairs_table(&name, first, &settings));
        if let Some(table) = published_table(&name, &settings) {
            report = report.table(table);
        }
        let mut plot = BarPlot::new(format!("{name}, rsum of text and image"), "sum of six recalls, 0 to 600");
        for (setting, reports) in &settings {
            let values: Vec<f64> = reports.iter().filter_map(|r| rsum(r)).collect();
            if values.len() == reports.len() {
                plot = plot.bar(*setting, Spread::of(&values).mean, None);
            }
        }
        let chance = first.rsums.iter().find(|r| r.between == [Component::Text, Component::Image]);
        if let Some(chance) = chance {
            report = report.plot(plot.reference("chance", chance.rsum.chance));
        }
    }
    report
}

fn synthetic(report: &RetrievalReport) -> &'static str {
    if report.synthetic { " (synthetic)" } else { "" }
}

fn pairs_table(name: &str, first: &RetrievalReport, settings: &[(&str, Vec<&RetrievalReport>)]) -> Table {
    let head = |way: &str| [format!("{way} R@1"), "R@5".into(), "R@10".into(), "median".into()];
    let mut columns = vec!["setting".to_string(), "seeds".into()];
    columns.extend(head("text to image"));
    columns.extend(head("image to text"));
    columns.push("rsum".into());
    let sizes: Vec<String> = BOTH
        .iter()
        .filter_map(|&(from, to)| pair(first, from, to))
        .map(|d| format!("{}: {} queries, {} candidates", d.name(), d.queries, d.candidates))
        .collect();
    let mut table = Table::new(columns)
        .title(format!("{name}{}: one component asks for another", synthetic(first)))
        .note(format!("Recall in % of queries. {}.", sizes.join("; ")));
    let chance = |f: fn(&Direction) -> f64, digits: usize| {
        BOTH.map(|(from, to)| pair(first, from, to).map_or("-".to_string(), |d| format!("{:.digits$}", f(d))))
    };
    let rows = [
        chance(|d| d.recall_at_1.chance, 1),
        chance(|d| d.recall_at_5.chance, 1),
        chance(|d| d.recall_at_10.chance, 1),
        chance(|d| d.median_rank.chance, 0),
    ];
    let mut cells = vec!["chance".to_string(), String::new()];
    cells.extend((0..2).flat_map(|way| rows.iter().map(move |row| row[way].clone())));
    let by_chance = first.rsums.iter().find(|r| r.between == [Component::Text, Component::Image]);
    cells.push(by_chance.map_or("-".into(), |r| format!("{:.1}", r.rsum.chance)));
    table.push(cells);
    for (setting, reports) in settings {
        let mut cells = vec![(*setting).to_string(), reports.len().to_string()];
        for (from, to) in BOTH {
            let of = |f: fn(&Direction) -> f64| move |r: &RetrievalReport| pair(r, from, to).map(f);
            cells.push(spread(reports, 1, of(|d| d.recall_at_1.value)));
            cells.push(spread(reports, 1, of(|d| d.recall_at_5.value)));
            cells.push(spread(reports, 1, of(|d| d.recall_at_10.value)));
            cells.push(spread(reports, 0, of(|d| d.median_rank.value)));
        }
        cells.push(spread(reports, 1, rsum));
        table.push(cells);
    }
    table
}

/// The published protocol, for settings with more than two components.
fn published_table(name: &str, settings: &[(&str, Vec<&RetrievalReport>)]) -> Option<Table> {
    let columns =
        ["searched", "setting", "seeds", "queries", "candidates", "R@1", "R@5", "R@10", "median", "chance R@10"];
    let mut table = Table::new(columns)
        .title(format!("{name}: the published protocol, all other components ask"))
        .note("A candidate scores its largest cosine with any component of the query.");
    let mut any = false;
    for target in Component::ALL {
        for (setting, reports) in settings {
            let first = reports.first().and_then(|r| published(r, target).filter(|d| d.from.len() > 1));
            let Some(first) = first else { continue };
            any = true;
            let of = |f: fn(&Direction) -> f64| move |r: &RetrievalReport| published(r, target).map(f);
            table.push([
                target.to_string(),
                (*setting).to_string(),
                reports.len().to_string(),
                first.queries.to_string(),
                first.candidates.to_string(),
                spread(reports, 1, of(|d| d.recall_at_1.value)),
                spread(reports, 1, of(|d| d.recall_at_5.value)),
                spread(reports, 1, of(|d| d.recall_at_10.value)),
                spread(reports, 0, of(|d| d.median_rank.value)),
                format!("{:.1}", first.recall_at_10.chance),
            ]);
        }
    }
    any.then_some(table)
}

fn task(mut report: Report, outcomes: &[&Outcome], figure: &str) -> Report {
    for (name, members) in groups(outcomes) {
        let reports: Vec<(String, TaskReport)> = members
            .iter()
            .filter_map(|(_, evaluated)| match &evaluated.figures {
                Figures::Task(report) => Some(("model".to_string(), report.clone())),
                Figures::Retrieval(_) => None,
            })
            .collect();
        let Some((_, first)) = reports.first() else { continue };
        for table in tables(&reports) {
            report = report.table(table);
        }
        let facts: Vec<String> = first.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if !facts.is_empty() {
            report = report.text(facts.join("; ") + ".");
        }
        let groups: BTreeSet<&str> = first.lines.iter().map(|line| line.group.as_str()).collect();
        for group in groups {
            report = report.plot(bars(&name, group, &reports, figure));
            if let Some(plot) = at_k(&name, group, &reports) {
                report = report.plot(plot);
            }
        }
        report = curves(report, &name, first);
    }
    report
}

/// Mean over the reports of figure `figure` of the method of `line`.
fn mean(reports: &[(String, TaskReport)], line: &Line, figure: &str) -> Option<Spread> {
    let same = |other: &&Line| other.group == line.group && other.method == line.method;
    let values: Vec<f64> = reports
        .iter()
        .filter_map(|(_, report)| report.lines.iter().find(same)?.figures.iter().find(|f| f.name == figure))
        .map(|figure| figure.value)
        .collect();
    (!values.is_empty()).then(|| Spread::of(&values))
}

fn title(name: &str, group: &str, figure: &str) -> String {
    let group = if group.is_empty() { String::new() } else { format!(", {group}") };
    format!("{name}{group}: {figure}")
}

/// One bar a method.
fn bars(name: &str, group: &str, reports: &[(String, TaskReport)], figure: &str) -> BarPlot {
    let mut plot = BarPlot::new(title(name, group, figure), figure);
    for line in reports[0].1.lines.iter().filter(|line| line.group == group) {
        if let Some(s) = mean(reports, line, figure) {
            let around = (s.runs > 1).then_some((s.mean - s.deviation, s.mean + s.deviation));
            plot = plot.bar(format!("{} ({})", line.method, line.role.name()), s.mean, around);
        }
    }
    plot.note("± one standard deviation over the seeds")
}

/// F1 at 1 to 5 recommendations, where the task has such figures.
fn at_k(name: &str, group: &str, reports: &[(String, TaskReport)]) -> Option<LinePlot> {
    let mut plot = LinePlot::new(title(name, group, "F1 at k"), "k", "F1 (mean of the posts')").from_zero();
    let mut any = false;
    for line in reports[0].1.lines.iter().filter(|line| line.group == group) {
        let points: Vec<(f64, f64)> =
            (1..=5).filter_map(|k| Some((f64::from(k), mean(reports, line, &format!("F1@{k}"))?.mean))).collect();
        if points.len() == 5 {
            any = true;
            plot = plot.series(line.method.clone(), points);
        }
    }
    any.then_some(plot)
}

/// How each trained method went, and why it was stopped.
fn curves(mut report: Report, name: &str, first: &TaskReport) -> Report {
    for line in first.lines.iter().filter(|line| line.curve.len() > 1) {
        let plot = LinePlot::new(format!("{name}: training of {} ({})", line.method, line.group), "epoch", "score")
            .series("score on held-out data", line.curve.iter().map(|point| (point.epoch, point.score)));
        report = report.plot(plot);
    }
    let remarks: Vec<String> = first
        .lines
        .iter()
        .filter(|line| !line.remark.is_empty())
        .map(|line| format!("{}: {}", line.method, line.remark))
        .collect();
    if remarks.is_empty() { report } else { report.text(remarks.join(". ") + ".") }
}

fn ablations(mut report: Report, outcomes: &[&Outcome]) -> Report {
    for (name, members) in groups(outcomes) {
        let settings = settings(&members);
        let Some(first) = settings.first().and_then(|(_, reports)| reports.first()) else { continue };
        let targets: Vec<Component> = Component::ALL.into_iter().filter(|&c| published(first, c).is_some()).collect();
        let mut columns = vec!["setting".to_string(), "seeds".into(), "rsum".into()];
        columns.extend(targets.iter().map(|c| format!("{c} R@10")));
        let mut table = Table::new(columns)
            .title(format!("{name}{}", synthetic(first)))
            .note("mean ± standard deviation over the seeds");
        let mut cells = vec!["chance".to_string(), String::new()];
        let by_chance = first.rsums.iter().find(|r| r.between == [Component::Text, Component::Image]);
        cells.push(by_chance.map_or("-".into(), |r| format!("{:.1}", r.rsum.chance)));
        for &target in &targets {
            cells.push(published(first, target).map_or("-".into(), |d| format!("{:.1}", d.recall_at_10.chance)));
        }
        table.push(cells);
        for (setting, reports) in &settings {
            let mut cells = vec![(*setting).to_string(), reports.len().to_string(), spread(reports, 1, rsum)];
            for &target in &targets {
                cells.push(spread(reports, 1, |r| published(r, target).map(|d| d.recall_at_10.value)));
            }
            table.push(cells);
        }
        report = report.table(table);
    }
    report
}

/// Configuration, seeds, data and command of every run.
fn provenance(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(["run", "seed", "data", "steps (kept)", "training s", "commands"]).title("Runs").note(
        "RUN is the folder that training wrote. A run whose training another one shares took no training of its own.",
    );
    for outcome in outcomes {
        let data = if outcome.sets.is_empty() { "synthetic town".to_string() } else { outcome.sets.join(" + ") };
        let mut commands = vec![outcome.command.clone()];
        commands.extend(outcome.evaluations.iter().map(|e| e.command.clone()));
        table.push([
            outcome.run.clone(),
            outcome.seed.to_string(),
            data,
            format!("{} ({})", outcome.steps[0], outcome.steps[1]),
            format!("{:.0}", outcome.seconds),
            commands.join("; "),
        ]);
    }
    table
}
