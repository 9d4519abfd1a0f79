//! A page of documentation as a list of commands, and the machines that they are run at.

use fedaudit_tests::{Said, program, programs, run};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Commands that stand together, and where they are run.
#[derive(Debug)]
pub struct Block {
    /// After `**At`: "the centre", "each site".
    pub machine: String,
    /// Whether the whole block is run once for each site.
    pub for_each_site: bool,
    /// Run the block again until it says this.
    pub until: Option<String>,
    lines: Vec<String>,
}

impl Block {
    /// The commands.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the workspace");
    std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The blocks of commands from the heading `from` to the next one of its rank. What is not preceded by a paragraph that
/// begins with `**At` is no command.
pub fn blocks(file: &str, from: &str) -> Vec<Block> {
    let text = read(file);
    let section = text.split_once(&format!("{from}\n")).unwrap_or_else(|| panic!("{file} has no `{from}`")).1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let (mut found, mut place): (Vec<Block>, String) = (Vec::new(), String::new());
    let mut inside = false;
    for paragraph in section.split("\n\n") {
        if let Some(commands) = paragraph.strip_prefix("    ") {
            assert!(inside, "{file}: whose command is this? {commands}");
            let lines = commands.lines().map(|line| line.trim().to_owned()).collect();
            found.push(block(&place, lines));
            inside = false;
        } else if let Some(rest) = paragraph.trim_start().strip_prefix("**At ") {
            (place, inside) = (rest.to_owned(), true);
        }
    }
    assert!(!found.is_empty(), "{file}: no commands after `{from}`");
    found
}

fn block(place: &str, lines: Vec<String>) -> Block {
    let bold = place.split("**").next().unwrap_or_default().trim_end_matches(':');
    let machine = bold.trim_end_matches(", for each site").to_owned();
    let until = place.split_once("until it says `").and_then(|(_, rest)| rest.split('`').next()).map(str::to_owned);
    Block { for_each_site: bold.ends_with("each site"), machine, until, lines }
}

/// A folder a machine, with the daemons that run at them.
pub struct Machines {
    dir: TempDir,
    filled: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    daemons: Vec<Child>,
    last: Option<Said>,
}

impl Drop for Machines {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Machines {
    /// Machines for the commands of `file`, which declares the placeholders `names`.
    pub fn new(names: &[&str], file: &str) -> Machines {
        for name in ["fedaudit-aggregator", "fedaudit-agent", "fedaudit-verify"] {
            program(name);
        }
        let dir = tempfile::tempdir().expect("a folder");
        let text = read(file);
        for name in names {
            assert!(text.contains(&format!("`{name}`")), "{file} does not declare {name}");
        }
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = socket.expect("a free port").port().to_string();
        // Each machine is a folder two levels below.
        let known = [("HOST", "127.0.0.1"), ("PORT", &port), ("DIR", "../../first-screen"), ("STICK", "../../stick")];
        let filled = known.into_iter().filter(|(name, _)| names.contains(name));
        let filled = filled.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        std::fs::create_dir(dir.path().join("stick")).expect("makes a folder");
        // The first screen.
        run("federation", &["--out".into(), dir.path().join("first-screen").into_os_string()]).good();
        let machines = Machines { dir, filled, tokens: BTreeMap::new(), daemons: Vec::new(), last: None };
        machines.put_scp();
        machines
    }

    /// Stands in for the network's `scp`: HOST is the machine where the aggregator is.
    fn put_scp(&self) {
        let bin = self.dir.path().join("bin");
        std::fs::create_dir(&bin).expect("makes a folder");
        let script =
            "#!/bin/sh\nset -e\nfor file; do case \"$file\" in *:*) cp \"$CENTRE/${file#*:}\" . ;; esac; done\n";
        std::fs::write(bin.join("scp"), script).expect("writes");
        std::fs::set_permissions(bin.join("scp"), std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// The folder of a machine.
    pub fn folder(&self, machine: &str) -> PathBuf {
        let folder = self.dir.path().join("machines").join(machine.trim_start_matches("the "));
        std::fs::create_dir_all(&folder).expect("makes a folder");
        folder
    }

    /// The memory stick.
    pub fn stick(&self) -> PathBuf {
        self.dir.path().join("stick")
    }

    /// What the last command said.
    pub fn last(&self) -> &Said {
        self.last.as_ref().expect("a command was run")
    }

    /// Runs a block: at its machine, for `sites` if it is for each of them.
    #[track_caller]
    pub fn run(&mut self, block: &Block, sites: &[&str]) {
        let sites = if block.for_each_site { sites } else { &[""] };
        for site in sites {
            let machine = if block.machine == "each site" { (*site).to_owned() } else { block.machine.clone() };
            let own = if site.is_empty() { machine.as_str() } else { site };
            let until = Instant::now() + PATIENCE;
            loop {
                for line in &block.lines {
                    self.line(&machine, own, line);
                }
                let Some(wanted) = &block.until else { break };
                if self.last().out.contains(wanted) {
                    break;
                }
                assert!(Instant::now() < until, "it never says `{wanted}`: {:?}", self.last());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    #[track_caller]
    fn line(&mut self, machine: &str, site: &str, line: &str) {
        let filled = self.fill(line, site);
        if let Some(daemon) = filled.strip_suffix('&') {
            let daemon = self.start(machine, daemon);
            self.daemons.push(daemon);
            return;
        }
        let said = self.shell(machine, &filled);
        assert_eq!(said.code, Some(0), "{machine}: {filled}\n{said:#?}");
        if line.contains("site add SITE") {
            self.tokens.insert(site.to_owned(), said.out.trim().to_owned());
        }
        self.last = Some(said);
    }

    fn fill(&self, line: &str, site: &str) -> String {
        let mut line = line.to_owned();
        for (name, value) in &self.filled {
            line = line.replace(name, value);
        }
        if let Some(token) = self.tokens.get(site) {
            line = line.replace("TOKEN", token);
        }
        line.replace("SITE", site)
    }

    fn command(&self, machine: &str, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.dir.path().join("bin");
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder(machine)).stdin(Stdio::null());
        command.env("PATH", format!("{}:{}:{path}", bin.display(), programs().display()));
        let centre = ["the centre", "the aggregator"].iter().map(|name| self.folder(name));
        command.env("CENTRE", centre.max_by_key(|folder| folder.join("aggregator-home").exists()).expect("one"));
        command
    }

    /// Runs one line at a machine.
    pub fn shell(&self, machine: &str, line: &str) -> Said {
        let output = self.command(machine, &self.fill(line, "")).output().expect("a shell starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// A daemon, once it says that it is ready; a person at a keyboard is slower than that.
    fn start(&self, machine: &str, line: &str) -> Child {
        let mut command = self.command(machine, &format!("exec {line}"));
        let mut daemon = command.stdout(Stdio::piped()).spawn().expect("a shell starts");
        let mut first = String::new();
        BufReader::new(daemon.stdout.take().expect("a pipe")).read_line(&mut first).expect("reads");
        if !first.starts_with("ready") {
            let _ = daemon.kill();
            let _ = daemon.wait();
            panic!("{machine}: {line} did not start: {first}");
        }
        daemon
    }
}
