//! Child processes that talk in JSON lines, are waited for with a deadline, and never outlive the test.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// Generous, as the whole suite may share two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Lines a child may be ahead of its reader.
const LINES_MAX: usize = 1024;
/// What is shown of a child's standard error when its test fails.
const LOG_TAIL_LINES: usize = 40;

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its standard error going to `NAME.log` in `dir`.
    pub(crate) fn start(name: &str, command: &mut Command, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let stderr = File::options().create(true).append(true).open(&log).expect("the log file opens");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { name: name.to_owned(), child, lines, log }
    }

    /// The next line of standard output, a JSON document.
    pub(crate) fn line(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{} said nothing", self.name));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{} said {line:?}: {error}", self.name))
    }

    /// One command in, one answer out.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        let stdin = self.child.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{command}").and_then(|()| stdin.flush()).expect("the child reads");
        self.line()
    }

    /// Ends the child's input and returns its last line.
    pub(crate) fn finish(mut self) -> Value {
        drop(self.child.stdin.take());
        self.line()
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        super::eventually(&format!("{} ends", self.name), async || {
            self.child.try_wait().expect("the child can be waited for").ok_or_else(|| "still running".to_owned())
        })
        .await
    }

    /// Ends it without a chance to do anything (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.end();
    }

    #[expect(clippy::print_stderr, reason = "what a child said belongs beside the panic of its test")]
    fn show_log(&self) {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(LOG_TAIL_LINES).collect();
        eprintln!("--- {} ---", self.log.display());
        tail.iter().rev().for_each(|line| eprintln!("{line}"));
    }

    fn end(&mut self) {
        // Both fail only when the child is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            self.show_log();
        }
    }
}
