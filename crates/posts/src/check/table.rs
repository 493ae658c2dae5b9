//! The report as text: aligned tables, worst news last, where the eye ends up.

use std::collections::BTreeMap;
use std::fmt;

use super::{CheckReport, Severity, Topic};
use crate::Part;
use crate::component::Component;

/// Combinations, languages and label values shown; the rest is summed up.
const SHOWN: usize = 8;

/// Rows of cells with columns aligned: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(i, cell)| match i {
            0 => format!("  {cell:<0$}", widths[0]),
            _ => format!("  {cell:>0$}", widths[i]),
        });
        text += cells.collect::<String>().trim_end();
        text.push('\n');
    }
    text
}

/// The most frequent of `values` first, with counts.
fn frequent(values: &BTreeMap<String, usize>) -> String {
    let mut order: Vec<(&String, &usize)> = values.iter().collect();
    order.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), (*name).clone()));
    let mut text: Vec<String> = order.iter().take(SHOWN).map(|(name, n)| format!("{name} {n}")).collect();
    if order.len() > SHOWN {
        let rest: usize = order[SHOWN..].iter().map(|(_, n)| **n).sum();
        text.push(format!("{} others {rest}", order.len() - SHOWN));
    }
    text.join(", ")
}

fn part_name(part: Option<Part>) -> &'static str {
    part.map_or("no part", Part::name)
}

impl CheckReport {
    fn counts(&self) -> String {
        // Columns: parts that have posts.
        let parts: Vec<usize> = (0..4).filter(|&i| self.parts[i].posts > 0).collect();
        let name = |&i: &usize| part_name(Part::ALL.get(i).copied()).to_owned();
        let mut rows = vec![std::iter::once(String::new()).chain(parts.iter().map(name)).collect::<Vec<_>>()];
        let mut row = |label: &str, cell: &dyn Fn(&super::PartCounts) -> String| {
            rows.push(std::iter::once(label.to_owned()).chain(parts.iter().map(|&i| cell(&self.parts[i]))).collect());
        };
        row("posts", &|p| p.posts.to_string());
        row("authors", &|p| p.authors.to_string());
        for c in Component::ALL {
            let share = |p: &super::PartCounts| 100.0 * p.components[c] as f64 / p.posts.max(1) as f64;
            row(c.name(), &|p| format!("{} ({:.0} %)", p.components[c], share(p)));
        }
        let time =
            |t: Option<jiff::Timestamp>| t.map_or("unknown".into(), |t| t.strftime("%Y-%m-%d %H:%M").to_string());
        row("first (UTC)", &|p| time(p.first));
        row("last (UTC)", &|p| time(p.last));
        aligned(&rows)
    }

    fn combinations(&self) -> String {
        let mut all: BTreeMap<String, usize> = BTreeMap::new();
        for part in &self.parts {
            for (combination, n) in &part.combinations {
                *all.entry(combination.clone()).or_default() += n;
            }
        }
        let mut order: Vec<(String, usize)> = all.into_iter().collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rows: Vec<Vec<String>> = order.iter().map(|(name, n)| vec![name.clone(), n.to_string()]).collect();
        aligned(&rows)
    }

    fn overlap_rows(&self) -> Vec<Vec<String>> {
        let what = |topic| match topic {
            Topic::SamePost => "posts",
            Topic::SharedAuthors => "authors",
            Topic::SharedImages => "images",
            Topic::SharedTexts => "texts",
            _ => "near-duplicate texts",
        };
        self.overlaps
            .iter()
            .map(|o| {
                let amount = format!("{} of {}", o.posts, o.among);
                vec![
                    what(o.what).into(),
                    format!("{} in {}", o.of, o.with),
                    amount,
                    format!("{:.1} %", 100.0 * o.share()),
                ]
            })
            .collect()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let synthetic = if self.synthetic && !self.name.contains("synthetic") { " (synthetic)" } else { "" };
        writeln!(
            f,
            "{}{synthetic}: {} posts, parts {}\n",
            self.name,
            self.posts(),
            self.split.as_deref().unwrap_or("not made")
        )?;
        writeln!(f, "{}", self.counts())?;
        writeln!(f, "components together\n{}", self.combinations())?;
        for (i, part) in self.parts.iter().enumerate().filter(|(_, p)| p.posts > 0) {
            writeln!(f, "languages in {}: {}", part_name(Part::ALL.get(i).copied()), frequent(&part.languages))?;
        }
        for balance in &self.labels {
            let (kind, name) = (&balance.kind, &balance.name);
            writeln!(f, "label `{name}` of {kind}s in {}: {}", part_name(balance.part), frequent(&balance.values))?;
        }
        let d = &self.duplicates;
        let counts = [
            ("texts said before", d.texts),
            ("texts nearly said before", d.near_texts),
            ("texts too short to compare", d.short_texts),
            ("images shown before", d.images),
            ("ids used before", d.ids),
            ("image files", self.images.files),
            ("image files absent", self.images.absent.files),
            ("image files unreadable", self.images.unreadable.files),
            ("images known by address only", self.images.remote),
        ];
        let rows: Vec<Vec<String>> = counts.iter().map(|(name, n)| vec![(*name).to_owned(), n.to_string()]).collect();
        writeln!(f, "\nduplicates and images\n{}", aligned(&rows))?;
        if !self.overlaps.is_empty() {
            writeln!(f, "shared between parts\n{}", aligned(&self.overlap_rows()))?;
        }
        for finding in &self.findings {
            let severity = if finding.severity == Severity::Void { "VOID" } else { "warning" };
            writeln!(f, "{severity}: {}", finding.message)?;
        }
        if self.findings.is_empty() {
            writeln!(f, "nothing found that would void a result")?;
        }
        Ok(())
    }
}
