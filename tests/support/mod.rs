//! What the whole-system tests share: the programs as processes, federations in temporary folders, and hostile parties.

#![forbid(unsafe_code)]

pub mod absent;
pub mod client;
pub mod evidence;
pub mod figures;
pub mod forge;
pub mod http;
pub mod intake;
pub mod load;
pub mod raw;
pub mod readme;
pub mod world;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder that holds the programs: `FEDAUDIT_BIN`, or where cargo put them beside the running test.
///
/// # Panics
/// A test that does not know where it runs.
pub fn programs() -> PathBuf {
    match std::env::var_os("FEDAUDIT_BIN") {
        Some(folder) => folder.into(),
        None => {
            let test = std::env::current_exe().expect("the operating system says which test this is");
            let folder = test.parent().and_then(Path::parent);
            folder.expect("a test lies two folders below the target folder").to_owned()
        }
    }
}

/// The path of a program.
///
/// # Panics
/// It was not built.
pub fn program(name: &str) -> PathBuf {
    let path = programs().join(name);
    assert!(
        path.is_file(),
        "{} is missing: run tests/run, or cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// What a program said, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The same, which succeeded.
    ///
    /// # Panics
    /// It failed.
    #[track_caller]
    pub fn good(self) -> Said {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// The same, which failed with a fault of `blame` that says each of `what`, and what to do next.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn fault(self, blame: &str, what: &[&str]) -> Said {
        assert_eq!(self.code, Some(4), "{self:#?}");
        let fault = self.err.lines().skip_while(|line| !line.starts_with(&format!("{blame}: ")));
        let fault = fault.collect::<Vec<_>>().join("\n");
        assert!(!fault.is_empty(), "nothing is blamed on `{blame}`: {self:#?}");
        for what in what {
            assert!(fault.contains(what), "`{what}` is not said: {self:#?}");
        }
        let hint = fault.lines().find_map(|line| line.strip_prefix("hint: "));
        assert!(hint.is_some_and(|hint| hint.len() > 10), "no hint: {self:#?}");
        self
    }
}

/// Runs a program to its end.
///
/// # Panics
/// It was not built, or cannot be started.
pub fn run(name: &str, args: &[impl AsRef<OsStr>]) -> Said {
    run_in(name, args, &[])
}

/// The same, with more in its environment.
///
/// # Panics
/// As [`run`].
pub fn run_in(name: &str, args: &[impl AsRef<OsStr>], environment: &[(&str, &Path)]) -> Said {
    let environment = environment.iter().copied();
    let output = Command::new(program(name)).args(args).envs(environment).stdin(Stdio::null()).output();
    let output = output.expect("a program that was built starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Whether a Python program was content, and what it said.
pub struct Answer {
    /// It ended with 0.
    pub content: bool,
    /// Both of its outputs.
    pub said: String,
}

/// Runs a Python program of this tree with the packages that `tests/setup` installs.
///
/// # Panics
/// They are not installed.
pub fn python(program: &str, args: &[impl AsRef<OsStr>]) -> Answer {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the workspace");
    let tools = std::env::var_os("FEDAUDIT_TOOLS").map_or_else(|| root.join("tests/.tools"), PathBuf::from);
    let python = tools.join("python/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/setup, or tests/run, which does", python.display());
    let mut command = Command::new(python);
    command.arg(root.join(program)).args(args).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().expect("Python starts");
    let said = [output.stdout, output.stderr].concat();
    Answer { content: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() }
}
