//! Mails against a server whose replies a test sets.

use chrono::DateTime;
use domain::privacy::EmailAddress;
use test_support::{ClosedPort, SmallDisk};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;

/// The server's replies to the recipient and to the mail; `None`: it closes the connection.
struct Script {
    recipient: Option<&'static str>,
    mail: Option<&'static str>,
}

const WILLING: Script = Script { recipient: Some("250 ok"), mail: Some("250 taken") };

fn letter() -> Letter {
    let from = Mailbox::parse("Lethe <lethe@lethe.test>").unwrap();
    let to = EmailAddress::parse("ada@example.org").unwrap();
    let date = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let body = "Grüße:\n\n.a line that begins with a dot\n".to_owned();
    Letter::compose(Uuid::from_u128(7), &from, &to, date, "Hello", body).unwrap()
}

/// Serves one connection; returns what the client sent.
async fn serve(script: Script) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let (mut heard, mut in_mail) = (String::new(), false);
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            heard.push_str(&line);
            let answer = match line.trim_end() {
                "." if in_mail => {
                    in_mail = false;
                    script.mail
                }
                _ if in_mail => Some(""),
                "DATA" => {
                    in_mail = true;
                    Some("354 go on")
                }
                said if said.starts_with("EHLO") => Some("250 test.invalid"),
                said if said.starts_with("RCPT") => script.recipient,
                "QUIT" => None,
                _ => Some("250 ok"),
            };
            line.clear();
            match answer {
                None => break,
                Some("") => {}
                Some(answer) => {
                    stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            }
        }
        heard
    });
    (url, served)
}

async fn send(script: Script) -> (SendOutcome, String) {
    let (url, served) = serve(script).await;
    let outcome = Transport::Smtp(url.parse().unwrap()).send(&letter()).await;
    (outcome, served.await.unwrap())
}

#[tokio::test]
async fn a_willing_server_takes_the_mail_with_what_makes_it_the_same_mail() {
    let (outcome, heard) = send(WILLING).await;

    assert_eq!(outcome, SendOutcome::Accepted);
    for said in [
        "MAIL FROM:<lethe@lethe.test>\r\n",
        "RCPT TO:<ada@example.org>\r\n",
        "Message-ID: <00000000-0000-0000-0000-000000000007@lethe.test>\r\n",
        "Resend-Idempotency-Key: 00000000-0000-0000-0000-000000000007\r\n",
        "X-Entity-Ref-ID: 00000000-0000-0000-0000-000000000007\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n",
        "Gr=C3=BC=C3=9Fe:",
        "\r\n..a line that begins with a dot",
    ] {
        assert!(heard.contains(said), "{said} is not in {heard}");
    }
}

