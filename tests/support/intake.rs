//! A site whose agent takes in events over HTTP.

use crate::http::{Answer, Http};
use crate::program;
use crate::world::World;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A contract with score and label: `examples/` has none that senders of events would use.
pub const LOANS: &str = r#"
contract = "loans"
version = 1
title = "Loans to persons"
task = "binary"
model = "loan-scorer"

[decision]
values = ["deny", "grant"]
favourable = "grant"
threshold = 0.5

[label]
values = ["default", "repaid"]
positive = "repaid"

[score]
min = 0.0
max = 1.0
bins = 80

[[attribute]]
name = "sex"
categories = ["female", "male"]

[[feature]]
name = "age"
type = "integer"
min = 0
max = 120
edges = [17, 65]

[[feature]]
name = "sex"
type = "category"
categories = ["female", "male"]
"#;

/// What is asked of a day of their events.
pub const LOANS_PLAN: &str = r#"
plan = "loans-may"
version = 1
title = "Are women and men granted loans alike?"
contract = "loans"
model_versions = ["v1"]
required_sites = ["dept-a"]
[windows]
start = "2026-05-04T00:00:00Z"
end = "2026-05-05T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 5
[[slice]]
attributes = ["sex"]
reference = ["male"]
"#;

/// The site of these tests.
pub const SITE: &str = "dept-a";

/// A federation with one enrolled site that knows [`LOANS`], and its daemon.
pub struct Desk {
    /// The federation.
    pub world: World,
    /// Where intake listens.
    pub address: String,
    /// The token.
    pub token: String,
    daemon: Option<Child>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Desk {
    /// The agent running, with `intake` as the lines of its `[intake]` table.
    ///
    /// # Panics
    /// A step that fails.
    pub fn open(intake: &str) -> Desk {
        let world = World::new(&[SITE, "dept-b"]);
        let contract = world.scratch("loans.toml");
        std::fs::write(&contract, LOANS).expect("writes");
        world.aggregator(&["contract", "publish", &contract.to_string_lossy()]).good();
        world.enrol(SITE);
        let token = std::fs::read_to_string(world.site(SITE).join("keys/intake.token")).expect("init made it");
        let mut desk = Desk { world, address: String::new(), token: token.trim().to_owned(), daemon: None };
        desk.configure(intake);
        desk.start();
        desk
    }

    /// The home of the agent.
    pub fn home(&self) -> PathBuf {
        self.world.site(SITE)
    }

    /// Publishes a plan, and has the site learn of it.
    ///
    /// # Panics
    /// It is refused.
    pub fn publish(&self, plan: &str) {
        let file = self.world.scratch("plan-loans.toml");
        std::fs::write(&file, plan).expect("writes");
        self.world.aggregator(&["plan", "publish", &file.to_string_lossy()]).good();
        self.world.agent(SITE, &["plan", "list"]).good();
    }

    /// Writes the `[intake]` table.
    ///
    /// # Panics
    /// A file that cannot be written.
    pub fn configure(&self, intake: &str) {
        let path = self.home().join("config.toml");
        let text = std::fs::read_to_string(&path).expect("reads");
        let kept = text.split("\n[intake]\n").next().unwrap_or_default();
        std::fs::write(&path, format!("{}\n[intake]\n{intake}\n", kept.trim_end())).expect("writes");
    }

    /// Starts the daemon.
    ///
    /// # Panics
    /// It does not say that it is ready.
    pub fn start(&mut self) {
        let mut command = Command::new(program("fedaudit-agent"));
        command.arg("--home").arg(self.home()).arg("run");
        self.start_by(command);
    }

    /// The agent with `power/shim.c` before the C library, which writes down at `log` what is done to files.
    ///
    /// # Panics
    /// There is no C compiler.
    pub fn watched(&self, log: &Path) -> Command {
        let shim = self.world.scratch("shim.so");
        if !shim.exists() {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/power/shim.c");
            let mut compile = Command::new("cc");
            compile.args(["-shared", "-fPIC", "-O2", "-pthread", "-o"]).arg(&shim).arg(source);
            assert!(compile.status().expect("tests/setup asks for a C compiler").success());
        }
        let mut command = Command::new(program("fedaudit-agent"));
        command.env("LD_PRELOAD", shim).env("FEDAUDIT_POWER_LOG", log).arg("--home").arg(self.home());
        command
    }

    /// Starts the daemon by a command that runs it in the end.
    ///
    /// # Panics
    /// It does not say that it is ready.
    pub fn start_by(&mut self, mut command: Command) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).expect("opens");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("reads");
        self.daemon = Some(child);
        let address = line.trim_end().split_once("; intake at ").map(|(_, address)| address.to_owned());
        self.address = address.unwrap_or_else(|| panic!("`{line}`: {}", self.log()));
    }

    /// What the daemon wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.world.scratch("agent.log")
    }

    /// Kills the daemon (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Asks the daemon to end (SIGTERM) and waits until it has, well.
    ///
    /// # Panics
    /// It goes on, or fails.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon");
        let said = Command::new("kill").arg(daemon.id().to_string()).status().expect("kill is there");
        assert!(said.success());
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = daemon.try_wait().expect("waits") {
                assert!(status.success(), "{status}: {}", self.log());
                return;
            }
            assert!(Instant::now() < until, "the agent goes on: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection to intake.
    ///
    /// # Panics
    /// Nobody listens.
    pub fn http(&self) -> Http {
        Http::connect(&self.address).expect("intake listens")
    }

    /// Posts a body with the token, on a connection of its own.
    ///
    /// # Panics
    /// There is no answer.
    #[track_caller]
    pub fn post(&self, path: &str, media: &str, body: &str) -> Answer {
        post(&mut self.http(), &self.token, path, media, body).expect("an answer")
    }

    /// Records that `journal verify` finds whole, of a log: events or outcomes, padding not counted; 0 where there is no such log.
    ///
    /// # Panics
    /// The journal is not whole.
    pub fn journaled(&self, log: &str) -> u64 {
        let said = self.world.agent(SITE, &["journal", "verify"]).good().out;
        let line = said.lines().find_map(|line| line.strip_prefix(log)).unwrap_or(": 0");
        let digits: String = line.chars().skip(2).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// Posts a body with a token.
///
/// # Errors
/// The other side went away.
pub fn post(http: &mut Http, token: &str, path: &str, media: &str, body: &str) -> Result<Answer, std::io::Error> {
    let token = format!("Bearer {token}");
    http.ask("POST", path, &[("authorization", &token), ("content-type", media)], body.as_bytes())
}

/// A good event of [`LOANS`].
pub fn event(id: &str) -> Value {
    json!({
        "contract": "loans", "event_id": id, "occurred_at": "2026-05-04T10:00:00.25Z", "model_version": "v1",
        "decision": "grant", "score": 0.75, "attributes": {"sex": "female"}, "subject": "p-1"
    })
}

/// Several as lines.
pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// Whether a file is there with this mode.
pub fn has_mode(path: &Path, mode: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o7777 == mode)
}
