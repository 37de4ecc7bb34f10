use std::io::{Cursor, Read, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message as _;

use super::documents::{Documents, Fault};
use super::*;
use crate::config::Config;
use crate::core::time::UnixNanos;
use crate::toolkit::requests::Requests;
use crate::toolkit::traffic::Exchange;

const SECOND: u64 = 1_000_000_000;

/// The protobuf of exchange number `n`, at its second.
fn export(n: u64) -> Bytes {
    Exchange::healthy(n, UnixNanos((1_000 + n) * SECOND)).export()
}

fn json(protobuf: &Bytes) -> String {
    let request = ExportTraceServiceRequest::decode(protobuf.clone()).unwrap();
    serde_json::to_string(&request).unwrap()
}

fn framed(messages: &[Bytes]) -> Vec<u8> {
    let prefixed = |it: &Bytes| [&u32::try_from(it.len()).unwrap().to_be_bytes()[..], it].concat();
    messages.iter().map(prefixed).collect::<Vec<_>>().concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    std::fs::write(dir.join(name), bytes).unwrap();
    dir.join(name)
}

/// When the documents were, in seconds after the first exchange, as the index hands them out.
fn seconds(index: &mut Index) -> Vec<u64> {
    index.in_time().map(|it| it.unwrap().0.0 / SECOND - 1_000).collect()
}

/// Proves that every form of the same recording makes the same requests.
#[test]
fn every_form_reads_the_same() {
    let messages: Vec<Bytes> = (0..5).map(export).collect();
    let lines: Vec<String> = messages.iter().map(json).collect();
    let pretty =
        |it: &Bytes| serde_json::to_string_pretty(&ExportTraceServiceRequest::decode(it.clone()).unwrap()).unwrap();
    let compressed: Vec<Bytes> = messages.iter().map(|it| zstd(it).into()).collect();
    let json_frames: Vec<Bytes> = lines.iter().map(|it| zstd(it.as_bytes()).into()).collect();
    let forms = [
        ("lines", lines.join("\n").into_bytes()),
        ("marked", [b"\xef\xbb\xbf", lines.join("\r\n").as_bytes()].concat()),
        ("list", format!(" [{}]\n", lines.join(",\n")).into_bytes()),
        ("pretty", messages.iter().map(pretty).collect::<Vec<_>>().join("\n").into_bytes()),
        ("frames", framed(&messages)),
        ("zstd in frames", framed(&compressed)),
        ("zstd of JSON in frames", framed(&json_frames)),
        ("whole", messages.concat()),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (name, bytes) in &forms {
        for (suffix, bytes) in [("", bytes.clone()), (".gz", gzip(bytes)), (".zst", zstd(bytes))] {
            let path = write(dir.path(), &format!("{name}{suffix}"), &bytes);
            let mut index = Index::read(&[path], &mut |_| {}).unwrap();
            assert_eq!(index.notes, [""; 0], "{name}{suffix}");
            let requests = Requests::new(index.in_time(), &Config::default()).collect::<Result<Vec<_>, _>>().unwrap();
            all.push((format!("{name}{suffix}"), requests));
        }
    }
    for (name, requests) in &all {
        assert!(requests.len() == 5 && *requests == all[0].1, "{name}");
    }
}

/// Proves the order of time over files and directories, whatever their names and forms.
#[test]
fn documents_come_in_order_of_time_over_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("later")).unwrap();
    let lines = |numbers: &[u64]| numbers.iter().map(|n| json(&export(*n))).collect::<Vec<_>>().join("\n");
    write(dir.path(), "a.jsonl", lines(&[9, 3, 6]).as_bytes());
    write(dir.path(), "b.jsonl.gz", &gzip(lines(&[4, 1]).as_bytes()));
    write(dir.path(), "c.pb", &framed(&[export(8), export(2)]));
    write(dir.path(), ".hidden", b"no recording");
    write(dir.path(), "notes.txt", b"no recording");
    write(&dir.path().join("later"), "d.pb.zst", &zstd(&framed(&[export(7), export(5)])));
    std::os::unix::fs::symlink(dir.path(), dir.path().join("later/round")).unwrap();
    let mut read = 0;
    let mut index = Index::read(&[dir.path().to_owned()], &mut |bytes| read += bytes).unwrap();
    assert_eq!(seconds(&mut index), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(read > 0 && index.len() == 9);
    let [link, text] = &index.notes[..] else { panic!("{:?}", index.notes) };
    assert!(link.contains("round: skipped: neither a file nor a directory"), "{link}");
    assert!(text.contains("notes.txt: skipped: "), "{text}");
}

/// Proves that a damaged document costs itself: a line cut off in a string or between tokens, a line that is something
/// else, an end that was never written.
#[test]
fn what_is_cut_off_costs_only_itself() {
    let line = |n| json(&export(n));
    let cut = |n: u64, marker: &str| line(n)[..line(n).find(marker).unwrap() + 2].to_owned();
    let lines = [line(1), cut(2, "gen_ai"), line(3), cut(4, ",\"scope"), line(5), "oops".into(), "{\"a\": 1}".into()];
    let whole = [&lines.join("\n"), "\n", &line(6), "\n", &cut(7, "gen_ai")].concat();
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.jsonl", whole.as_bytes());
    let mut index = Index::read(&[path], &mut |_| {}).unwrap();
    assert_eq!(seconds(&mut index), [1, 3, 5, 6]);
    assert!(index.notes[0].contains("a.jsonl: 5 of 9 documents lost: the document at byte"), "{:?}", index.notes);

    let frames = framed(&[export(1), export(2), export(3)]);
    let archive = gzip(&frames);
    for (name, bytes) in [("frames", &frames[..frames.len() - 9]), ("archive", &archive[..archive.len() - 9])] {
        let path = write(dir.path(), name, bytes);
        let mut index = Index::read(&[path], &mut |_| {}).unwrap();
        assert_eq!(seconds(&mut index)[..2], [1, 2], "{name}");
        assert!(index.notes[0].ends_with("its end is cut off"), "{:?}", index.notes);
    }
}

/// Proves that what is no recording is refused with a reason.
#[test]
fn what_is_no_recording_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, reason) in [
        (&b"{\"a\": 1}"[..], "neither an OTLP export request nor a simple trace record"),
        (b"[info] started\n[info] stopped\n", "not JSON at byte 1"),
        (b"{\"resourceSpans\": [", "its end is cut off"),
        (b"{\"resourceSpans\": 7}", "resourceSpans"),
        (b"\x7fELF and so on", "neither OTLP protobuf nor JSON"),
        (b"{\"trace_id\": \"ab\"}", "started_at"),
    ] {
        let path = write(dir.path(), "file", bytes);
        let error = Index::read(&[path], &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("/file: ") && error.contains(reason), "{error}");
    }
    let path = write(dir.path(), "file", b" \n");
    assert!(Index::read(&[path], &mut |_| {}).unwrap().is_empty());
    assert!(matches!(Index::read(&[dir.path().join("none")], &mut |_| {}), Err(InputError::Io { .. })));
}

