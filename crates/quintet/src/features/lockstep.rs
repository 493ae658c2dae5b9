//! Very many short phases of work, one after another, each shared between threads.
//!
//! The thread pool wakes and puts to sleep its threads for every parallel loop, which takes as long as a phase of some 50
//! microseconds. Here threads come once for all phases: they take tasks in order, and whoever takes the first of a phase
//! waits, awake, until the phase before is done.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Looks at a counter so often before the processor is offered to others.
const LOOKS: usize = 1 << 12;

/// Does tasks 0 to `phases[p]` of every phase `p`; a phase begins when all tasks of the one before are done. `task` gets
/// phase and task. Threads of the pool help where they are free; none is waited for.
pub(super) fn in_lockstep(phases: &[usize], task: impl Fn(usize, usize) + Sync) {
    let mut starts = vec![0];
    starts.extend(phases.iter().scan(0, |sum, tasks| {
        *sum += tasks;
        Some(*sum)
    }));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let total = starts[phases.len()];
    let work = || {
        let mut phase = 0;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= total {
                return;
            }
            while starts[phase + 1] <= at {
                phase += 1;
            }
            let mut looks = 0;
            while done.load(Ordering::Acquire) < starts[phase] {
                looks += 1;
                if looks % LOOKS == 0 {
                    std::thread::yield_now();
                }
                std::hint::spin_loop();
            }
            let _done = Done(&done);
            task(phase, at - starts[phase]);
        }
    };
    rayon::scope(|scope| {
        (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| work()));
        work();
    });
}

/// Counts a task as done when dropped, also by a panic, so that nobody waits for it.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn phases_follow_each_other_and_every_task_is_done_once() {
        let phases = [3, 0, 1, 40, 7, 0];
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let seen = Mutex::new(Vec::new());
            pool.install(|| in_lockstep(&phases, |phase, task| seen.lock().unwrap().push((phase, task))));
            let mut seen = seen.into_inner().unwrap();
            assert!(seen.is_sorted_by_key(|(phase, _)| *phase), "{seen:?}");
            seen.sort_unstable();
            let all = phases.iter().enumerate().flat_map(|(phase, &tasks)| (0..tasks).map(move |task| (phase, task)));
            assert_eq!(seen, all.collect::<Vec<_>>());
        }
        in_lockstep(&[], |_, _| unreachable!());
    }

    #[test]
    #[should_panic(expected = "the second")]
    fn a_panic_reaches_the_caller_and_nobody_waits_forever() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| in_lockstep(&[2, 2, 2], |phase, task| assert!((phase, task) != (1, 0), "the second")));
    }
}
