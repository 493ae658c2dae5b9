use quintet::features::Dense;
use quintet::report::{BarPlot, LinePlot, Report, ScatterPlot, Table, map};
fn main() {
    let noise = |i: usize, s: usize| ((i * 2654435761 + s * 40503) % 1000) as f64 / 1000.0;
    let names = ["text", "image", "hashtags", "location", "user"];
    let mut loss = LinePlot::new("Loss per component", "step", "loss (sum over the batch)").from_zero();
    for (k, n) in names.iter().enumerate() {
        loss = loss.series(
            *n,
            (0..900).map(|i| {
                (i as f64 * 10.0, 30.0 * (-(i as f64) / (150.0 + 60.0 * k as f64)).exp() + 2.0 + noise(i, k) * 3.0)
            }),
        );
    }
    let mut recall = LinePlot::new("Recall on the dev part", "step", "recall@10, %").from_zero();
    for (k, n) in ["text -> image", "image -> text", "paper's protocol"].iter().enumerate() {
        recall = recall.series(
            *n,
            (0..19).map(|i| (i as f64 * 500.0, 70.0 * (1.0 - (-(i as f64) / (3.0 + k as f64)).exp()) + noise(i, k))),
        );
    }
    let topics = [
        "bakery",
        "football",
        "harbour",
        "concert",
        "garden",
        "election",
        "weather",
        "trains",
        "museum",
        "night market",
    ];
    let mut points = Dense::new(64);
    for i in 0..1200usize {
        let t = i % 10;
        let mut row: Vec<f32> = (0..64).map(|d| (noise(i * 64 + d, 7) as f32 - 0.5) * 0.35).collect();
        row[t] += 1.0;
        row[10 + (i / 10) % 5] += 0.35;
        let n = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        points.push(&row.iter().map(|v| v / n).collect::<Vec<_>>());
    }
    let t = std::time::Instant::now();
    let xy = map::layout(&points);
    eprintln!("map of 1200 points: {:?}", t.elapsed());
    let mut scatter = ScatterPlot::new("The joint space, coloured by topic")
        .note("1,200 synthetic posts, t-SNE of the average embedding; only nearness means something.");
    for (t, name) in topics.iter().enumerate() {
        scatter = scatter.category(*name, xy.iter().enumerate().filter(|(i, _)| i % 10 == t).map(|(_, p)| *p));
    }
    let table = Table::new(["model", "direction", "R@1", "R@5", "R@10", "median rank", "rsum"])
        .title("Retrieval on the test part, 200 candidates")
        .row(["ours, five components", "text -> image", "31.0", "62.5", "74.0", "3", "167.5"])
        .row(["ours, five components", "image -> text", "29.5", "60.0", "71.5", "4", "161.0"])
        .row(["VSE++, text and image", "text -> image", "22.0", "50.5", "63.5", "5", "136.0"])
        .row(["chance", "text -> image", "0.5", "2.5", "5.0", "100", "8.0"])
        .note("Ties count against the model.");
    print!("{}", table.plain());
    Report::new("Quintet demo: the town")
        .note("Every figure on this page is from synthetic posts (town, 2,000 posts, seed 1). It shows that the pipeline works, not how well it does on real ones.")
        .section("Retrieval")
        .text("A query is a post without the target component; the score is the largest cosine over its components.")
        .table(table)
        .plot(BarPlot::new("Recall@10, text -> image", "recall@10, %")
            .bar("ours, five components", 74.0, Some((68.0, 80.1)))
            .bar("VSE++, text and image", 63.5, Some((57.0, 70.0)))
            .bar("a failed run", f64::NAN, None)
            .bar("untrained", 4.5, Some((2.0, 7.5)))
            .reference("chance", 5.0).reference("the town's ceiling", 91.0).note("Bars are one run; lines are 95 % bootstrap intervals over 200 posts."))
        .section("Training")
        .plot(loss).plot(recall)
        .section("Map").plot(scatter)
        .write(std::path::Path::new("/tmp/report_demo.html")).unwrap();
}
