//! Words to whoever ran a command. A pipe that its reader closed (`| head`) is no fault and stops nothing.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

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
