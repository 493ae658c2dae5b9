//! The report as one page with plots: what must be looked at first, then what is in the corpus.

use jiff::ToSpan;
use jiff::civil::Date;
use quintet_report::{BarPlot, LinePlot, MARK, Report, Table, count};

use super::table::part_name;
use super::{CheckReport, Counted, PartCounts, Severity, Top};
use crate::Part;
use crate::component::Component;

/// Bars of a plot; more would be too many to read.
const BARS: usize = 15;
/// What stands where nothing is known.
const UNKNOWN: &str = "\u{2013}";
/// Named days under the plot of days.
const NAMED_DAYS: i64 = 3;

impl CheckReport {
    /// Everything in [`CheckReport`] as a page.
    pub fn page(&self) -> Report {
        let parts = if self.split.is_some() { "" } else { " Parts have not been made yet." };
        let mut report = Report::new(format!("{}: what is in the corpus", self.name));
        if self.synthetic {
            report = report.note("Synthetic posts: generated, not written by anybody.");
        }
        report = report.text(format!("{} posts.{parts}", count(self.posts())));
        report = self.verdict(report);
        report = self.what_is_there(report);
        report = self.when(report);
        report = self.names(report);
        report = self.twice(report);
        report = self.image_files(report);
        self.labels_of(report)
    }

    /// Parts that have posts.
    fn used(&self) -> impl Iterator<Item = (Option<Part>, &PartCounts)> {
        let part = |(i, counts)| (Part::ALL.get(i).copied(), counts);
        self.parts.iter().enumerate().map(part).filter(|(_, counts)| counts.posts > 0)
    }

    fn verdict(&self, mut report: Report) -> Report {
        report = report.section("Would results hold?");
        if self.findings.is_empty() {
            return report.text("Nothing was found that would void a result.");
        }
        let message = |severity| {
            let of = self.findings.iter().filter(move |f| f.severity == severity);
            of.map(|f| format!("\u{2022} {}", f.message)).collect::<Vec<_>>().join("\n")
        };
        let (void, warnings) = (message(Severity::Void), message(Severity::Warning));
        if !void.is_empty() {
            report = report.note(format!("Results on this corpus would not mean what they say:\n{void}"));
        }
        if warnings.is_empty() { report } else { report.text(format!("Worth a look:\n{warnings}")) }
    }

    fn what_is_there(&self, report: Report) -> Report {
        let rows = self.count_rows(count);
        let mut table = Table::new(rows[0].clone());
        let known = |cell: String| if cell == "unknown" { UNKNOWN.to_owned() } else { cell };
        rows.into_iter().skip(1).for_each(|row| table.push(row.into_iter().map(known)));
        let rule = self.split.as_deref().map_or_else(String::new, |rule| format!("Parts: {rule}. "));
        table = table.note(format!(
            "{rule}\u{201c}Texts cut\u{201d}: those that end in an ellipsis, as texts do that were cut."
        ));
        let all = self.posts().max(1) as f64;
        let mut shares = BarPlot::new("Posts that have each component", "% of all posts");
        for c in Component::ALL {
            let n: usize = self.parts.iter().map(|p| p.components[c]).sum();
            shares = shares.bar(c.name(), 100.0 * n as f64 / all, None);
        }
        let names = Component::ALL.map(Component::name);
        let mut together =
            Table::new(names.into_iter().chain(["posts", "share"])).title("Components that occur together");
        for Counted { name, posts } in self.together(|p| &p.combinations) {
            let has = names.map(|c| if name.split('+').any(|n| n == c) { MARK } else { "" }.to_owned());
            let share = format!("{:.1} %", 100.0 * posts as f64 / all);
            together.push(has.into_iter().chain([count(posts), share]));
        }
        report.section("What posts are made of").table(table).plot(shares).table(together)
    }

    fn when(&self, report: Report) -> Report {
        let report = report.section("When");
        let Some(pace) = self.pace() else { return report.text("No post has a time.") };
        let mut plot = LinePlot::new("Posts a day", "day (UTC)", "posts").from_zero();
        for (part, counts) in self.used().filter(|(_, c)| !c.days.is_empty()) {
            let (Some((&first, _)), Some((&last, _))) = (counts.days.first_key_value(), counts.days.last_key_value())
            else {
                continue;
            };
            let days = first.series(1.day()).take_while(|d| *d <= last);
            let points = days.map(|d| (days_after(pace.first, d), counts.days.get(&d).copied().unwrap_or(0) as f64));
            plot = plot.series(part_name(part), points);
        }
        let ticks = (0..=NAMED_DAYS).filter_map(|i| {
            let after = (pace.span as i64 - 1) * i / NAMED_DAYS;
            Some((after as f64, pace.first.checked_add(after.days()).ok()?.to_string()))
        });
        let mut ticks: Vec<(f64, String)> = ticks.collect();
        ticks.dedup();
        let (timed, days, span) = (count(pace.posts), count(pace.with_posts), count(pace.span));
        let (median, most) = (count(pace.median), count(pace.most));
        let text = format!(
            "{timed} posts have a time, from {} to {}, on {days} of {span} days; a day with posts has {median} of them \
             (median), the busiest {most} ({}).",
            pace.first, pace.last, pace.busiest
        );
        report.text(text).plot(plot.ticks(ticks))
    }

