use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::interval;

use super::super::*;
use super::harness::*;
use crate::ids::Ids;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_starts_once_although_asked_for_20_times_at_once() {
    let harness = SshHarness::start();
    let connections = join_all((0..5).map(|_| harness.connect())).await;
    let task = task();
    let launch = Launch {
        task,
        command: "echo started >>~/starts; sleep 1000",
        environment: &[],
        timeout_seconds: HOUR,
    };
    let asks = (0..20).map(|ask| start(&connections[ask % 5], &launch));
    let answers = join_all(asks).await;
    let launched = answers.iter().filter(|answer| **answer == Ok(Started::Launched)).count();
    let there = answers.iter().filter(|answer| **answer == Ok(Started::AlreadyThere)).count();
    assert_eq!((launched, there), (1, 19), "{answers:?}");
    // The file is there a moment before what is written into it.
    let starts = || std::fs::read_to_string(harness.sshd.home().join("starts")).unwrap_or_default();
    until("a start", async || !starts().is_empty()).await;
    assert_eq!(starts(), "started\n");
    assert_eq!(start(&connections[0], &launch).await, Ok(Started::AlreadyThere));
    assert!(!kill_all(&connections[0], &task, LONG).await);
    assert_eq!(start(&connections[0], &launch).await, Ok(Started::AlreadyThere));
    assert_eq!(starts(), "started\n");
    let mut kept: Vec<_> = std::fs::read_dir(harness.folder(&task)).unwrap().collect();
    kept.retain(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("command") || name.to_string_lossy().starts_with("note")
    });
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn a_command_comes_as_it_was_given() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let odd = "printf '%s|' \"it's $((1 + 1))\" 'a\nb' '\\n' \"a\\\"b\" '!x' ' two  spaces ' 'žluťoučký 🦀' `echo tick`";
    let (ending, out, err) = run(&connection, odd).await;
    assert_eq!(err, "");
    assert_eq!(out, "it's 2|a\nb|\\n|a\"b|!x| two  spaces |žluťoučký 🦀|tick|");
    assert_eq!(ending, Ending::Exited(0));
    let long = format!(": {}\necho end", "x".repeat(900_000));
    assert_eq!(run(&connection, &long).await.1, "end\n");
}

#[tokio::test]
async fn a_command_finds_what_it_would_find_without_us() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = "umask; pwd; grep Sig[IB] /proc/self/status; ls /proc/self/fd | wc -l; \
                   env | grep -v -e ^SSH_C -e ^LETHE_RUN= -e ^_= | sort";
    let limits = Limits { within: LONG, bytes_max: 10_000 };
    let plain = connection.exec(command, b"", limits).await.unwrap();
    let (ending, out, err) = run(&connection, command).await;
    assert_eq!((ending, err.as_str()), (Ending::Exited(0), ""));
    assert_eq!(out, String::from_utf8(plain.out).unwrap());
}

#[tokio::test]
async fn a_command_may_name_its_interpreter() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let (ending, out, _) = run(&connection, "#!/usr/bin/env -S cat\nI am read\n").await;
    assert_eq!((ending, out.as_str()), (Ending::Exited(0), "#!/usr/bin/env -S cat\nI am read\n"));
    let (ending, _, err) = run(&connection, "#!/no/such/interpreter\n").await;
    assert_eq!(ending, Ending::Exited(127), "{err}");
    assert!(!err.is_empty());
}

