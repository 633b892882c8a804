//! Inside a virtual machine of `cargo qemu`: lets the host reach the control socket, and does to the machine what only its
//! inside can do: sets the clock, spoils the network, kills the daemon.
//!
//! It is no part of any image that is shipped: scenarios lay it over one when they boot it. Whoever reaches its ports is root.
//! Port 7001 is the control socket. On port 7002 a connection is one request and one answer, a line of JSON each.
//! Invariant: nothing here answers in the daemon's place; what it tells it has read from the kernel.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod forward;
mod netem;
mod process;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use rustix::process::{Signal, kill_process};
use rustix::time::{ClockId, Timespec, clock_settime};
use serde_json::{Value, json};

const CONTROL_PORT: u16 = 7001;
const REQUEST_PORT: u16 = 7002;

fn main() {
    thread::spawn(|| serve(CONTROL_PORT, forward::to_control_socket));
    serve(REQUEST_PORT, answer);
}

/// Gives each connection a thread of its own.
fn serve(port: u16, work: fn(TcpStream)) {
    let listener = match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => listener,
        Err(error) => return println!("agent: port {port} cannot be opened: {error}"),
    };
    println!("agent: listening on port {port}");
    for connection in listener.incoming().flatten() {
        thread::spawn(move || work(connection));
    }
}

fn answer(mut connection: TcpStream) {
    let mut line = String::new();
    if BufReader::new(&connection).read_line(&mut line).is_err() {
        return;
    }
    let done = serde_json::from_str(&line)
        .map_err(|error| error.to_string())
        .and_then(|request| carry_out(&request));
    let reply = done.unwrap_or_else(|error| json!({ "error": error }));
    // Whoever asked may have gone.
    let _ = writeln!(connection, "{reply}");
}

fn carry_out(request: &Value) -> Result<Value, String> {
    let number = |name: &str| {
        request[name]
            .as_u64()
            .ok_or_else(|| format!("the request has no number {name}"))
    };
    match request["do"].as_str() {
        Some("clock") => {
            let tv_sec = i64::try_from(number("utc_s")?).map_err(|error| error.to_string())?;
            clock_settime(ClockId::Realtime, Timespec { tv_sec, tv_nsec: 0 }).map_err(|error| error.to_string())?;
            Ok(json!({}))
        }
        Some("kill-daemon") => signal_daemon(Signal::KILL),
        Some("stop-daemon") => signal_daemon(Signal::STOP),
        Some("memory") => process::memory(),
        Some("netem") => {
            let nic = request["nic"].as_str().ok_or("the request names no nic")?;
            netem::set(
                nic,
                &netem::Spoil {
                    delay_us: number("delay_us")?,
                    jitter_us: number("jitter_us")?,
                    loss_percent: number("loss_percent")?,
                    reorder_percent: number("reorder_percent")?,
                },
            )?;
            Ok(json!({}))
        }
        _ => Err(format!("no such request: {request}")),
    }
}

fn signal_daemon(signal: Signal) -> Result<Value, String> {
    let daemon = process::daemon().ok_or("no daemon is running")?;
    kill_process(daemon, signal).map_err(|error| error.to_string())?;
    Ok(json!({ "pid": daemon.as_raw_nonzero().get() }))
}
