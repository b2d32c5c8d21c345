//! A real SMTP server (aiosmtpd), which can also misbehave.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc;

use crate::{Mail, programme};

const SERVER: &str = include_str!("smtp.py");

#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    Accept,
    /// 550 for every recipient.
    Refuse,
    /// 451 for every recipient: try again later.
    Defer,
    /// Takes the mail, and drops the connection before it says so.
    Vanish,
}

pub struct Smtp {
    child: Child,
    port: u16,
    mails: mpsc::UnboundedReceiver<String>,
}

impl Smtp {
    pub async fn start(behaviour: Behaviour) -> Self {
        let mut child = Command::new("python3")
            .env("PYTHONPATH", programme::tools().join("python"))
            .args(["-c", SERVER, &format!("{behaviour:?}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, mut mails) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let port = mails.recv().await.and_then(|line| line.parse().ok());
        let port = port.expect("aiosmtpd is missing: .ci/test installs it");
        Self { child, port, mails }
    }

    /// For the setting `smtp_url`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The next mail that was taken.
    pub async fn next(&mut self) -> Mail {
        let next = tokio::time::timeout(crate::LIMIT, self.mails.recv()).await;
        let line = next.expect("no mail came in time").expect("the mail server ended");
        Mail::parse(&serde_json::from_str::<String>(&line).unwrap())
    }

    /// How many more mails were taken by now.
    pub fn taken(&self) -> usize {
        self.mails.len()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    const SESSION: [&str; 6] = [
        "EHLO test\r\n",
        "MAIL FROM:<lethe@x.org>\r\n",
        "RCPT TO:<ada@x.org>\r\n",
        "DATA\r\n",
        "To: ada@x.org\r\nSubject: Hello\r\n\r\nHere I am.\r\n.\r\n",
        "QUIT\r\n",
    ];

    /// Everything the server said, when everything is said to it at once.
    fn say(smtp: &Smtp) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", smtp.port)).unwrap();
        stream.write_all(SESSION.concat().as_bytes()).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        String::from_utf8(said).unwrap()
    }

    #[tokio::test]
    async fn a_mail_is_taken_and_kept() {
        let mut smtp = Smtp::start(Behaviour::Accept).await;

        assert!(say(&smtp).contains("250 2.0.0 OK"));
        assert_eq!(smtp.next().await.subject, "Hello");
    }

    #[tokio::test]
    async fn a_server_that_vanishes_has_taken_the_mail_and_does_not_say_so() {
        let mut smtp = Smtp::start(Behaviour::Vanish).await;

        assert!(!say(&smtp).contains("250 2.0.0 OK"));
        assert_eq!(smtp.next().await.subject, "Hello");
    }

    #[tokio::test]
    async fn a_server_that_refuses_takes_nothing() {
        let smtp = Smtp::start(Behaviour::Refuse).await;

        assert!(say(&smtp).contains("550 5.1.1"));
        assert_eq!(smtp.taken(), 0);
    }
}
