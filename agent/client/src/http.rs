//! As much of an HTTP/1.1 client as an agent on the same machine needs: one connection, one request at a time.

use crate::Target;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<Stream>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
    /// The other side ends the connection.
    pub last: bool,
}

impl Connection {
    pub fn open(target: &Target, patience: Duration) -> io::Result<Connection> {
        let stream = match target {
            Target::Tcp(address) => {
                let mut addresses = address.to_socket_addrs()?;
                let address = addresses.next().ok_or_else(|| io::Error::new(ErrorKind::NotFound, "no such address"))?;
                let stream = TcpStream::connect_timeout(&address, patience)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Target::Socket(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Posts lines of JSON; each read and write may take as long as `patience`.
    pub fn post(&mut self, path: &str, token: &str, lines: &[u8], patience: Duration) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            lines.len()
        );
        let stream = self.stream.get_mut();
        stream.set_patience(patience)?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(lines)?;
        stream.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| strange("no status line of HTTP/1.1"))?;
        let mut answer = Answer { status, retry_after: None, body: Vec::new(), last: false };
        let mut length = None;
        for _ in 0..HEADERS {
            let line = self.line()?;
            if line.is_empty() {
                let length = length.ok_or_else(|| strange("an answer without length"))?;
                if length > ANSWER_BYTES {
                    return Err(strange("an answer that is too long"));
                }
                answer.body.resize(length, 0);
                self.stream.read_exact(&mut answer.body)?;
                return Ok(answer);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| strange("a header without colon"))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "retry-after" => answer.retry_after = value.trim().parse().ok(),
                "connection" => answer.last = value.trim().eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        Err(strange("too many headers"))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let read = self.stream.by_ref().take(HEADER_BYTES).read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(text) => Ok(text.strip_suffix('\r').unwrap_or(text).to_owned()),
            None if read == 0 => Err(ErrorKind::UnexpectedEof.into()),
            None => Err(strange("a header that does not end")),
        }
    }
}

impl Stream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(buffer),
            Stream::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the agent sent {what}"))
}

/// Headers of an answer.
const HEADERS: usize = 100;
/// Bytes of one of them.
const HEADER_BYTES: u64 = 8 << 10;
/// Bytes of an answer's body.
const ANSWER_BYTES: usize = 16 << 20;
