//! Places for a camera's card, into which cards come and go while the machine runs.
//!
//! Cards are read at the speed of a slow one, so that there is a middle in which they can be pulled.

use image::Result;
use serde_json::json;

use crate::footage::Footage;
use crate::machine::Machine;

/// What all cards together give.
const BYTES_PER_S: u64 = 512 * 1024;

/// A place for a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A USB port: the reader comes and goes with the card in it.
    Port,
    /// A USB reader, which stays when its card is pulled.
    Reader,
    /// An SD slot of the machine itself.
    Sd,
}

impl Slot {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Slot::Port => "the USB port",
            Slot::Reader => "the USB reader",
            Slot::Sd => "the SD slot",
        }
    }

    /// The emulator's name of what holds the card.
    fn id(self) -> &'static str {
        match self {
            Slot::Port => "stick",
            Slot::Reader => "reader",
            Slot::Sd => "sd",
        }
    }

    /// The emulator's arguments for a machine with all of them, empty, and these cards in somebody's hand.
    pub fn arguments(cards: &[Footage]) -> Vec<String> {
        let speed = format!("throttle-group,id=card-speed,x-bps-total={BYTES_PER_S}");
        let mut arguments = vec!["-object".to_owned(), speed];
        for card in cards {
            let node = format!(
                "driver=raw,node-name={},file.driver=throttle,file.throttle-group=card-speed,file.file.driver=file,\
                 file.file.filename={}",
                card.name,
                card.file()
            );
            arguments.extend(["-blockdev".to_owned(), node]);
        }
        let rest = [
            ("-device", "qemu-xhci,id=ports"),
            ("-device", "usb-bot,id=bot,bus=ports.0"),
            ("-drive", "if=none,id=in-reader"),
            ("-device", "scsi-hd,id=reader,bus=bot.0,drive=in-reader,removable=on"),
            ("-device", "sdhci-pci,id=socket"),
            ("-drive", "if=none,id=in-socket"),
            ("-device", "sd-card,id=sd,drive=in-socket,bus=pcie.0/socket/sd-bus"),
        ];
        arguments.extend(
            rest.iter()
                .flat_map(|(option, value)| [option, value])
                .map(|word| (*word).to_owned()),
        );
        arguments
    }

    /// Puts a card in.
    pub fn insert(self, card: &Footage, machine: &mut Machine) -> Result<()> {
        let (id, node) = (self.id(), card.name);
        match self {
            Slot::Port => {
                let device = json!({
                    "driver": "usb-storage", "id": id, "bus": "ports.0", "drive": node, "removable": true, "serial": "PORT0",
                });
                machine.monitor("device_add", device)?;
            }
            Slot::Reader => {
                // Whether it is open already depends on what was there before.
                machine.monitor("blockdev-open-tray", json!({ "id": id, "force": true }))?;
                machine.monitor("blockdev-insert-medium", json!({ "id": id, "node-name": node }))?;
                machine.monitor("blockdev-close-tray", json!({ "id": id }))?;
            }
            Slot::Sd => {
                machine.monitor("blockdev-insert-medium", json!({ "id": id, "node-name": node }))?;
            }
        }
        Ok(())
    }

    /// Pulls whatever card is in it.
    pub fn pull(self, machine: &mut Machine) -> Result<()> {
        let id = self.id();
        match self {
            Slot::Port => {
                machine.monitor("device_del", json!({ "id": id }))?;
                machine.event_of("DEVICE_DELETED", id)?;
            }
            // Nobody asks the machine whether it would let go of it.
            Slot::Reader | Slot::Sd => {
                machine.monitor("eject", json!({ "id": id, "force": true }))?;
            }
        }
        Ok(())
    }
}
