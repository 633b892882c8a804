//! What asks for the end of the machine: a press of the power button, or a signal to the first process.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use nix::sys::signal::{SigSet, Signal};
use rustix::system::{RebootCommand, reboot};

use super::{Asked, say, start_thread};

/// Values of `linux/input-event-codes.h`.
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

/// `struct input_event` on a 64-bit machine: time (16 bytes), type, code, value.
const EVENT_BYTES: usize = 24;

/// Takes signals from now on: TERM switches the machine off, INT (which the three keys send) restarts it.
pub(super) fn watch_signals(ask: Sender<Asked>) -> Result<(), String> {
    let refused = |error: nix::errno::Errno| format!("signals cannot be waited for: {error}");
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    // All threads after this one inherit it, so that the signals come to the one that waits.
    signals.thread_block().map_err(refused)?;
    if let Err(error) = reboot(RebootCommand::CadOff) {
        say(&format!(
            "the three keys restart the machine at once, as the kernel refuses to leave them: {error}"
        ));
    }
    start_thread("signals", move || {
        while let Ok(signal) = signals.wait() {
            let asked = if signal == Signal::SIGINT {
                Asked::Restart
            } else {
                Asked::PowerOff
            };
            say(&format!("{signal} received, stopping"));
            // Nobody listens any more once the machine is on its way down.
            let _ = ask.send(asked);
        }
    });
    Ok(())
}

/// Watches every device that has a power key.
pub(super) fn watch_button(ask: &Sender<Asked>) {
    let devices = devices();
    if devices.is_empty() {
        say("no power button found: stop the machine through the control socket or by a signal");
    }
    for device in devices {
        let ask = ask.clone();
        start_thread("power-button", move || wait_for_press(device, &ask));
    }
}

fn devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/sys/class/input")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let with_key = entries.filter(|path| {
        let keys = fs::read_to_string(path.join("device/capabilities/key")).unwrap_or_default();
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("event"))
            && has_key(&keys, KEY_POWER)
    });
    with_key
        .filter_map(|path| Some(PathBuf::from("/dev/input").join(path.file_name()?)))
        .collect()
}

/// The kernel prints its bit map as hexadecimal words of 64 bits, the highest first.
fn has_key(words: &str, key: u16) -> bool {
    let word = words.split_whitespace().rev().nth(usize::from(key / 64));
    word.and_then(|word| u64::from_str_radix(word, 16).ok())
        .is_some_and(|bits| bits >> (key % 64) & 1 == 1)
}

fn wait_for_press(device: PathBuf, ask: &Sender<Asked>) {
    let mut event = [0_u8; EVENT_BYTES];
    let outcome = File::open(&device).and_then(|mut file| {
        while !is_press(&event) {
            file.read_exact(&mut event)?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        return say(&format!("the power button {} cannot be read: {error}", device.display()));
    }
    say("power button pressed, stopping");
    // Nobody listens any more once the machine is on its way down.
    let _ = ask.send(Asked::PowerOff);
}

fn is_press(event: &[u8; EVENT_BYTES]) -> bool {
    let kind = u16::from_ne_bytes([event[16], event[17]]);
    let code = u16::from_ne_bytes([event[18], event[19]]);
    let value = i32::from_ne_bytes([event[20], event[21], event[22], event[23]]);
    kind == EV_KEY && code == KEY_POWER && value == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_in_the_bit_map() {
        assert!(has_key("10000000000000 0", KEY_POWER));
        assert!(has_key("1 10000000000000 0\n", KEY_POWER));
        for words in ["", "0", "10000000000000", "8000000000000 0", "x 0"] {
            assert!(!has_key(words, KEY_POWER), "{words:?}");
        }
    }

    #[test]
    fn only_the_press_counts() {
        let mut event = [0_u8; EVENT_BYTES];
        assert!(!is_press(&event));
        event[16..18].copy_from_slice(&EV_KEY.to_ne_bytes());
        event[18..20].copy_from_slice(&KEY_POWER.to_ne_bytes());
        assert!(!is_press(&event), "let go");
        event[20] = 1;
        assert!(is_press(&event));
    }
}