#[test]
fn a_long_link_stands_on_one_line_as_it_is() {
    let from = Mailbox::parse("Lethe <lethe@lethe.test>").unwrap();
    let to = EmailAddress::parse("ada@example.org").unwrap();
    let date = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let link = format!("https://lethe.test/verify-email#token={}", "a=b".repeat(50));

    let body = format!("Follow this link:\n\n{link}\n\n-- \nLethe\n");
    let letter = Letter::compose(Uuid::from_u128(7), &from, &to, date, "Hello", body).unwrap();

    let text = String::from_utf8(letter.bytes().to_vec()).unwrap();
    assert!(text.contains("Content-Transfer-Encoding: 7bit\r\n"), "{text}");
    let lines = format!("link:\r\n\r\n{link}\r\n\r\n-- \r\nLethe\r\n");
    assert!(text.contains(&lines), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_has_certainly_not_taken_it() {
    let nobody = ClosedPort::new();
    let url = format!("smtp://{}", nobody.address());

    let outcome = Transport::Smtp(url.parse().unwrap()).send(&letter()).await;

    assert!(matches!(outcome, SendOutcome::Refused { for_good: false, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_refusal_before_the_mail_is_for_now_or_for_good() {
    let (later, _) = send(Script { recipient: Some("451 ada@example.org later"), ..WILLING }).await;
    let (never, _) = send(Script { recipient: Some("550 ada@example.org who?"), ..WILLING }).await;
    let (gone, _) = send(Script { recipient: None, ..WILLING }).await;

    let refused = |for_good, kind, trouble: &str| SendOutcome::Refused {
        for_good,
        kind,
        trouble: trouble.into(),
    };
    assert_eq!(later, refused(false, RefusalKind::Other, "the recipient: 451"));
    assert_eq!(never, refused(true, RefusalKind::Recipient, "the recipient: 550"));
    assert_eq!(gone, refused(false, RefusalKind::Other, "the recipient: no connection"));
}

#[tokio::test]
async fn a_refusal_of_the_mail_itself_is_known() {
    let (later, _) = send(Script { mail: Some("452 full"), ..WILLING }).await;
    let (never, _) = send(Script { mail: Some("554 spam"), ..WILLING }).await;

    let other = Some(RefusalKind::Other);
    assert!(matches!(later, SendOutcome::Refused { for_good: false, .. }), "{later:?}");
    assert!(matches!(never, SendOutcome::Refused { for_good: true, .. }), "{never:?}");
    assert_eq!((later.refusal(), never.refusal()), (other, other));
}

#[tokio::test]
async fn nobody_knows_what_became_of_a_mail_when_the_server_vanishes_after_it() {
    let (outcome, heard) = send(Script { mail: None, ..WILLING }).await;

    assert!(heard.ends_with("\r\n.\r\n"));
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn nothing_personal_is_said_without_the_tls_that_is_required() {
    let (url, served) = serve(WILLING).await;

    let smtp = format!("{url}?tls=required").parse().unwrap();
    let outcome = Transport::Smtp(smtp).send(&letter()).await;

    assert!(matches!(outcome, SendOutcome::Refused { for_good: false, .. }), "{outcome:?}");
    assert!(!served.await.unwrap().contains("ada"));
}

#[test]
fn a_url_that_is_not_smtp_is_refused() {
    for url in ["", "example.org", "http://example.org", "smtp:"] {
        assert!(url.parse::<Smtp>().is_err(), "{url}");
    }
    for (url, shown) in [
        ("smtp://relay.example.org", "smtp://relay.example.org:587"),
        ("smtps://me:p%40ss@relay.example.org:1465", "smtps://me@relay.example.org:1465"),
        ("smtp://me:p@ss@[::1]/", "smtp://me@[::1]:25"),
    ] {
        let smtp: Smtp = url.parse().unwrap();
        assert_eq!((smtp.to_string(), format!("{smtp:?}")), (shown.to_owned(), shown.to_owned()));
    }
}

#[test]
fn a_password_that_would_count_as_something_else_is_refused_and_not_repeated() {
    for url in [
        "smtp://u:s3cr3t/cr?et@h",
        "smtp://u:12/s3cr3t@h",
        "smtp://u:12?s3cr3t@h",
        "smtp://u:12#s3cr3t@h",
        "smtp://h?password=s3cr3t",
    ] {
        let error = url.parse::<Smtp>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn a_mail_written_twice_is_one_file_and_its_owner_alone_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mail");
    let transport = Transport::folder(&path).await.unwrap();

    assert_eq!(transport.send(&letter()).await, SendOutcome::Accepted);
    assert_eq!(transport.send(&letter()).await, SendOutcome::Accepted);

    let Transport::Folder(folder) = &transport else { unreachable!() };
    assert_eq!(folder.mails().await.unwrap(), [letter().id()]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let file = std::fs::read(path.join(format!("{}.eml", letter().id()))).unwrap();
    assert_eq!(file, letter().bytes());
    folder.delete(&[letter().id(), Uuid::from_u128(8)]).await.unwrap();
    assert!(folder.mails().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_mail_that_does_not_fit_on_the_disk_is_not_called_sent() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let transport = Transport::folder(disk.path().join("mail")).await.unwrap();
    disk.fill();

    let outcome = transport.send(&letter()).await;

    assert_eq!(outcome.refusal(), Some(RefusalKind::Other));
    let SendOutcome::Refused { for_good: false, trouble, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(trouble.contains("storage space"), "{trouble}");
    let files = || std::fs::read_dir(disk.path().join("mail")).unwrap().count();
    assert_eq!(files(), 0, "nothing that is half a mail is left");
    disk.free();
    assert_eq!(transport.send(&letter()).await, SendOutcome::Accepted);
    assert_eq!(files(), 1);
}

#[tokio::test]
async fn the_files_of_a_folder_that_is_missing_are_not_called_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::existing(dir.path().join("mail"));

    let deleted = folder.delete(&[letter().id()]).await;

    assert!(matches!(deleted, Err(MailError::Folder(_))), "{deleted:?}");
}

/// Such as `/tmp`: its mode is not Lethe's to change.
#[tokio::test]
async fn a_folder_that_was_there_keeps_its_mode_and_one_of_everybody_is_refused() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| metadata(path).unwrap().permissions().mode() & 0o7777;
    for (before, is_refused) in [(0o755, false), (0o1777, true)] {
        set_permissions(folder.path(), Permissions::from_mode(before)).unwrap();

        let opened = Transport::folder(folder.path()).await;

        assert_eq!(opened.is_err(), is_refused, "{before:o}");
        assert_eq!(mode(folder.path()), before);
    }
    let new = folder.path().join("new/mail");
    Transport::folder(&new).await.unwrap();
    assert_eq!(mode(&new), 0o700);
}