/// Proves that a request is told from JSON though its tag is white space and its length a bracket.
#[test]
fn a_length_that_is_a_bracket_is_no_json() {
    for len in [b'{', b'['] {
        let unknown = [&[0x7a, len - 2][..], &vec![b'x'; usize::from(len) - 2]].concat();
        let request = Bytes::from([&[0x0a, len][..], &unknown].concat());
        let mut documents = Documents::new(&*request).unwrap();
        assert_eq!(documents.next().unwrap().unwrap().bytes, request);
        assert!(documents.next().unwrap().is_none());
    }
}

/// Proves that one document takes no more memory than its limit, however it is framed.
#[test]
fn a_document_without_end_is_refused() {
    for start in ["{\"a\":\"", "\u{7f}"] {
        let endless = Cursor::new(start).chain(std::io::repeat(b'x').take(2 * DOCUMENT_BYTES_MAX as u64));
        let Err(Fault::Fatal(reason)) = Documents::new(endless).unwrap().next() else { panic!("{start:?}") };
        assert!(reason.starts_with("one document is larger than 128 MiB"), "{reason}");
    }
}

/// A reader that hands out so many bytes at a time.
struct Sips<'a>(&'a [u8], usize);

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(buffer.len()).min(self.0.len());
        buffer[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Proves that documents are cut where they end, whatever their texts hold and however the bytes arrive, and that
    /// each is found again at its offset.
    #[test]
    fn documents_are_cut_where_they_end(
        texts in prop::collection::vec(prop_oneof![any::<String>(), "[\"{}\\[\\]\\\\,\n]{0,20}"], 1..5),
        filler in 0..200_000usize,
        sip in 1..5_000usize,
        is_list: bool,
    ) {
        let document = |text: &String| serde_json::json!({ text: [{ "a": text, "b": "x".repeat(filler) }] }).to_string();
        let all: Vec<String> = texts.iter().map(document).collect();
        let whole = if is_list { format!("[{}]", all.join(" ,\n")) } else { all.join("\n") };
        let mut documents = Documents::new(Sips(whole.as_bytes(), sip)).unwrap();
        for expected in &all {
            let found = documents.next().unwrap().unwrap();
            prop_assert!(found.bytes == expected.as_bytes());
            prop_assert!(whole[usize::try_from(found.offset).unwrap()..].starts_with(expected));
        }
        prop_assert!(documents.next().unwrap().is_none());
    }

    /// Proves that no bytes are too strange: they are read to their end, or refused.
    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300), json: bool) {
        let bytes = if json { [b"{", &bytes[..]].concat() } else { bytes };
        let mut documents = Documents::new(&*bytes).unwrap();
        let mut asked = 0;
        while !matches!(documents.next(), Ok(None) | Err(Fault::Fatal(_) | Fault::Io(_))) {
            asked += 1;
            prop_assert!(asked <= bytes.len() + 1);
        }
    }
}

/// Proves that logs are told from spans.
#[test]
fn logs_are_logs() {
    let logs = std::fs::read("tests/fixtures/captures/official-latest/eval-02.logs.pb");
    let Ok(logs) = logs else { return };
    assert!(matches!(Export::decode(logs.clone().into()), Ok(Export::Logs(_))));
    let request = ExportLogsServiceRequest::decode(&*logs).unwrap();
    let json = serde_json::to_vec(&request).unwrap();
    assert!(matches!(Export::decode(json.into()), Ok(Export::Logs(_))));
}
