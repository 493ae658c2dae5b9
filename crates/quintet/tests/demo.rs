//! The demo runs from nothing to a report, on few posts, and its figures lie where they can.

use quintet::demo::{DemoOptions, demo};
use quintet::progress::Silent;

#[test]
fn a_small_demo_ends_in_a_table_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("demo");
    let report = demo(&into, &DemoOptions { posts: 400, seed: 1 }, &Silent::default()).unwrap();
    let figure = |direction: &str, method: &str| {
        let line = report.lines.iter().find(|l| l.direction == direction && l.method == method);
        line.unwrap_or_else(|| panic!("no line for {method}, {direction}:\n{report}")).clone()
    };
    for direction in ["text -> image", "image -> text"] {
        for method in ["VSE++", "quintet", "chance"] {
            // 20 is for the luck of 30 queries.
            let (line, ceiling) = (figure(direction, method), figure(direction, "ceiling"));
            assert!(line.recall[2] <= ceiling.recall[2] + 20.0, "{method}, {direction}, above the ceiling:\n{report}");
            assert_eq!(line.sizes, ceiling.sizes, "{method}, {direction}: other queries than the ceiling");
        }
    }
    assert!(figure("all others -> text", "quintet").recall[2] > figure("all others -> text", "chance").recall[2]);
    let page = std::fs::read_to_string(&report.report).unwrap();
    assert!(page.contains("<svg") && page.contains("synthetic") && page.contains("VSE++"));
    assert!(into.join("embeddings.parquet").is_file());
    // A second demo takes the place of the first.
    std::fs::write(into.join("left over"), "x").unwrap();
    let again = demo(&into, &DemoOptions { posts: 400, seed: 1 }, &Silent::default()).unwrap();
    assert!(!into.join("left over").exists());
    assert_eq!(again.lines, report.lines, "the same seed gives the same figures");
}
