//! What `inspect` costs on a recording of a million spans: rate, CPU a span, peak memory.
//!
//! Writes the recordings to the temporary directory (up to 2 GB at a time), runs the binary on them and reads `/proc`.
//! Linux only. Without `--bench`, as `cargo test` runs it, on a few spans only.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that measures time and prints")]

#[expect(dead_code, reason = "a million spans with content are 8 GB")]
mod payload;

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use freezeframe::core::time::UnixNanos;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use payload::Payload;
use prost::Message as _;

const START: u64 = 1_795_300_000_000_000_000;
/// Time from one export to the next.
const INTERVAL: u64 = 250_000_000;
/// Ticks of `cutime` and `cstime` (proc(5)); 100 on every Linux there is.
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let spans = if is_test { 2_000 } else { 1_000_000 };
    let dir = tempfile::tempdir().expect("a temporary directory");
    println!("| recording | MiB | format | spans/s | CPU \u{b5}s/span | RSS peak MiB |");
    println!("|---|---|---|---|---|---|");
    for (payload, is_json) in [(Payload::Meta, false), (Payload::Rag, false), (Payload::Rag, true)] {
        let path = dir.path().join("recording");
        let exports = spans / payload.spans() + 1;
        let mib = write(&path, payload, exports, is_json).expect("room for a recording") >> 20;
        let name = format!("{}, {}", payload.name(), if is_json { "JSON lines" } else { "protobuf" });
        for format in ["table", "json"] {
            let run = inspect(&path, format);
            let spans = (exports * payload.spans()) as f64;
            println!(
                "| {name} | {mib} | {format} | {:.0} | {:.1} | {:.0} |",
                spans / run.seconds,
                run.cpu_seconds * 1e6 / spans,
                run.peak_mib
            );
        }
    }
}

/// Writes exports as the Collector's file exporter does and says how many bytes.
fn write(path: &Path, payload: Payload, exports: u64, is_json: bool) -> std::io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    for n in 0..exports {
        let message = payload.export(n, UnixNanos(START + n * INTERVAL));
        if is_json {
            let request = ExportTraceServiceRequest::decode(message).expect("it was just encoded");
            serde_json::to_writer(&mut file, &request)?;
            file.write_all(b"\n")?;
        } else {
            file.write_all(&u32::try_from(message.len()).expect("a few MiB").to_be_bytes())?;
            file.write_all(&message)?;
        }
    }
    file.into_inner()?.metadata().map(|it| it.len())
}

struct Run {
    seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
}

fn inspect(path: &Path, format: &str) -> Run {
    let (started, cpu) = (Instant::now(), children_cpu());
    let mut child = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
        .args(["inspect", "--no-baseline", "--format", format])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let (mut out, mut buffer, mut peak_mib) = (child.stdout.take().expect("it is piped"), vec![0; 1 << 20], 0.0);
    while out.read(&mut buffer).expect("it writes") > 0 {
        peak_mib = peak(child.id()).unwrap_or(peak_mib);
    }
    assert!(child.wait().expect("it ends").success());
    Run { seconds: started.elapsed().as_secs_f64(), cpu_seconds: children_cpu() - cpu, peak_mib }
}

/// MiB of `VmHWM`; `None` once the process is gone.
fn peak(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Seconds of CPU that children which ended used.
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(')').next().expect("a command name").split_whitespace();
    fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}
