use std::process::Command;

use domain::privacy::RunEnvironment;
use proptest::prelude::*;

use super::super::answer::Answer;
use super::super::script::{Script, quote};
use super::super::*;
use super::harness::{HOUR, ended, task};

proptest! {
    #[test]
    fn whatever_a_server_answers_is_taken_or_refused(out in any::<Vec<u8>>(), words in "(lethe: )?[a-z0-9 \n]{0,40}\n?") {
        for out in [out, words.into_bytes()] {
            if let Ok(answer) = Answer::of(&out) {
                let _ = (answer.started(), answer.state(), answer.killed(), answer.removed());
                let _ = (answer.forbidden(), answer.preflight(), answer.swept());
            }
        }
    }

    #[test]
    fn a_quoted_word_is_one_word(value in "[^\0]{0,60}") {
        let mut quoted = "printf %s ".to_owned();
        quote(&value, &mut quoted);
        let output = Command::new("sh").arg("-c").arg(&quoted).output().unwrap();
        prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }
}

/// What `login` finds in a variable that `starter` has exported, as a keeper does.
fn found(starter: &str, login: &str, name: &str, value: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("command");
    std::fs::write(&command, format!("printf %s \"${{{name}}}\"\n")).unwrap();
    let script = format!("export {name}='{value}'\nexec \"$1\" \"$2\"");
    let mut shell = Command::new(starter);
    let output =
        shell.args(["-c", script.as_str(), "lethe", login]).arg(&command).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A command that finds another value, or none, may do something else.
#[test]
fn a_variable_that_may_be_given_comes_as_it_was_given() {
    let value = "/usr/bin:/bin";
    let mut bash = Command::new("/bin/bash");
    let known = bash.env_clear().args(["--noprofile", "--norc", "-c", "compgen -v"]).output();
    let known = String::from_utf8(known.unwrap().stdout).unwrap();
    assert!(known.lines().any(|name| name == "SECONDS"), "{known}");
    let rarely_set = ["FUNCNAME", "GROUPS", "OLDPWD", "PIPESTATUS", "PS1", "PS2", "PS4", "TOKEN"];
    for name in known.lines().chain(rarely_set) {
        if RunEnvironment::RESERVED.contains(&name) {
            continue;
        }
        for starter in ["/bin/sh", "/bin/bash"] {
            for login in ["/bin/sh", "/bin/bash"] {
                let found = found(starter, login, name, value);
                assert_eq!(found, value, "{name} by {starter} and {login}");
            }
        }
    }
}

fn state(line: &str) -> Result<TaskState, TaskError> {
    Answer::of(line.as_bytes())?.state()
}

#[test]
fn an_end_is_taken_strictly() {
    let end = ended(Ending::Exited(3), 10, 0);
    let of_former_version = TaskState::Ended(End { written: None, ..end });
    assert_eq!(state("lethe: exited 3 10 0\n"), Ok(of_former_version));
    assert_eq!(state("lethe: exited 3 10 0 10 0 -\n"), Ok(TaskState::Ended(end)));
    let cut = End { stopped: Some(StopCause::Timeout), written: Some([20, 1]), ..end };
    assert_eq!(state("lethe: exited 3 10 0 20 1 timeout\n"), Ok(TaskState::Ended(cut)));
    assert_eq!(state("motd\nlethe: running\n"), Ok(TaskState::Running));
    let refused = [
        "",
        "\n",
        "lethe: exited 3 10 0",
        "lethe: exited 256 0 0\n",
        "lethe: exited 0 0\n",
        "lethe: exited -1 0 0\n",
        "lethe: exited 0 0 0 0\n",
        "lethe: exited 0 0 0 0 0\n",
        "lethe: exited 0 0 0 0 0 no\n",
        "lethe: exited 0 0 0 0 -1 -\n",
        "lethe: exited 0 0 0 0 0 - -\n",
        "lethe: signalled 0 0 0\n",
        "lethe: ended 0 0 0\n",
        "exited 0 0 0\n",
        "lethe: running\nmore\n",
        "lethe:  running\n",
    ];
    for line in refused {
        assert_eq!(state(line), Err(TaskError::Answer), "{line:?}");
    }
}

#[test]
fn facts_are_read_strictly() {
    let read = |line: &str| Answer::of(line.as_bytes())?.preflight();
    let found = read("lethe: ready proc=yes,setsid=no,shell=no,grep=no\n").unwrap();
    assert_eq!((found.facts().len(), found.blocker()), (4, Some(Fact::Setsid)));
    let names: Vec<String> = Fact::ALL.map(|fact| format!("{}=yes", fact.as_str())).to_vec();
    let found = read(&format!("lethe: ready {}\n", names.join(","))).unwrap();
    assert_eq!((found.facts().len(), found.blocker()), (names.len(), None));
    let refused = [
        "lethe: ready\n",
        "lethe: ready \n",
        "lethe: ready proc\n",
        "lethe: ready proc=maybe\n",
        "lethe: ready proc=yes,\n",
        "lethe: ready proc=yes,proc=yes\n",
        "lethe: ready setsid=yes,proc=yes\n",
        "lethe: ready proc=yes,other=yes\n",
        "lethe: ready proc=yes setsid=yes\n",
    ];
    for line in refused {
        assert_eq!(read(line), Err(TaskError::Answer), "{line:?}");
    }
}

#[test]
fn what_a_kill_left_is_taken_strictly() {
    let killed = |line: &str| Answer::of(format!("lethe: {line}\n").as_bytes())?.killed();
    let done = killed("killed forced unit:app@1.service").unwrap();
    assert!(done.forced && done.proven && done.left.why.is_none());
    assert_eq!(done.left.names, ["unit:app@1.service"]);
    let left = killed("left denied 2 gently process:12:sleep container:0a1b").unwrap();
    assert!(!left.forced && !left.proven);
    assert_eq!((left.left.why, left.left.processes), (Some(Unproven::Denied), 2));
    assert_eq!(left.left.names, ["process:12:sleep", "container:0a1b"]);
    assert_eq!(left.if_proven(), Err(TaskError::NotProven));
    let refused = [
        "killed",
        "killed softly",
        "killed gently sleep",
        "killed gently unit:",
        "killed gently unit:a/b",
        "left",
        "left denied",
        "left denied 2",
        "left denied two gently",
        "left denied -1 gently",
        "left unknown 2 gently",
        "left denied 2 gently process:12:sleep;",
        "alive",
    ];
    for line in refused {
        assert_eq!(killed(line), Err(TaskError::Answer), "{line:?}");
    }
    let many = format!("killed gently{}", " unit:a".repeat(33));
    assert_eq!(killed(&many), Err(TaskError::Answer));
}

#[test]
fn no_shell_reads_our_command_in_another_way() {
    let script = Script::probe(&task());
    let (first, again) = script.command.split_once("; ").unwrap();
    assert_eq!(first, format!("exec {again}"));
    let quoted = again.strip_prefix("sh -c '").unwrap().strip_suffix("' lethe").unwrap();
    assert!(!quoted.contains(['\n', '\\', '!', '\'']), "{quoted}");
}

#[test]
fn nothing_of_a_launch_shows() {
    let environment = [("TOKEN".to_owned(), "hidden".to_owned().into())];
    let launch = Launch {
        task: task(),
        command: "hidden too",
        environment: &environment,
        timeout_seconds: HOUR,
    };
    assert!(!format!("{launch:?}").contains("hidden"));
    assert!(!Script::start(&launch).unwrap().command.contains("hidden"));
}