#[tokio::test]
async fn secrets_come_whole_and_stand_in_no_file_and_on_no_command_line() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let odd = "it's\n\"odd\" \\ $HOME `id` \u{1F980}\n\n";
    let huge = "x".repeat(120 * 1024);
    let secret = "s3cr3t-never-seen";
    let command = "printf %s \"$ODD\"; printf %s \"$HUGE\" | wc -c; sleep 1000";
    let environment = [
        ("ODD", odd),
        ("HUGE", &huge),
        ("A_SECRET", secret),
        ("HOME", "/elsewhere"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let task = launch_with(&connection, command, &environment).await;
    let expected = format!("{odd}{}\n", huge.len());
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    let mut read = [Vec::new(), Vec::new()];
    read_on(&mut tail, &mut read, expected.len() as u64, 0).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&read[0]), expected);
    let all = || marked(&task).iter().map(|process| process.command.clone()).collect::<String>();
    until("the last command", async || all().contains("sleep 1000")).await;
    let said = all();
    assert!(!said.contains(secret) && !said.contains("ODD"), "{said}");
    let kept =
        std::process::Command::new("grep").args(["-r", secret]).arg(harness.sshd.home()).output();
    assert!(kept.unwrap().stdout.is_empty());
    kill_all(&connection, &task, LONG).await;
}

#[tokio::test]
async fn a_launch_that_no_server_could_take_is_refused() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let refused = async |command: &str, name: &str, value: &str| {
        let environment = [(name.to_owned(), value.to_owned().into())];
        let launch =
            Launch { task: task(), command, environment: &environment, timeout_seconds: HOUR };
        match start(&connection, &launch).await {
            Err(TaskError::Launch(unfit)) => unfit,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused("", "A", "").await, LaunchError::CommandLength);
    assert_eq!(refused(&"x".repeat(1024 * 1024 + 1), "A", "").await, LaunchError::CommandLength);
    assert_eq!(refused("echo \0", "A", "").await, LaunchError::Nul);
    assert_eq!(refused("echo", "A", "\0").await, LaunchError::Nul);
    for name in ["", "1A", "A-B", "A B", "Ä", "A=B", "LETHE_RUN", "UID", "A\nB"] {
        assert_eq!(refused("echo", name, "").await, LaunchError::Name, "{name}");
    }
    let long = "x".repeat(120 * 1024 + 1);
    assert_eq!(refused("echo", "A", &long).await, LaunchError::EnvironmentLength);
}

#[tokio::test]
async fn a_start_that_was_cut_short_starts_nothing_and_may_be_asked_again() {
    let harness = SshHarness::start();
    let connection = Arc::new(harness.connect().await);
    let task = task();
    let launch =
        Launch { task, command: "echo whole >>~/starts", environment: &[], timeout_seconds: HOUR };
    let script = script::Script::start(&launch).unwrap();
    let length = script.stdin.len();
    for cut in (0..20).map(|part| length * part / 20).chain([5, length - 1]) {
        let limits = Limits { within: LONG, bytes_max: ANSWER_BYTES_MAX };
        let done = connection.exec(&script.command, &script.stdin[..cut], limits).await.unwrap();
        assert_ne!(done.out, b"lethe: launched\n");
        assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    }
    assert_eq!(start(&connection, &launch).await, Ok(Started::Launched));
    end(&connection, &task).await;
    assert_eq!(std::fs::read_to_string(harness.sshd.home().join("starts")).unwrap(), "whole\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_answer_was_lost_is_asked_for_again() {
    let harness = SshHarness::start();
    let drawn = Ids::seeded(3);
    for number in 0..20 {
        let task = task();
        let command = format!("echo {number} >>~/starts");
        let launch = Launch { task, command: &command, environment: &[], timeout_seconds: HOUR };
        let connection = harness.connect().await;
        let pause = drawn.uuid().as_u64_pair().0 % 20;
        let cut = async {
            let mut pause = interval(Duration::from_millis(pause + 1));
            pause.tick().await;
            pause.tick().await;
            harness.sshd.kill_sessions().unwrap();
        };
        let (first, ()) = tokio::join!(start(&connection, &launch), cut);
        let again = start(&harness.connect().await, &launch).await;
        assert!(again.is_ok(), "{first:?}, then {again:?}");
        assert!((first, again) != (Ok(Started::Launched), Ok(Started::Launched)));
        end(&harness.connect().await, &task).await;
    }
    let starts = std::fs::read_to_string(harness.sshd.home().join("starts")).unwrap();
    let numbers: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(starts.lines().collect::<Vec<_>>(), numbers);
}
