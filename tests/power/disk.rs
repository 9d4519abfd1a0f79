//! What a folder holds after a loss of power, by what `shim.c` wrote down: everything synced, and of the rest anything.

use rand::Rng as _;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What a process did, by the numbers of `shim.c`.
#[derive(Debug)]
pub enum Op {
    Create { path: PathBuf, inode: u64, empties: bool },
    Write { inode: u64, offset: usize, bytes: Vec<u8> },
    Truncate { inode: u64, length: usize },
    Sync { inode: u64 },
    SyncFolder { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Link { from: PathBuf, to: PathBuf },
    Unlink { path: PathBuf },
    Folder { path: PathBuf },
}

/// Reads a log: what was done, and at which byte of the log that was known. The last record may be cut.
pub fn read(mut log: &[u8]) -> Vec<(u64, Op)> {
    let (whole, mut ops) = (log.len(), Vec::new());
    while let Some((head, rest)) = log.split_first_chunk::<32>() {
        let number = |at: usize| u64::from_ne_bytes(head.as_chunks::<8>().0[at]);
        let (inode, offset, length) = (number(1), number(2) as usize, number(3) as usize);
        let Some((bytes, rest)) = rest.split_at_checked(length) else { break };
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let pair = || {
            let mut names = bytes.split(|byte| *byte == 0).map(path);
            (names.next().expect("a name"), names.next().expect("another"))
        };
        let op = match number(0) {
            1 => Op::Create { path: path(bytes), inode, empties: offset == 1 },
            2 => Op::Write { inode, offset, bytes: bytes.to_vec() },
            3 => Op::Truncate { inode, length: offset },
            4 => Op::Sync { inode },
            5 => Op::SyncFolder { path: path(bytes) },
            6 => Op::Rename { from: pair().0, to: pair().1 },
            7 => Op::Link { from: pair().0, to: pair().1 },
            8 => Op::Unlink { path: path(bytes) },
            9 => Op::Folder { path: path(bytes) },
            other => panic!("{other} is no record"),
        };
        log = rest;
        ops.push(((whole - log.len()) as u64, op));
    }
    ops
}

/// A name's meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entry {
    Folder,
    /// By its place among the files.
    File(usize),
}

/// A change of a file's content.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What lasts of a file, and what was done to it since it was synced.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// A change of names: those that go and those that come.
#[derive(Clone, Debug)]
struct Naming {
    gone: Option<PathBuf>,
    come: Option<(PathBuf, Entry)>,
}

type Names = BTreeMap<PathBuf, Entry>;

/// Folders (no content) and files.
pub type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A folder on a disk that forgets.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    inodes: HashMap<u64, usize>,
    /// As processes see them.
    names: Names,
    durable: Names,
    pending: Vec<Naming>,
    /// This disk says that it has synced files, and has not.
    pub lies: bool,
}

impl Disk {
    /// A folder as it is, all of it durable.
    pub fn of(root: &Path) -> Disk {
        let mut disk = Disk { root: root.to_owned(), ..Disk::default() };
        disk.names.insert(root.to_owned(), Entry::Folder);
        for (path, content) in tree(root) {
            let entry = match content {
                None => Entry::Folder,
                Some(bytes) => {
                    let inode = fs::metadata(&path).expect("is there").ino();
                    disk.inodes.insert(inode, disk.files.len());
                    disk.files.push(File { durable: bytes, pending: Vec::new() });
                    Entry::File(disk.files.len() - 1)
                }
            };
            disk.names.insert(path, entry);
        }
        disk.durable = disk.names.clone();
        disk
    }

