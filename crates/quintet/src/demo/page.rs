//! The demo's report page: table, loss, recalls, figures beside chance and ceiling, a map of the space by topic.

use std::collections::BTreeMap;

use super::{DemoReport, Outcome};
use crate::component::Component;
use crate::error::Result;
use crate::features::Dense;
use crate::posts::{Corpus, town};
use crate::report::{BarPlot, LinePlot, Report, ScatterPlot, map};
use crate::train::log::{self, Entry};
use crate::train::run::LOG;

/// Steps that a point of the loss curve averages over: single batches of 64 posts are noise.
const SMOOTH: usize = 20;

/// The whole page.
pub(super) fn page(demo: &DemoReport, corpus: &Corpus, ours: &Outcome, vsepp: &Outcome) -> Result<Report> {
    let logs = [("quintet", log::read(&ours.run.join(LOG))?), ("VSE++", log::read(&vsepp.run.join(LOG))?)];
    let mut report = Report::new("Quintet on a synthetic town")
        .note("Every post behind these figures is made up by `quintet town`. They show that the parts work together, not how well the method does on real posts.")
        .section("Retrieval")
        .text("A post is asked for by one of its components, or by all others (the published protocol), among all posts of the test part. VSE++ is text and image alone, by the hardest negative, trained on the same posts.")
        .table(demo.table());
    for direction in ["text -> image", "image -> text"] {
        report = report.plot(bars(demo, direction));
    }
    report = report.section("Training").plot(loss(&logs));
    for (from, to) in [(Component::Text, Component::Image), (Component::Image, Component::Text)] {
        report = report.plot(recalls(&logs, from, to));
    }
    Ok(report
        .section("The space")
        .text("Each point is a post of the test part: the mean of its components' vectors, laid out in two dimensions so that near posts stay near (t-SNE). Colours are the hidden topics, which training never saw.")
        .plot(space(corpus, ours)?))
}

/// Recall@10 of every method in one direction.
fn bars(demo: &DemoReport, direction: &str) -> BarPlot {
    let mut plot = BarPlot::new(format!("{direction}, recall@10"), "recall@10, %");
    for line in demo.lines.iter().filter(|line| line.direction == direction) {
        plot = match line.method {
            "chance" | "ceiling" => plot.reference(line.method, line.recall[2]),
            method => plot.bar(method, line.recall[2], None),
        };
    }
    plot
}

/// Loss per post and component, averaged over some steps.
fn loss(logs: &[(&str, Vec<Entry>)]) -> LinePlot {
    let mut plot = LinePlot::new("Training loss", "step", "loss per post and component").from_zero();
    for (name, log) in logs {
        let steps: Vec<(f64, f64)> = log
            .iter()
            .filter_map(|entry| match entry {
                Entry::Step { step, loss, pairs, .. } => {
                    Some((*step as f64, loss / pairs.values().sum::<usize>().max(1) as f64))
                }
                _ => None,
            })
            .collect();
        let mean = |chunk: &[(f64, f64)]| {
            let n = chunk.len() as f64;
            (chunk.iter().map(|p| p.0).sum::<f64>() / n, chunk.iter().map(|p| p.1).sum::<f64>() / n)
        };
        plot = plot.series(*name, steps.chunks(SMOOTH).map(mean));
    }
    plot
}

/// Recall@10 on the dev part while training.
fn recalls(logs: &[(&str, Vec<Entry>)], from: Component, to: Component) -> LinePlot {
    let mut plot = LinePlot::new(format!("{from} -> {to} on dev"), "step", "recall@10, %").from_zero();
    for (name, log) in logs {
        let points = log.iter().filter_map(|entry| match entry {
            Entry::Validation { step, directions, .. } => {
                let direction = directions.iter().find(|d| d.from == from && d.to == to)?;
                Some((*step as f64, direction.recall[2]))
            }
            _ => None,
        });
        plot = plot.series(*name, points);
    }
    plot
}

/// The test posts on a map, by topic.
fn space(corpus: &Corpus, ours: &Outcome) -> Result<ScatterPlot> {
    let topics = town::topics(corpus)?;
    let mut points = Dense::new(ours.embeddings.dim);
    let mut of_point = Vec::new();
    for i in map::sample(ours.dataset.len()) {
        if let (Some(average), Some(topic)) = (ours.embeddings.average(i), topics.get(&ours.dataset.ids[i])) {
            points.push(&average);
            of_point.push(topic.as_str());
        }
    }
    let mut by_topic: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (topic, place) in of_point.into_iter().zip(map::layout(&points)) {
        by_topic.entry(topic).or_default().push(place);
    }
    Ok(by_topic
        .into_iter()
        .fold(ScatterPlot::new("Test posts by hidden topic"), |plot, (topic, places)| plot.category(topic, places)))
}
