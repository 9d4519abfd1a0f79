//! Calls into a library that panics on some damaged files: what a file can cause must be an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it becomes an error, and nothing is printed. What `work` was at is not to be used again.
pub(crate) fn guard<T, E: std::fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    match done {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("it is damaged".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_an_error() {
        let divide = |by: u32| super::guard(|| 6_u32.checked_rem(by).map(|_| 6 / by).ok_or("by zero"));
        assert_eq!((divide(2), divide(0)), (Ok(3), Err("by zero".to_owned())));
        let zero: Vec<u32> = Vec::new();
        assert_eq!(super::guard(|| Ok::<_, String>(zero[zero.len()])), Err("it is damaged".to_owned()));
    }
}
