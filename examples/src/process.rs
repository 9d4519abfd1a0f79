//! The parties as processes.

use fedaudit_core::fault::{Blame, Fault};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How each party is started: a program and its first arguments.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The agent.
    pub agent: Vec<OsString>,
    /// The aggregator.
    pub aggregator: Vec<OsString>,
    /// The verifier.
    pub verify: Vec<OsString>,
}

impl Programs {
    /// This very program, run again as each party.
    ///
    /// # Errors
    /// The operating system does not tell where it is.
    pub fn this() -> Result<Programs, Fault> {
        let exe = std::env::current_exe().map_err(|e| failed(format!("where is this program? {e}")))?;
        let of = |party: &str| vec![exe.clone().into(), "as".into(), party.into()];
        Ok(Programs { agent: of("agent"), aggregator: of("aggregator"), verify: of("verify") })
    }

    /// The installed programs in `folder`.
    pub fn in_folder(folder: &std::path::Path) -> Programs {
        let of = |name: &str| vec![PathBuf::from(folder).join(name).into()];
        Programs { agent: of("fedaudit-agent"), aggregator: of("fedaudit-aggregator"), verify: of("fedaudit-verify") }
    }
}

/// A command that is not started yet.
pub fn command(program: &[OsString], args: &[OsString]) -> Command {
    let mut command = Command::new(program.first().cloned().unwrap_or_default());
    command.args(program.iter().skip(1)).args(args).stdin(Stdio::null());
    command
}

/// Runs a party to its end and gives its standard output.
///
/// # Errors
/// What it said on standard error, if it failed.
pub fn finish(command: Command) -> Result<String, Fault> {
    finish_both(command).map(|(out, _)| out)
}

/// Runs a party to its end and gives its standard output, and what it said on standard error although it succeeded.
///
/// # Errors
/// What it said on standard error, if it failed.
pub fn finish_both(mut command: Command) -> Result<(String, String), Fault> {
    let output = command.output().map_err(|e| failed(format!("{:?}: {e}", command.get_program())))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok((text(&output.stdout), text(&output.stderr)));
    }
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let said = text(&output.stderr);
    Err(fault_in(&said).unwrap_or_else(|| failed(format!("{} ({}): {}", args.join(" "), output.status, said.trim()))))
}

/// The fault with which a party ended; what it said before is part of it.
fn fault_in(said: &str) -> Option<Fault> {
    let (what, hint) = said.trim_end().rsplit_once("\nhint: ")?;
    let blames = [Blame::Site, Blame::Network, Blame::Aggregator, Blame::Operator, Blame::Input];
    let starts = |line: &&str| blames.iter().any(|blame| line.starts_with(&format!("{blame}: ")));
    let line = what.lines().rev().find(starts)?;
    let (before, _) = what.rsplit_once(line)?;
    let (blame, _) = line.split_once(": ")?;
    let blame = *blames.iter().find(|of| of.to_string() == blame)?;
    let rest = what.get(before.len() + blame.to_string().len() + 2..)?;
    let before = if before.trim().is_empty() { String::new() } else { format!("{}\n", before.trim_end()) };
    Some(Fault::new(blame, format!("{before}{rest}"), hint))
}

/// A process that ends with its owner. Every party survives being killed at any moment, so that is how it is stopped.
pub struct Running(Child);

impl Running {
    /// Starts a daemon and waits until it says that it is ready.
    ///
    /// # Errors
    /// It ended before; what it said on standard error has gone to ours.
    pub fn start(mut command: Command) -> Result<Running, Fault> {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut running = Running(child.map_err(|e| failed(format!("{:?}: {e}", command.get_program())))?);
        let mut line = String::new();
        if let Some(stdout) = running.0.stdout.take() {
            // The rest of the output is of no use; the pipe stays open as long as the reader, which is dropped here: the
            // daemons write nothing after this line.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        if line.starts_with("ready") {
            return Ok(running);
        }
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        Err(failed(format!("{} did not start", args.join(" "))))
    }

    /// Starts a process without waiting for a word of it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(mut command: Command) -> Result<Running, Fault> {
        let child = command.stdout(Stdio::null()).spawn();
        Ok(Running(child.map_err(|e| failed(format!("{:?}: {e}", command.get_program())))?))
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits for its end; whether it succeeded.
    pub fn wait(&mut self) -> bool {
        self.0.wait().is_ok_and(|status| status.success())
    }

    /// Whether it has ended, and how; none while it runs.
    pub fn ended(&mut self) -> Option<bool> {
        self.0.try_wait().ok().flatten().map(|status| status.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn failed(what: String) -> Fault {
    Fault::new(Blame::Operator, what, "the hint above says what next; nothing else is running")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partys_fault_stays_what_it_is() {
        let fault = Fault::new(Blame::Input, "a.csv was not imported: it is empty\n  really", "fill it");
        assert_eq!(fault_in(&format!("{fault}\n")), Some(fault.clone()));
        let more = fault_in(&format!("a.csv: 2 rows rejected\n  line 2: so\n{fault}\n")).expect("a fault");
        assert_eq!((more.blame, more.hint.as_str()), (Blame::Input, "fill it"));
        assert_eq!(more.what, "a.csv: 2 rows rejected\n  line 2: so\na.csv was not imported: it is empty\n  really");
        assert_eq!(fault_in("error: unrecognized subcommand\n"), None);
    }
}
