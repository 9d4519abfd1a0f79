//! A client of intake written by hand: HTTP/1.1 over TCP or a Unix socket, one connection, one request at a time.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connection.
pub struct Http {
    stream: BufReader<Box<dyn Stream>>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// Longest that an answer may take before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);

impl Http {
    /// Connects to `http://HOST:PORT` or `unix:PATH`.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(address: &str) -> Result<Http, Error> {
        let stream: Box<dyn Stream> = match address.strip_prefix("unix:") {
            Some(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            None => {
                let stream = TcpStream::connect(address.trim_start_matches("http://"))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        Ok(Http { stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the answer. The length of the body is announced, unless `headers` do.
    ///
    /// # Errors
    /// The other side went away.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, Error> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: agent\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !headers.iter().any(|(name, _)| matches!(*name, "content-length" | "transfer-encoding")) {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut request = format!("{head}\r\n").into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)?;
        self.answer()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// There is none.
    pub fn answer(&mut self) -> Result<Answer, Error> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, format!("no answer: `{line}`")))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl Answer {
    /// The value of a header, named in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