    /// Does what a process did. What lies outside the folder is left alone.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { path, inode, empties } if path.starts_with(&self.root) => self.create(path, *inode, *empties),
            Op::Write { inode, offset, bytes } => self.change(*inode, Change::Write(*offset, bytes.clone())),
            Op::Truncate { inode, length } => self.change(*inode, Change::Truncate(*length)),
            Op::Sync { inode } if !self.lies => {
                if let Some(file) = self.inodes.get(inode).and_then(|at| self.files.get_mut(*at)) {
                    file.pending.drain(..).for_each(|change| apply(&mut file.durable, &change));
                }
            }
            Op::SyncFolder { path } => {
                let of = |naming: &Naming| folders(naming).any(|folder| folder == path);
                let (synced, left) = std::mem::take(&mut self.pending).into_iter().partition(of);
                self.pending = left;
                let synced: Vec<Naming> = synced;
                synced.iter().for_each(|naming| name(&mut self.durable, naming));
            }
            Op::Rename { from, to } => {
                let Some(entry) = self.names.get(from).copied() else { return };
                assert!(entry != Entry::Folder, "renaming a folder is not modelled: {}", from.display());
                self.name(Some(from), Some((to, entry)));
            }
            Op::Link { from, to } => {
                if let Some(entry) = self.names.get(from).copied() {
                    self.name(None, Some((to, entry)));
                }
            }
            Op::Unlink { path } if self.names.contains_key(path) => self.name(Some(path), None),
            Op::Folder { path } if path.starts_with(&self.root) => self.name(None, Some((path, Entry::Folder))),
            _ => {}
        }
    }

    fn create(&mut self, path: &Path, inode: u64, empties: bool) {
        let known = self.inodes.get(&inode).copied();
        if known.is_none() || self.names.get(path).copied() != known.map(Entry::File) {
            // The file is new, and its inode may be that of one that is gone.
            self.inodes.insert(inode, self.files.len());
            self.files.push(File::default());
            self.name(None, Some((path, Entry::File(self.files.len() - 1))));
        } else if empties {
            self.change(inode, Change::Truncate(0));
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(file) = self.inodes.get(&inode).and_then(|at| self.files.get_mut(*at)) {
            file.pending.push(change);
        }
    }

    fn name(&mut self, gone: Option<&PathBuf>, come: Option<(&Path, Entry)>) {
        let naming = Naming { gone: gone.cloned(), come: come.map(|(path, entry)| (path.to_owned(), entry)) };
        name(&mut self.names, &naming);
        self.pending.push(naming);
    }

    /// The folder if the power stays.
    pub fn now(&self) -> Image {
        self.image(&self.names, |file| file.pending.to_vec())
    }

    /// The folder after a loss of power. Of what was not synced there may be anything, or nothing: of the names in a
    /// folder the first few changes, as journaling file systems keep them in order; of contents any sectors.
    pub fn lose_power(&self, rng: &mut StdRng) -> Image {
        let mut names = self.durable.clone();
        let mut stopped: Vec<PathBuf> = Vec::new();
        let likely = [0, 30, 90][rng.next_u32() as usize % 3];
        for naming in &self.pending {
            if folders(naming).any(|folder| stopped.iter().any(|stopped| stopped == folder)) || !chance(rng, likely) {
                stopped.extend(folders(naming).map(Path::to_owned));
            } else {
                name(&mut names, naming);
            }
        }
        let sector = [512, 4_096][rng.next_u32() as usize % 2];
        let likely = [0, 10, 50, 90][rng.next_u32() as usize % 4];
        let image = self.image(&names, |file| survivors(&file.pending, sector, likely, rng));
        // What lies in a folder that has no name is lost with it.
        let kept = |path: &PathBuf| path.ancestors().take_while(|at| *at != self.root).all(|at| image.contains_key(at));
        let lost: Vec<PathBuf> = image.keys().filter(|path| !kept(path)).cloned().collect();
        image.into_iter().filter(|(path, _)| !lost.contains(path)).collect()
    }

    fn image(&self, names: &Names, mut kept: impl FnMut(&File) -> Vec<Change>) -> Image {
        // A file may have two names, and has one content.
        let mut contents: HashMap<usize, Vec<u8>> = HashMap::new();
        let mut image = Image::new();
        for (path, entry) in names.iter().filter(|(path, _)| **path != self.root && lasts(path)) {
            let content = match entry {
                Entry::Folder => None,
                Entry::File(at) => {
                    let content = contents.entry(*at).or_insert_with(|| {
                        let mut bytes = self.files[*at].durable.clone();
                        kept(&self.files[*at]).iter().for_each(|change| apply(&mut bytes, change));
                        bytes
                    });
                    Some(content.clone())
                }
            };
            image.insert(path.clone(), content);
        }
        image
    }
}

/// The sectors that reached the disk although nothing was synced; later ones may be there and earlier ones not.
fn survivors(pending: &[Change], sector: usize, likely: u32, rng: &mut StdRng) -> Vec<Change> {
    let mut kept = Vec::new();
    for change in pending {
        match change {
            Change::Truncate(length) if chance(rng, likely) => kept.push(Change::Truncate(*length)),
            Change::Truncate(_) => {}
            Change::Write(offset, bytes) => {
                let mut at = 0;
                while at < bytes.len() {
                    let end = bytes.len().min(at + sector - (offset + at) % sector);
                    if chance(rng, likely) {
                        kept.push(Change::Write(offset + at, bytes[at..end].to_vec()));
                    }
                    at = end;
                }
            }
        }
    }
    kept
}

fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.next_u32() % 100 < percent
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate(length) => bytes.resize(*length, 0),
        Change::Write(offset, new) => {
            bytes.resize(bytes.len().max(offset + new.len()), 0);
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
    }
}

fn name(names: &mut Names, naming: &Naming) {
    if let Some(path) = &naming.gone {
        names.remove(path);
    }
    if let Some((path, entry)) = &naming.come {
        names.insert(path.clone(), *entry);
    }
}

/// The folders whose names a change touches.
fn folders(naming: &Naming) -> impl Iterator<Item = &Path> {
    naming.gone.iter().chain(naming.come.iter().map(|(path, _)| path)).filter_map(|path| path.parent())
}

/// SQLite's index of its write-ahead log is memory that happens to have a name; it is made again after a crash.
fn lasts(path: &Path) -> bool {
    !path.to_string_lossy().ends_with("-shm")
}

/// What a folder holds.
pub fn tree(root: &Path) -> Image {
    let mut image = Image::new();
    for entry in fs::read_dir(root).expect("lists").flatten().filter(|entry| lasts(&entry.path())) {
        let path = entry.path();
        if path.is_dir() {
            image.extend(tree(&path));
            image.insert(path, None);
        } else {
            image.insert(path.clone(), Some(fs::read(&path).expect("reads")));
        }
    }
    image
}

/// Puts an image in the place of the folder.
pub fn restore(root: &Path, image: &Image) {
    fs::remove_dir_all(root).expect("removes");
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700).create(root).expect("makes");
    for (path, content) in image {
        match content {
            None => folder.create(path).expect("makes"),
            Some(bytes) => {
                let mut options = fs::OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(path).expect("creates");
                std::io::Write::write_all(&mut file, bytes).expect("writes");
            }
        }
    }
}
