//! A request whose body comes later than its head.

use std::fmt::Write;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Answer, Call, Client, LIMIT};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request that the server has admitted, and whose body it waits for: for 15 s.
pub struct HeldBody {
    stream: TcpStream,
    body: Vec<u8>,
}

impl Client {
    /// Sends the head of the call; `seen` is a path that is admitted as the call is.
    ///
    /// The server answers `100 Continue` as it begins with the admission. What is read after that
    /// takes the same way through the database, and is answered when the admission is over.
    pub async fn hold(&self, call: Call, seen: &str) -> HeldBody {
        let held = call.hold().await;
        for _ in 0..3 {
            self.get(seen).await.expect(200);
        }
        held
    }
}

impl Call {
    async fn hold(self) -> HeldBody {
        let request = self.into_request();
        let url = request.url();
        let at = (url.host_str().unwrap(), url.port().unwrap());
        let mut stream = TcpStream::connect(at).await.unwrap();
        let body = request.body().and_then(|body| body.as_bytes()).unwrap().to_vec();
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method(), url.path(), at.0);
        for (name, value) in request.headers() {
            write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
        }
        let rest = "expect: 100-continue\r\nconnection: close\r\n\r\n";
        write!(head, "content-length: {}\r\n{rest}", body.len()).unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut interim = vec![0; CONTINUE.len()];
        timeout(LIMIT, stream.read_exact(&mut interim)).await.unwrap().unwrap();
        assert_eq!(interim, CONTINUE, "{}", String::from_utf8_lossy(&interim));
        HeldBody { stream, body }
    }
}

impl HeldBody {
    /// Sends the body.
    pub async fn send(mut self) -> Answer {
        self.stream.write_all(&self.body).await.unwrap();
        let mut read = Vec::new();
        timeout(LIMIT, self.stream.read_to_end(&mut read)).await.unwrap().unwrap();
        let end = read.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&read[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| {
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        Answer { status: status.parse().unwrap(), headers, body: read[end + 4..].to_vec() }
    }
}