    fn names(&self, report: Report) -> Report {
        let languages = self.together(|p| &p.languages);
        let mut report = report
            .section("Languages, hashtags, places")
            .plot(bars("Languages, as the source says", &languages, languages.len()))
            .text(format!("Hashtags: {}.\nPlaces: {}.", summed(&self.tags), summed(&self.places)));
        for (title, top) in [("Most frequent hashtags", &self.tags), ("Most frequent places", &self.places)] {
            if !top.top.is_empty() {
                report = report.plot(bars(title, &top.top, top.different));
            }
        }
        report
    }

    fn twice(&self, mut report: Report) -> Report {
        let d = &self.duplicates;
        report = report.section("Said and shown more than once").text(
            "Texts are compared by their words, without hashtags, mentions, links and case; those of fewer than four words \
             are not compared. Near-duplicates share most of their words and word pairs (Jaccard similarity at least 0.6), \
             numbers aside.",
        );
        let counts = [
            ("texts said before", d.texts),
            ("texts nearly said before, those included", d.near_texts),
            ("texts too short to compare", d.short_texts),
            ("images shown before", d.images),
            ("ids used before", d.ids),
        ];
        let table = counts.iter().fold(Table::new(["repeated", "posts"]), |t, (what, n)| t.row([*what, &count(*n)]));
        report = report.table(table);
        if !self.near.largest.is_empty() {
            let mut table = Table::new(["posts", "authors", "the first of them"]).title(format!(
                "Largest of {} groups of near-duplicates ({} posts)",
                count(self.near.groups),
                count(self.near.posts)
            ));
            for group in &self.near.largest {
                let authors = if group.authors == 0 { UNKNOWN.to_owned() } else { count(group.authors) };
                table.push([count(group.posts), authors, format!("{} ({})", group.text, group.example)]);
            }
            report = report.table(table);
        }
        if self.overlaps.is_empty() {
            return report;
        }
        let mut table = Table::new(["shared", "between", "posts", "share"]).title("Shared between parts");
        // On a narrow page the first column breaks into lines, not "2 of 100".
        let whole = |(i, cell): (usize, String)| if i == 0 { cell } else { cell.replace(' ', "\u{a0}") };
        self.overlap_rows().into_iter().for_each(|row| table.push(row.into_iter().enumerate().map(whole)));
        report.table(table)
    }

    fn image_files(&self, report: Report) -> Report {
        let i = &self.images;
        let report = report.section("Image files");
        if i.files + i.remote == 0 {
            return report.text("No post has an image.");
        }
        let mut table = Table::new(["first images of posts", "files", "posts", "such as"]);
        table.push(["files referred to".into(), count(i.files), String::new(), String::new()]);
        for (what, bad) in [("absent", &i.absent), ("unreadable", &i.unreadable), ("cut off", &i.cut)] {
            table.push([what.into(), count(bad.files), count(bad.posts), bad.examples.join(", ")]);
        }
        table.push(["known by address only".into(), String::new(), count(i.remote), String::new()]);
        report.table(table)
    }

    fn labels_of(&self, mut report: Report) -> Report {
        if self.labels.is_empty() {
            return report;
        }
        report = report.section("Labels");
        let mut names: Vec<(&str, &str)> = self.bots.iter().map(|b| (b.kind.as_str(), b.name.as_str())).collect();
        names.dedup();
        for (kind, name) in names {
            let mut plot =
                BarPlot::new(format!("Bots among {kind}s, by label {name}"), format!("% of labelled {kind}s"));
            for bots in self.bots.iter().filter(|b| (b.kind.as_str(), b.name.as_str()) == (kind, name)) {
                plot = plot.bar(part_name(bots.part), 100.0 * bots.bots as f64 / bots.labelled.max(1) as f64, None);
            }
            report = report.plot(plot);
        }
        let mut table = Table::new(["label", "of", "part", "value", "labelled"]);
        for balance in &self.labels {
            let mut values: Vec<(&String, &usize)> = balance.values.iter().collect();
            values.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
            let (name, kind, part) = (&balance.name, format!("{}s", balance.kind), part_name(balance.part));
            for (value, n) in values.iter().take(BARS) {
                table.push([name.as_str(), &kind, part, value, &count(**n)]);
            }
            if let Some(rest) = values.get(BARS..).filter(|rest| !rest.is_empty()) {
                let n: usize = rest.iter().map(|(_, n)| **n).sum();
                table.push([name.as_str(), &kind, part, &format!("{} others", count(rest.len())), &count(n)]);
            }
        }
        report.table(table)
    }
}

fn days_after(first: Date, day: Date) -> f64 {
    (day.duration_since(first).as_hours() / 24) as f64
}

fn summed(top: &Top) -> String {
    if top.posts == 0 {
        return "none".to_owned();
    }
    let [different, posts, once] = [top.different, top.posts, top.once].map(count);
    format!("{different} different in {posts} posts, {once} of them in one post only")
}

/// The first of `different` names with counts as bars; how many are left out is said in the note.
fn bars(title: &str, names: &[Counted], different: usize) -> BarPlot {
    let shown = names.len().min(BARS);
    let plot =
        names[..shown].iter().fold(BarPlot::new(title, "posts").counts(), |p, n| p.bar(&n.name, n.posts as f64, None));
    if different > shown { plot.note(format!("The {shown} most frequent of {}.", count(different))) } else { plot }
}
