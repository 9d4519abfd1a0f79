//! `fedaudit-verify witness`: a C2SP witness. Aggregators ask it to cosign checkpoints of their logs; it does where the new
//! checkpoint continues the last one that it cosigned, and keeps that. Anybody may read what it holds.
//!
//! | path in its home | what | worst if altered by others |
//! |---|---|---|
//! | `cosign.key` | its key, 0600 | cosignatures in its name |
//! | `witness` | its verifier key, with its name | it does not start |
//! | `checkpoints/<sha256 of the origin>` | the last signed checkpoint of a log, with its cosignature | put back to an older one, it may cosign a fork |

mod serve;
mod state;

use super::read_trust;
use clap::Args;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::Cosigner;
use fedaudit_home::{Lock, create_dir_private, create_key, load_key, os_random, write_atomic};
use state::{Known, Witness};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Args)]
pub struct WitnessArgs {
    /// The witness's folder; made at the first start.
    #[arg(long)]
    home: PathBuf,
    /// Address and TCP port to listen on. Without it the verifier key is printed, made if it must be, and that is all: a new
    /// federation's trust.json names its witnesses.
    #[arg(long, requires = "trust")]
    listen: Option<SocketAddr>,
    /// The trust.json of each federation whose logs it cosigns; once its log key changed, the new one in the place of it.
    #[arg(long, num_args = 1.., requires = "listen")]
    trust: Vec<PathBuf>,
    /// Its name, which its verifier key holds for good; best a host name and path that are its operator's.
    #[arg(long)]
    name: Option<String>,
}

/// Serves until a signal.
///
/// # Errors
/// A home or an address that cannot be used, a trust file that is none, a checkpoint kept that was altered.
pub fn run(args: &WitnessArgs) -> Result<(), Fault> {
    let mut known = Known::default();
    for path in &args.trust {
        known.add(&*read_trust(path)?)?;
    }
    create_dir_private(&args.home)?;
    create_dir_private(&args.home.join("checkpoints"))?;
    let _lock = Lock::try_acquire(&args.home.join("run.lock")).map_err(|fault| {
        Fault::new(fault.blame, fault.what, "another witness is at work on this home; let it, or stop it")
    })?;
    let witness = identity(args, known)?;
    let mut out = std::io::stdout();
    // A closed pipe is no reason not to serve.
    let _ = writeln!(out, "{}", witness.cosigner);
    let Some(listen) = args.listen else { return Ok(()) };
    let logs = witness.check_all()?;
    serve::run(witness, listen, |address| {
        let ready = writeln!(out, "ready: listening on http://{address}, {logs} logs cosigned before");
        let _ = ready.and_then(|()| out.flush());
    })
}

/// Its key and name; both are made at the first start. A crash between them is mended by the next one.
fn identity(args: &WitnessArgs, known: Known) -> Result<Witness, Fault> {
    let (key_path, name_path) = (args.home.join("cosign.key"), args.home.join("witness"));
    let key = if key_path.exists() { load_key(&key_path)? } else { create_key(&key_path, os_random())? };
    let public = PublicKey::of(&key);
    let operator = |what: String, hint: &str| Fault::new(Blame::Operator, what, hint);
    let cosigner = if name_path.exists() {
        let kept = std::fs::read_to_string(&name_path).map_err(|e| e.to_string());
        let kept = kept.and_then(|text| Cosigner::parse(text.trim_end()).map_err(|e| e.to_string()));
        let kept = kept.ok().filter(|kept| kept.key == public);
        let hint = "restore this home as a whole: cosign.key and the file witness belong together";
        kept.ok_or_else(|| operator(format!("{} is not of cosign.key", name_path.display()), hint))?
    } else {
        let name = args.name.clone().unwrap_or_else(|| format!("fedaudit-witness/{}", public.id().short()));
        let cosigner = Cosigner { name, key: public };
        let bad = |e| operator(format!("--name: {e}"), "give a name without spaces and plus signs");
        let cosigner = Cosigner::parse(&cosigner.to_string()).map_err(bad)?;
        write_atomic(&name_path, format!("{cosigner}\n").as_bytes(), 0o644)?;
        cosigner
    };
    if let Some(name) = args.name.as_ref().filter(|name| **name != cosigner.name) {
        let what = format!("this witness is called {}, not {name}", cosigner.name);
        return Err(operator(what, "leave --name out, or name another home: those who trust it know it by that name"));
    }
    Ok(Witness { dir: args.home.join("checkpoints"), cosigner, key, known })
}
