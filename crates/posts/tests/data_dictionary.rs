//! The page "Bring your data" says what the program does: its dictionary is that of the type, and it names every format.

use std::path::Path;

use quintet_posts::{dictionary, formats};

const BEGIN: &str = "<!-- dictionary: made from the type `Post`, not by hand -->\n";
const END: &str = "<!-- end of dictionary -->\n";

#[test]
fn the_page_has_the_dictionary_of_the_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bring-your-data.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page marks where the dictionary begins");
    let (_, after) = rest.split_once(END).expect("the page marks where the dictionary ends");
    let want = format!("{before}{BEGIN}{}{END}{after}", dictionary::markdown());
    if std::env::var_os("QUINTET_WRITE_DOCS").is_some() {
        std::fs::write(&path, want).unwrap();
        return;
    }
    assert!(
        page == want,
        "docs/bring-your-data.md differs from the type `Post`; make it anew with\n  \
         QUINTET_WRITE_DOCS=1 cargo test --release --workspace --test data_dictionary"
    );
}

#[test]
fn the_page_names_every_format() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bring-your-data.md");
    let page = std::fs::read_to_string(path).unwrap();
    let missing: Vec<&str> =
        formats::ALL.iter().map(|f| f.name()).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/bring-your-data.md does not name {missing:?}");
}
