//! The appliance as a whole: identity, devices, events, doctor.

use blockhaul_core::control::types::{Check, Devices, EventRecord, Identity, Severity};

use super::table::{Table, facts};
use super::text::printable;
use super::units::{count, size, time};
use super::{Look, Tone, archive, plan};

/// Who this is, and how another appliance pairs with it.
pub fn identity(identity: &Identity, look: &Look) -> String {
    let listening = if identity.listening.is_empty() {
        "not for peers".into()
    } else {
        identity.listening.join(", ")
    };
    let lines = [
        ("Key", identity.fingerprint.to_string()),
        ("Listening", listening),
        ("Version", identity.version.clone()),
        ("Protocol", identity.protocol.to_string()),
    ];
    facts(&lines, look)
        + "\nAnother appliance adds this one with:\n  blockhaul peer add NAME --route HOST:PORT --key "
        + &identity.fingerprint.to_string()
        + "\n"
}

/// Disks and NICs.
pub fn devices(devices: &Devices, look: &Look) -> String {
    let mut disks = Table::new(&["DEVICE", "FORM", ">SIZE", ">SECTORS", "CACHE", "MODEL", "SERIAL", "HELD BY"]);
    for disk in &devices.disks {
        disks.row([
            disk.path.clone(),
            archive::form(disk.form).into(),
            size(disk.size_bytes),
            format!("{}/{}", disk.logical_sector_bytes, disk.physical_sector_bytes),
            archive::flush(disk.flush).into(),
            disk.model.clone(),
            disk.serial.clone(),
            disk.held_by.clone(),
        ]);
        if disk.read_only {
            disks.note("note:", "can be read and not written", Tone::Watch);
        }
        disks.note("health:", &disk.health, Tone::Quiet);
    }
    let mut nics = Table::new(&[
        "INTERFACE",
        "LINK",
        ">SPEED",
        ">MTU",
        ">RECEIVED",
        ">SENT",
        ">ERRORS",
        "ADDRESSES",
    ]);
    for nic in &devices.nics {
        let (word, tone) = if nic.up { ("up", Tone::Good) } else { ("down", Tone::Watch) };
        let speed = if nic.speed_mbit == 0 {
            String::new()
        } else {
            format!("{} Mbit/s", count(nic.speed_mbit.into()))
        };
        nics.row([
            nic.name.clone(),
            word.into(),
            speed,
            nic.mtu_bytes.to_string(),
            size(nic.received_bytes),
            size(nic.sent_bytes),
            count(nic.errors),
            nic.addresses.join(", "),
        ])
        .tone(1, tone);
    }
    let or = |table: &Table, none: &str| {
        if table.is_empty() {
            format!("{none}\n")
        } else {
            table.lines(look)
        }
    };
    let mut text = format!(
        "{}\n{}",
        or(&disks, "The machine has no disk that can hold an archive."),
        or(&nics, "The machine has no network interface.")
    );
    for rate in &devices.rates {
        text += &format!("Jobs send over {} at {} together.\n", rate.name, plan::rates(&rate.rates));
    }
    text
}

/// One event in one line.
pub fn event(event: &EventRecord, look: &Look) -> String {
    let (word, tone) = match event.severity {
        Severity::Info => ("info", Tone::Quiet),
        Severity::Warning => ("warning", Tone::Watch),
        Severity::Critical => ("critical", Tone::Bad),
    };
    format!(
        "{}  {:>5}  {}  {}: {}\n",
        time(event.utc_ns, look),
        event.number,
        look.paint(tone, &format!("{word:8}")),
        printable(&event.subject),
        printable(&event.sentence)
    )
}

/// All checks, and a sentence.
pub fn doctor(checks: &[Check], look: &Look) -> String {
    let mut table = Table::new(&["", "WHAT", "FOUND"]);
    for check in checks {
        let (word, tone) = if check.right {
            ("right", Tone::Good)
        } else {
            ("WRONG", Tone::Bad)
        };
        table
            .row([word.into(), check.what.clone(), check.found.clone()])
            .tone(0, tone);
        table.note("do:", &check.action, Tone::Head);
    }
    let wrong = checks.iter().filter(|check| !check.right).count();
    let told = match wrong {
        0 => "Everything that was looked at is right.".to_owned(),
        1 => "One thing is not right.".to_owned(),
        more => format!("{more} things are not right."),
    };
    table.lines(look) + "\n" + &told + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use hal::{DeviceFacts, FlushClass, NicFacts, VolumeForm};

    #[test]
    fn devices_in_two_tables() {
        let disk = DeviceFacts {
            path: "/dev/sda".into(),
            form: VolumeForm::Disk,
            model: "ACME Endurance".into(),
            serial: "S1".into(),
            size_bytes: 64 << 30,
            logical_sector_bytes: 512,
            physical_sector_bytes: 4096,
            flush: FlushClass::WriteBack,
            fua: true,
            discard_bytes: 4096,
            removable: false,
            read_only: false,
            held_by: String::new(),
            health: "10 % of its life time used".into(),
        };
        let nic = NicFacts {
            name: "eth0".into(),
            up: true,
            speed_mbit: 1_000,
            mtu_bytes: 1_500,
            addresses: vec!["10.0.0.1/24".into()],
            hardware: String::new(),
            received_bytes: 1024,
            sent_bytes: 0,
            errors: 0,
        };
        assert_eq!(
            devices(
                &Devices {
                    disks: vec![disk],
                    nics: vec![nic],
                    rates: vec![],
                },
                &sample::plain()
            ),
            "\
DEVICE    FORM      SIZE   SECTORS  CACHE             MODEL           SERIAL  HELD BY
/dev/sda  disk  64.0 GiB  512/4096  write-back cache  ACME Endurance  S1      -
  health: 10 % of its life time used

INTERFACE  LINK         SPEED   MTU  RECEIVED  SENT  ERRORS  ADDRESSES
eth0       up    1,000 Mbit/s  1500   1.0 KiB   0 B       0  10.0.0.1/24
"
        );
    }

    #[test]
    fn an_event_in_one_line() {
        let record = EventRecord {
            number: 12,
            utc_ns: 1_795_255_203_000_000_000,
            code: "stalled".into(),
            severity: Severity::Warning,
            subject: "lobby".into(),
            sentence: "nothing has moved for 10 minutes".into(),
            run: None,
        };
        assert_eq!(
            event(&record, &sample::plain()),
            "2026-11-21 10:00:03     12  warning   lobby: nothing has moved for 10 minutes\n"
        );
    }

    #[test]
    fn doctor_says_what_to_do() {
        let check = |what: &str, right| Check {
            what: what.into(),
            right,
            found: "6.1".into(),
            action: if right { String::new() } else { "update it".into() },
        };
        assert_eq!(
            doctor(&[check("kernel", true), check("io_uring", false)], &sample::plain()),
            "       WHAT      FOUND
right  kernel    6.1
WRONG  io_uring  6.1
  do: update it

One thing is not right.
"
        );
    }
}
