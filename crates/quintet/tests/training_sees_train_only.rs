//! Promise: nothing trained sees validation or test posts; dev posts only choose among the weights.

mod common;

use common::{Small, Trace};
use quintet::posts::Part;
use quintet::progress::Silent;

#[test]
fn weights_do_not_depend_on_dev_and_test_posts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = Small::new();
    let train = |small: &Small, name: &str| {
        let into = folder.path().join(name);
        small.train(&into, false, &Silent::default()).expect("trained");
        Trace::of(&into)
    };
    let before = train(&small, "before");
    let data = &mut small.dataset;
    let changed: Vec<usize> = (0..data.len()).filter(|&i| data.parts[i] != Some(Part::Train)).collect();
    for &i in &changed {
        // Another image, another author, another text of the same length.
        if data.image[i] != u32::MAX {
            let row = data.image[i] as usize * data.images.dim;
            data.images.values[row] += 3.0;
        }
        if data.user[i] != u32::MAX {
            data.user[i] = 0;
        }
        let (from, to) = (data.text.offsets[i], data.text.offsets[i + 1]);
        data.text.values[from..to].iter_mut().for_each(|token| *token = (*token + 7) % 40);
    }
    let after = train(&small, "after");
    assert!(changed.len() == 80 && before.log != after.log, "the change must show in the validations");
    assert!(before.last == after.last, "last weights depend on posts outside the training part");
    let steps = |trace: &Trace| trace.log.iter().filter(|l| l["kind"] == "step").cloned().collect::<Vec<_>>();
    assert_eq!(steps(&before), steps(&after));
}
