//! The appliance that every input meets: an archive with some blocks, a recorder, peers, a grant, a job. Made once and copied.

use std::cell::OnceCell;
use std::time::Duration;

use hal::{ClientId, Fingerprint, Instant, Role};
use serde_json::{Value, json};

use super::{Desk, Disk, VOLUME, board};

/// A peer that may append: it has the grant, and the job hauls to it.
pub const NORTH: Fingerprint = Fingerprint([0xb1; 32]);
/// A peer without a grant.
pub const SOUTH: Fingerprint = Fingerprint([0xb2; 32]);
/// What stands for the token of the grant in an input.
pub const TOKEN: [u8; 32] = [7; 32];
/// Block size of the archive.
pub const BLOCK_BYTES: u32 = 64 << 10;
/// Slots of the archive, the fewest there can be.
pub const SLOTS: u64 = 32;
/// Where they begin.
pub const SLOTS_AT_BYTES: u64 = 2 << 20;
/// The disk has room for nothing more.
pub const DISK_BYTES: u64 = 2 * SLOTS_AT_BYTES + SLOTS * BLOCK_BYTES as u64;

/// Both ends of a volume are looked at while an archive is made.
const CREATION_BYTES: u32 = 8 << 20;
/// The smallest block memory for such blocks.
const MEMORY_BYTES: u32 = 16 * BLOCK_BYTES;
/// Pieces that the recorder has brought: a block each, with a checkpoint in between.
pub const PIECES: usize = 6;
/// Longer than anything takes that the beginning asks for.
const WHILE: Duration = Duration::from_secs(15);

thread_local! {
    static BEGIN: OnceCell<(Desk, [u8; 32])> = const { OnceCell::new() };
}

/// A copy of the appliance at rest, and the token of its grant.
pub fn begin() -> (Desk, [u8; 32]) {
    BEGIN.with(|begin| begin.get_or_init(make).clone())
}

/// The payload of a block that the recorder made.
pub fn piece_bytes(piece: usize) -> [u8; 300] {
    [piece as u8 + 1; 300]
}

fn make() -> (Desk, [u8; 32]) {
    let mut desk = Desk::start(
        Disk::default(),
        board(None, Vec::new(), CREATION_BYTES),
        Instant::from_ns(1_000_000_000),
    );
    let archive = json!({ "name": "yard", "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "append" });
    ask(&mut desk, "Archive.Create", archive);
    let recorder = json!({ "name": "gate", "archive": "yard", "camera": "gate", "listen": "/run/gate" });
    ask(&mut desk, "Recorder.Create", recorder);
    for (name, key) in [("north", NORTH), ("south", SOUTH)] {
        let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": 7411 }] });
        ask(&mut desk, "Peer.Add", peer);
    }
    let grant = ask(&mut desk, "Grant.Create", json!({ "peer": "north", "archive": "yard" }));
    let token = grant["token"].as_str().and_then(|token| token.parse::<hal::Digest>().ok());
    let job = json!({
        "name": "up", "from": "yard", "peer": "north", "archive": "vault", "mode": "always", "token": "07".repeat(32),
    });
    ask(&mut desk, "Job.Create", job);
    for piece in 0..PIECES {
        let feed = desk.thirsty().expect("the recorder waits for bytes");
        let bytes = piece_bytes(piece);
        // The first byte comes alone: no block is taken for a feeder that says nothing.
        let mut brought = 0;
        while brought < bytes.len() {
            brought += desk.filled(feed, &bytes[brought..], false);
        }
        desk.filled(feed, &[], true);
        desk.pass(WHILE);
    }
    let token = token.expect("a token is 64 hexadecimal digits");
    let mut desk = Desk::start(desk.disk, board(desk.settings, Vec::new(), MEMORY_BYTES), desk.now);
    desk.pass(WHILE);
    (desk, token.0)
}

/// A call that must succeed.
fn ask(desk: &mut Desk, method: &str, parameters: Value) -> Value {
    let client = ClientId(u64::MAX);
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters });
    desk.replies.clear();
    desk.call(client, Role::Admin, call.to_string().as_bytes());
    desk.pass(WHILE);
    let (_, mut answer) = desk.replies.pop().unwrap_or_else(|| panic!("{method} is not answered"));
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["parameters"].take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_appliance_that_every_input_meets_is_as_it_should_be() {
        let (mut desk, _) = begin();
        let status = ask(&mut desk, "Appliance.Status", json!({}));
        let archive = &status["archives"][0];
        assert_eq!((&archive["state"], &archive["durable"]), (&json!("ready"), &archive["head"]));
        assert!(archive["head"].as_u64() >= Some(PIECES as u64), "{archive}");
        assert_eq!(status["recorders"][0]["name"], "gate");
        assert_eq!(status["jobs"][0]["link"], "retrying");
    }
}
