//! The on-call tutorial as a newcomer follows it: every command of the page is run, and what the page shows is printed.

use std::path::Path;
use std::process::Command;

const BEGINS: &str = "--- tutorial: ";

/// A command of the page, and the lines it shows of what is printed.
struct Step<'p> {
    command: &'p str,
    shown: Vec<&'p str>,
}

fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut is_console = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) => is_console = language == "console",
            None if !is_console => {}
            None => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command, shown: Vec::new() }),
                (None, Some(step)) => step.shown.push(line),
                (None, None) => panic!("{line} is printed by no command"),
            },
        }
    }
    steps
}

/// Proves that the page is true.
#[test]
fn the_tutorial_runs_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/on-call-tutorial.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "{}", steps.len());
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root.join("tests"), dir.path().join("tests")).unwrap();
    let script: String = steps
        .iter()
        .enumerate()
        .map(|(n, step)| format!("echo '{BEGINS}{n}'\n{}\necho \"[status $?]\"\n", step.command))
        .collect();
    let binaries = Path::new(env!("CARGO_BIN_EXE_freezeframe")).parent().unwrap();
    let script = format!("exec 2>&1\nPATH={}:$PATH\n{script}", binaries.display());
    let output = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = printed.split(BEGINS).skip(1).collect();
    assert_eq!(parts.len(), steps.len(), "{printed}");
    for (step, part) in steps.iter().zip(parts) {
        for shown in &step.shown {
            assert!(part.contains(shown), "{} does not print {shown}: {part}", step.command);
        }
        // Status 1 is a finding, such as a regression; 2 is a mistake.
        assert!(part.contains("[status 0]") || part.contains("[status 1]"), "{}: {part}", step.command);
    }
}
