//! Witnesses: the aggregator sends its checkpoints to `fedaudit-verify witness`, and nothing counts without a quorum.

#[path = "witness/bundle.rs"]
mod bundle;
#[path = "witness/fork.rs"]
mod fork;
#[path = "witness/http.rs"]
mod http;
#[path = "witness/replaced.rs"]
mod replaced;
#[path = "witness/rotated.rs"]
mod rotated;
#[path = "witness/trusted.rs"]
mod trusted;

use fedaudit_tests::world::World;
use fedaudit_tests::{Said, program, run};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that a test waits for what must come: far more than programs built for debugging take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
const SITES: [&str; 3] = ["dept-a", "dept-b", "dept-c"];

/// A witness with a home and an address of its own, running or not.
struct Witness {
    dir: TempDir,
    address: SocketAddr,
    key: String,
    child: Option<Child>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Witness {
    /// One that has its key and does not run: a federation's trust file names it before it knows the federation.
    fn new(name: &str) -> Witness {
        let dir = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
        let mut witness = Witness { dir, address, key: String::new(), child: None };
        witness.key = witness.command(&["--name", name]).good().out.trim().to_owned();
        witness
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("witness")
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn command(&self, args: &[&str]) -> Said {
        let home = self.home().display().to_string();
        run("fedaudit-verify", &[&["witness", "--home", &home], args].concat())
    }

    /// Starts it for the federation of this trust file, and waits until it is ready.
    fn start(&mut self, trust: &Path) {
        let mut command = Command::new(program("fedaudit-verify"));
        command.args(["witness", "--home"]).arg(self.home()).args(["--listen", &self.address.to_string()]);
        command.arg("--trust").arg(trust);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_ref(), Some(&self.key));
        assert!(lines.next().is_some_and(|line| line.starts_with("ready")));
        self.child = Some(child);
    }

    /// Ends it at once, as `kill -9` does.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A federation whose trust file names these witnesses, so many of which must cosign. None of them runs yet.
fn world(witnesses: &[&Witness], threshold: &str) -> World {
    let at: Vec<_> = witnesses.iter().map(|witness| format!("{}@{}", witness.key, witness.url())).collect();
    let mut args: Vec<&str> = at.iter().flat_map(|at| ["--witness", at]).collect();
    args.extend(["--witness-threshold", threshold]);
    World::with(&SITES, |plan| plan, &args)
}

fn trust(world: &World) -> PathBuf {
    world.home().join("trust.json")
}

fn build(world: &World, out: &str) -> Said {
    let out = world.scratch(out).display().to_string();
    world.aggregator(&["report", "build", world.plan().as_str(), "--out", &out])
}

#[test]
fn two_of_two() {
    let (mut a, mut b) = (Witness::new("a.example/w"), Witness::new("b.example/w"));
    let mut world = world(&[&a, &b], "2");
    a.start(&trust(&world));
    b.start(&trust(&world));
    SITES.iter().for_each(|site| world.ship(site));
    let said = build(&world, "out").good();
    assert_eq!(said.err, "");
    let said = run(
        "fedaudit-verify",
        &[world.scratch("out/bundle.zip").as_os_str(), "--trust".as_ref(), trust(&world).as_os_str()],
    );
    let said = said.good();
    assert_eq!(said.out.matches("2 of 2, 2 needed: a.example/w at ").count(), 2, "{said:#?}");
    bundle::altered(&world);
    bundle::asked_when(&world);
    // Without one of them nothing is built, and nothing is written.
    b.kill();
    let before = world.logs();
    let said = build(&world, "second").fault("network", &["1 of 2 witnesses cosign", "2 are needed", "b.example/w"]);
    assert!(said.err.contains("hint: have the witness started"), "{said:#?}");
    assert!(!world.scratch("second").exists());
    assert_eq!(world.logs(), before, "no report was logged");
    // It comes back with what it had.
    b.start(&trust(&world));
    build(&world, "third").good();
    fork::two_histories(&mut world, &a);
}

#[test]
fn one_of_two_is_enough_where_that_was_said() {
    let (mut a, b) = (Witness::new("a.example/w"), Witness::new("b.example/w"));
    let world = world(&[&a, &b], "1");
    a.start(&trust(&world));
    SITES.iter().for_each(|site| world.ship(site));
    build(&world, "out").good();
    let bundle = world.scratch("out/bundle.zip");
    let said = run("fedaudit-verify", &[bundle.as_os_str(), "--trust".as_ref(), trust(&world).as_os_str()]).good();
    assert_eq!(said.out.matches("1 of 2, 1 needed: a.example/w at ").count(), 2, "{said:#?}");
}

#[test]
fn sites_take_no_registry_without_a_quorum() {
    let mut a = Witness::new("a.example/w");
    let world = world(&[&a], "1");
    let site = fedaudit_tests::world::name(SITES[0]);
    let home = world.site(SITES[0]).display().to_string();
    let agent = |args: &[&str]| run("fedaudit-agent", &[&["--home", &home], args].concat());
    agent(&["init", "--k-floor", "5", "--poll-seconds", "1"]).good();
    let token = world.aggregator(&["site", "add", site.as_str()]).good().out;
    agent(&["join", token.trim()]).good();
    let said = world.aggregator(&["site", "approve", site.as_str()]).good();
    assert!(said.err.contains("not cosigned yet"), "{said:#?}");
    let log = world.scratch("agent.log");
    let mut command = Command::new(program("fedaudit-agent"));
    command.args(["--home", &home, "run", "--once"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(std::fs::File::create(&log).expect("a file")).spawn().expect("starts");
    let until = Instant::now() + PATIENCE;
    let waits = |log: &str| log.contains("not witnessed") && log.contains("witnesses: expected");
    while !waits(&std::fs::read_to_string(&log).expect("reads")) {
        assert!(Instant::now() < until, "{:?}", std::fs::read_to_string(&log));
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = || agent(&["status"]).good().out;
    assert!(status().contains("registry: 0 entries"), "{}", status());
    // It comes up; the daemon has the registry cosigned, and the site goes on by itself.
    a.start(&trust(&world));
    while child.try_wait().expect("waits").is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            panic!("{:?}\n{}", std::fs::read_to_string(&log), world.log());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().expect("waits").success() && status().contains("registry: 4 entries"), "{}", status());
}
