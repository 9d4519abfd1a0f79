//! Words to whoever ran a command. A pipe that its reader closed (`| head`) is no fault and stops nothing.

use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

/// Writes a line to standard output.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}

/// Writes a line to standard output; any other failure than a closed pipe is told on standard error.
pub fn line(text: Arguments) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("standard output: {error}"),
        _ => {}
    }
}

/// Logs to standard error from here on; `FEDAUDIT_LOG` chooses what, `warn` by default.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FEDAUDIT_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let colour = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    // By default a line that cannot be written is a panic, and a disk may be full.
    let log = log.log_internal_errors(false);
    let _ = log.try_init();
}
