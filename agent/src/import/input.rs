//! The bytes of a file: unpacked for the reader, hashed as they lie on the disk.

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

/// An open file, plain or gzip.
pub(crate) struct Input {
    path: PathBuf,
    total: u64,
    form: Form,
}

enum Form {
    Plain(Hashed),
    Gzip(Box<MultiGzDecoder<BufReader<Hashed>>>),
}

/// A file that is hashed while it is read.
struct Hashed {
    file: File,
    hash: Sha256,
    done: u64,
}

impl Input {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let opened = || -> std::io::Result<(File, u64, bool)> {
            let mut file = File::open(path)?;
            let facts = file.metadata()?;
            if !facts.is_file() {
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file"));
            }
            let mut start = Vec::new();
            Read::by_ref(&mut file).take(2).read_to_end(&mut start)?;
            file.rewind()?;
            Ok((file, facts.len(), start == GZIP))
        };
        let (file, total, gzip) = opened().map_err(|error| {
            Fault::new(Blame::Input, format!("cannot read {}: {error}", path.display()), "check the path")
        })?;
        let file = Hashed { file, hash: Sha256::new(), done: 0 };
        let form = match gzip {
            true => Form::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK_BYTES, file)))),
            false => Form::Plain(file),
        };
        Ok(Input { path: path.to_owned(), total, form })
    }

    /// Bytes of the file read so far.
    pub fn done(&self) -> u64 {
        match &self.form {
            Form::Plain(file) => file.done,
            Form::Gzip(unpacked) => unpacked.get_ref().get_ref().done,
        }
    }

    /// Bytes of the file.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Reads more bytes to the end of `buffer`; how many.
    pub fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault> {
        let limit = CHUNK_BYTES as u64;
        let read = match &mut self.form {
            Form::Plain(file) => file.take(limit).read_to_end(buffer),
            Form::Gzip(unpacked) => unpacked.take(limit).read_to_end(buffer),
        };
        read.map_err(|error| self.fault(&error))
    }

    /// SHA-256 of the whole file, as it lies on the disk.
    pub fn digest(&mut self) -> Result<Digest, Fault> {
        let file = match &mut self.form {
            Form::Plain(file) => file,
            Form::Gzip(unpacked) => unpacked.get_mut().get_mut(),
        };
        let read = std::io::copy(file, &mut std::io::sink());
        let digest = Digest(file.hash.clone().finalize().into());
        read.map(|_| digest).map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        let hint = "fetch the file again, then import it again: rows that are in are not counted twice";
        Fault::new(Blame::Input, format!("cannot read {} to its end: {error}", self.path.display()), hint)
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.done += read as u64;
        Ok(read)
    }
}

/// First bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;
