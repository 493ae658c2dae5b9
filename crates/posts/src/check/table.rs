//! The report as text: aligned tables, worst news last, where the eye ends up.

use std::collections::BTreeMap;
use std::fmt;

use super::{CheckReport, Counted, Pace, Severity, Top, Topic};
use crate::Part;
use crate::component::Component;

/// Combinations, languages and label values shown; the rest is summed up.
const SHOWN: usize = 8;
/// Groups of near-duplicates shown.
const SHOWN_GROUPS: usize = 5;

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

/// The most frequent names on one line, and what they are the top of.
fn listed(top: &Top) -> String {
    let shown: Vec<String> = top.top.iter().take(SHOWN).map(|c| format!("{} {}", c.name, c.posts)).collect();
    let colon = if shown.is_empty() { "" } else { ": " };
    let (different, posts) = (top.different, top.posts);
    format!("{different} different in {posts} posts, {} in one post only{colon}{}", top.once, shown.join(", "))
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pace { first, last, posts, span, with_posts, median, most, busiest } = self;
        write!(f, "days (UTC): {posts} posts have a time, from {first} to {last}, on {with_posts} of {span} days; ")?;
        write!(f, "a day with posts has {median} of them (median), the busiest {most} ({busiest})")
    }
}

pub(super) fn part_name(part: Option<Part>) -> &'static str {
    part.map_or("no part", Part::name)
}

impl CheckReport {
    /// What is counted by part, in rows; columns are the parts that have posts. `number` writes a count.
    pub(super) fn count_rows(&self, number: fn(usize) -> String) -> Vec<Vec<String>> {
        let parts: Vec<usize> = (0..4).filter(|&i| self.parts[i].posts > 0).collect();
        let name = |&i: &usize| part_name(Part::ALL.get(i).copied()).to_owned();
        let mut rows = vec![std::iter::once(String::new()).chain(parts.iter().map(name)).collect::<Vec<_>>()];
        let mut row = |label: &str, cell: &dyn Fn(&super::PartCounts) -> String| {
            rows.push(std::iter::once(label.to_owned()).chain(parts.iter().map(|&i| cell(&self.parts[i]))).collect());
        };
        row("posts", &|p| number(p.posts));
        row("authors", &|p| number(p.authors));
        for c in Component::ALL {
            let share = |p: &super::PartCounts| 100.0 * p.components[c] as f64 / p.posts.max(1) as f64;
            row(c.name(), &|p| format!("{} ({:.0} %)", number(p.components[c]), share(p)));
        }
        let time =
            |t: Option<jiff::Timestamp>| t.map_or("unknown".into(), |t| t.strftime("%Y-%m-%d %H:%M").to_string());
        row("texts cut", &|p| number(p.truncated));
        row("first (UTC)", &|p| time(p.first));
        row("last (UTC)", &|p| time(p.last));
        rows
    }

    fn combinations(&self) -> String {
        let order = self.together(|p| &p.combinations);
        let share = |n: usize| format!("{:.0} %", 100.0 * n as f64 / self.posts().max(1) as f64);
        let row = |c: &Counted| vec![c.name.clone(), c.posts.to_string(), share(c.posts)];
        aligned(&order.iter().map(row).collect::<Vec<_>>())
    }

    /// What occurs more than once, and the health of image files, in rows.
    pub(super) fn duplicate_rows(&self) -> Vec<Vec<String>> {
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
            ("image files cut off", self.images.cut.files),
            ("images known by address only", self.images.remote),
        ];
        counts.iter().map(|(name, n)| vec![(*name).to_owned(), n.to_string()]).collect()
    }

    pub(super) fn overlap_rows(&self) -> Vec<Vec<String>> {
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
        writeln!(f, "{}", aligned(&self.count_rows(|n| n.to_string())))?;
        writeln!(f, "components together\n{}", self.combinations())?;
        for (i, part) in self.parts.iter().enumerate().filter(|(_, p)| p.posts > 0) {
            writeln!(f, "languages in {}: {}", part_name(Part::ALL.get(i).copied()), frequent(&part.languages))?;
        }
        if let Some(pace) = self.pace() {
            writeln!(f, "{pace}")?;
        }
        for (what, top) in [("hashtags", &self.tags), ("places", &self.places)] {
            writeln!(f, "{what}: {}", listed(top))?;
        }
        for bots in &self.bots {
            let (kind, name, part) = (&bots.kind, &bots.name, part_name(bots.part));
            let share = 100.0 * bots.bots as f64 / bots.labelled.max(1) as f64;
            writeln!(f, "bots in {part}: {} of {} {kind}s ({share:.1} %) by label `{name}`", bots.bots, bots.labelled)?;
        }
        for balance in &self.labels {
            let (kind, name) = (&balance.kind, &balance.name);
            writeln!(f, "label `{name}` of {kind}s in {}: {}", part_name(balance.part), frequent(&balance.values))?;
        }
        writeln!(f, "\nduplicates and images\n{}", aligned(&self.duplicate_rows()))?;
        if !self.near.largest.is_empty() {
            writeln!(f, "said again and again ({} posts in {} groups)", self.near.posts, self.near.groups)?;
            for group in self.near.largest.iter().take(SHOWN_GROUPS) {
                let (posts, id) = (group.posts, &group.example);
                let by = match group.authors {
                    0 => "unknown authors".to_owned(),
                    1 => "one author".to_owned(),
                    many => format!("{many} authors"),
                };
                writeln!(f, "  {posts} posts by {by}, such as {id}: {}", group.text)?;
            }
            writeln!(f)?;
        }
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
