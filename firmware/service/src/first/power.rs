//! The power button: a press asks the daemon to stop in order, exactly as a signal does.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::{power_off, say, start_thread};

/// Values of `linux/input-event-codes.h`.
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

/// `struct input_event` on a 64-bit machine: time (16 bytes), type, code, value.
const EVENT_BYTES: usize = 24;

/// An ordered stop that takes longer than this is given up; the archives recover as after a power cut.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Watches every device that has a power key.
pub(super) fn watch() {
    let devices = devices();
    if devices.is_empty() {
        say("no power button found: stop the machine through the control socket or by a signal");
    }
    for device in devices {
        start_thread("power-button", move || wait_for_press(device));
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

fn wait_for_press(device: PathBuf) {
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
    if let Err(error) = kill_process(getpid(), Signal::TERM) {
        say(&format!("the daemon cannot be told to stop: {error}"));
    }
    thread::sleep(STOP_LIMIT);
    say(&format!("the daemon did not stop within {} s", STOP_LIMIT.as_secs()));
    power_off()
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
