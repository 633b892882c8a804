//! Many small pieces of work on a few threads, until all are done or one has failed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Threads that work.
const THREADS: usize = 2;
/// Pieces between two words about how far it is.
const SAY_EVERY: usize = 100;

/// Does pieces `0..count`, and says now and then how many were begun. The error is that of the first piece seen to fail.
pub fn each<E: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<(), E> + Sync,
    say: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), E> {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<E>> = Mutex::new(None);
    let go_on = || {
        while !over.load(Ordering::Relaxed) {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return;
            }
            if piece.is_multiple_of(SAY_EVERY) {
                say(piece, count);
            }
            if let Err(why) = work(piece) {
                over.store(true, Ordering::Relaxed);
                failure.lock().expect("no panic is survived").get_or_insert(why);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(go_on);
        }
        go_on();
    });
    failure.into_inner().expect("no panic is survived").map_or(Ok(()), Err)
}
