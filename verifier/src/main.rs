//! `fedaudit-verify`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    fedaudit_verify::main(std::env::args_os())
}
