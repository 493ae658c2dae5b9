//! Folders torn at any byte: acknowledged lines stay, the others come back as far as they are whole, none comes twice.

use super::*;

fn open(root: &Path) -> Store {
    Store::open(root, "test", &json!({}), StoreOptions { rotate_bytes: 3000, ..StoreOptions::default() }).unwrap()
}

fn line(n: usize) -> Vec<u8> {
    format!("{{\"n\":{n},\"hash\":\"{}\"}}", blake3::hash(&n.to_le_bytes())).into_bytes()
}

fn lines(root: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (_, path) in raw::files(root).unwrap() {
        recover::each_line(&path, |line| all.push(line.to_vec())).unwrap();
    }
    all
}

/// A folder as a kill leaves it: some lines acknowledged, further ones written by the encoder, the last in no file.
fn killed(root: &Path) {
    let mut store = open(root);
    for n in 0..120 {
        store.push(&line(n)).unwrap();
        if n % 10 == 9 {
            store.save().unwrap();
        }
    }
    // The next sync of the file, without the cursor.
    for n in 120..150 {
        store.push(&line(n)).unwrap();
    }
    store.file.as_mut().unwrap().sync().unwrap();
    store.push(&line(150)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("raw")).unwrap();
    for name in ["collect.json", "cursor.json", "log.jsonl"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    for (_, path) in raw::files(from).unwrap() {
        std::fs::copy(&path, to.join("raw").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_file_torn_at_any_byte_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let origin = folder.path().join("origin");
    killed(&origin);
    let state = State::read(&origin).unwrap();
    assert_eq!(state.lines, 120);
    let (_, last) = raw::files(&origin).unwrap().pop().unwrap();
    let length = std::fs::metadata(&last).unwrap().len();
    assert!(state.mark.frame < state.mark.bytes && state.mark.bytes < length, "{:?} of {length}", state.mark);
    for (n, cut) in (state.mark.bytes..=length).step_by(37).chain([length]).enumerate() {
        let torn = folder.path().join(n.to_string());
        copy(&origin, &torn);
        let path = torn.join("raw").join(last.file_name().unwrap());
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let store = open(&torn);
        let found = lines(&torn);
        assert!(found.len() >= 120 && found.len() <= 150, "{} lines at {cut}", found.len());
        assert_eq!(found, (0..found.len()).map(line).collect::<Vec<_>>());
        assert_eq!((store.state.lines, store.missing), (found.len() as u64, 0));
        assert_eq!(store.rescued, found.len() as u64 - 120);
        // What was read is whole files again: nothing is left to do at the next start.
        drop(store);
        assert_eq!(open(&torn).rescued, 0);
        assert_eq!(lines(&torn), found);
    }
}

#[test]
fn a_recovery_that_was_killed_itself_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, done) = (folder.path().join("origin"), folder.path().join("done"));
    killed(&origin);
    copy(&origin, &done);
    drop(open(&done));
    let found = lines(&done);
    let (_, new) = raw::files(&done).unwrap().pop().unwrap();
    // The new file was written, nothing else was done.
    std::fs::copy(&new, origin.join("raw").join(new.file_name().unwrap())).unwrap();
    std::fs::write(origin.join("raw/.quintet-x.tmp"), "half a file").unwrap();
    let store = open(&origin);
    assert_eq!((store.state.lines, store.missing), (found.len() as u64, 0));
    assert_eq!(lines(&origin), found);
    drop(store);
    // The old file was cut as well, the cursor not yet replaced.
    std::fs::copy(folder.path().join("done/raw").join(new.file_name().unwrap()), &new).unwrap();
    let before = folder.path().join("before");
    killed(&before);
    let cursor = std::fs::read(before.join("cursor.json")).unwrap();
    drop(open(&before));
    std::fs::write(before.join("cursor.json"), cursor).unwrap();
    let store = open(&before);
    assert_eq!((store.state.lines, store.missing), (found.len() as u64, 0));
    assert_eq!(lines(&before), found);
}

#[test]
fn lost_lines_are_told_and_files_may_be_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path());
    let state = State::read(folder.path()).unwrap();
    let files = raw::files(folder.path()).unwrap();
    let (_, last) = files.last().unwrap();
    std::fs::OpenOptions::new().write(true).open(last).unwrap().set_len(state.mark.frame).unwrap();
    let store = open(folder.path());
    assert_eq!(store.missing, state.mark.lines - state.mark.frame_lines);
    drop(store);

    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    (0..100).for_each(|n| store.push(&line(n)).unwrap());
    store.close().unwrap();
    for (_, path) in raw::files(folder.path()).unwrap() {
        std::fs::remove_file(path).unwrap();
    }
    let mut store = open(folder.path());
    assert_eq!((store.missing, store.state.lines), (0, 100));
    store.push(&line(100)).unwrap();
    store.close().unwrap();
    assert_eq!(lines(folder.path()), [line(100)]);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("posts.parquet"), "x").unwrap();
    let error = Store::open(folder.path(), "test", &json!({}), StoreOptions::default()).err().unwrap();
    assert!(error.what().contains("other files") && error.way_out().is_some(), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn another_collection_is_refused_by_what_differs_unless_nothing_came_yet() {
    let folder = tempfile::tempdir().unwrap();
    let open = |about: &Value| Store::open(folder.path(), "test", about, StoreOptions::default());
    let (slip, meant) = (json!({"what": {"host": "a", "rate": 1}}), json!({"what": {"host": "b", "rate": 1}}));
    open(&slip).unwrap();
    let mut store = open(&meant).unwrap();
    store.push(&line(1)).unwrap();
    store.close().unwrap();
    let error = open(&slip).err().unwrap();
    assert_eq!(error.what(), "the folder holds another collection: what.host is \"b\", not \"a\"");
    let error = Store::open(folder.path(), "other", &meant, StoreOptions::default()).err().unwrap();
    assert!(error.what().ends_with("from test, not other"), "{error}");
    drop(open(&meant).unwrap());
}
