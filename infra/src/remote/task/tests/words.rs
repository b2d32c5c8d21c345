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
                let _ = answer.buried();
            }
        }
    }

    #[test]
    fn a_quoted_word_is_one_word(value in "[^\0]{0,60}") {
        let mut quoted = "printf %s ".to_owned();
        quote(&value, &mut quoted);
        let output = std::process::Command::new("sh").arg("-c").arg(&quoted).output().unwrap();
        prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }
}

fn state(line: &str) -> Result<TaskState, TaskError> {
    Answer::of(line.as_bytes())?.state()
}

#[test]
fn an_end_is_taken_strictly() {
    let end = ended(Ending::Exited(3), 10, 0);
    assert_eq!(state("lethe: exited 3 10 0\n"), Ok(TaskState::Ended(end)));
    assert_eq!(state("lethe: exited 3 10 0 10 0 -\n"), Ok(TaskState::Ended(end)));
    let cut = End { stopped: Some(Cause::Timeout), written: [20, 1], ..end };
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
fn no_shell_reads_our_command_in_another_way() {
    let script = Script::probe(&task());
    let command = script.command.strip_prefix("exec sh -c '").unwrap();
    let quoted = command.strip_suffix("' lethe").unwrap();
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
