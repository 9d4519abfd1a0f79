//! The README's section on a service that runs, executed as it is written, in one shell.

use crate::TCP;
use fedaudit_tests::intake::{Desk, LOANS_PLAN, SITE};
use fedaudit_tests::{programs, readme};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn the_readmes_lines_on_a_service_that_runs_print_what_it_shows() {
    let desk = Desk::open(TCP);
    desk.publish(LOANS_PLAN);
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    let home = desk.home();
    let machine = home.parent().expect("a folder");
    std::os::unix::fs::symlink(&home, machine.join("agent-home")).expect("links");
    let commands = readme::commands("From a service that runs");
    let event = commands.iter().find(|(command, _)| command == "cat event.json").expect("the event is shown");
    std::fs::write(machine.join("event.json"), event.1.join("\n")).expect("writes");
    std::fs::write(machine.join("subject"), "customer-4711\n").expect("writes");
    let mut before = String::new();
    for (command, shown) in &commands {
        if command.contains("reproduce") {
            // The README's daemon has been up for longer.
            let until = Instant::now() + Duration::from_secs(60);
            while desk.world.agent(SITE, &["release", "list", "--json"]).good().out.trim() == "[]" {
                assert!(Instant::now() < until, "no window is closed: {}", desk.log());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let own = command.replace("http://127.0.0.1:7070", &desk.address);
        assert_eq!(own != *command, command.contains("curl "), "the address is the one of config.toml");
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}{own}")]).current_dir(machine).env("PATH", path);
        let output = shell.output().expect("starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        readme::check(shown, &printed);
        if command.starts_with("TOKEN=") {
            before = format!("{command}\n");
        }
    }
    let ran = |what: &str| assert!(commands.iter().any(|(command, _)| command.contains(what)), "{what}");
    ["/v1/predictions", "/v1/outcomes", "reproduce", "prove", "find", "erase"].into_iter().for_each(ran);
}
