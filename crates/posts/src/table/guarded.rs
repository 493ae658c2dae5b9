//! The Parquet reader panics on some damaged files; here that is a failure of the file, said as such.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// A panic of this thread is caught below and must not be printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls into the reader. After a failure what it was given must not be used again.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    CAUGHT.set(false);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        format!("it is damaged ({})", text.unwrap_or("the reader gave up"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure() {
        assert_eq!(guarded(|| 5), Ok(5));
        let nothing: &[u8] = &[];
        assert!(guarded(|| nothing[1..].len()).is_err_and(|e| e.starts_with("it is damaged (")));
        assert!(!CAUGHT.get());
    }
}
