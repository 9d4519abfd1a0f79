//! Real artifacts, made once for all tests, and the foreign tools that look at them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedaudit_core::bundle::{Bundle, LogPart, unpack};
use fedaudit_tests::run;
pub use fedaudit_tests::{Answer, python};
use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the workspace")
}

/// A new, empty folder for a test; it is left for people to look at until the next run.
pub fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the last run's folder can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// Writes a file and its folders.
pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
    std::fs::write(path, bytes).expect("a file can be written");
}

/// A federation that has run, and what it left.
pub struct Federation {
    /// The output folder.
    pub out: PathBuf,
    /// The bundle's files, unpacked.
    pub files: PathBuf,
    /// The bundle.
    pub bundle: Bundle,
}

impl Federation {
    fn run(name: &str, dataset: Option<&Path>) -> Federation {
        let folder = fresh(name);
        let out = folder.join("out");
        let mut args: Vec<&OsStr> = dataset.iter().map(|path| path.as_os_str()).collect();
        args.extend([OsStr::new("--out"), out.as_os_str()]);
        run("federation", &args).good();
        let bytes = std::fs::read(out.join("bundle.zip")).expect("a federation leaves its bundle");
        let bundle = unpack(&bytes).expect("a real bundle");
        let files = folder.join("bundle");
        write_bundle(&bundle, &files);
        Federation { out, files, bundle }
    }

    /// A home: `aggregator`, `governance` or `sites/<site>`.
    pub fn home(&self, party: &str) -> PathBuf {
        self.out.join("federation/homes").join(party)
    }

    /// Every attestation of the bundle: its file, and what its statement says.
    pub fn attestations(&self) -> Vec<(PathBuf, Value)> {
        let logs = [("registry", &self.bundle.registry), ("plan", &self.bundle.plan)];
        let entries = logs.iter().flat_map(|(folder, part)| {
            (0..part.entries.len()).map(move |index| format!("{folder}/entries/{index}.dsse.json"))
        });
        let files = entries.chain(["report.dsse.json".to_owned()]).map(|path| self.files.join(path));
        files.map(|path| (path.clone(), statement(&std::fs::read(path).expect("it was written")))).collect()
    }

    /// The file of an attestation's subject.
    pub fn artifact(&self, subject: &Value) -> PathBuf {
        let (name, digest) = (text(&subject["name"]), text(&subject["digest"]["sha256"]));
        let places =
            [name.to_owned(), format!("registry/artifacts/{digest}.json"), format!("plan/artifacts/{digest}.json")];
        let found = places.iter().map(|place| self.files.join(place)).find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("no file for {name} {digest}"))
    }
}

/// The admissions of Berkeley, 1973: no scores, no labels, nothing hidden.
pub fn admissions() -> &'static Federation {
    static ONCE: OnceLock<Federation> = OnceLock::new();
    ONCE.get_or_init(|| Federation::run("admissions", None))
}

/// Scores, labels, two windows, an intersection that one site withholds.
pub fn scored() -> &'static Federation {
    static ONCE: OnceLock<Federation> = OnceLock::new();
    ONCE.get_or_init(|| {
        let dataset = fresh("dataset");
        write_scored(&dataset);
        Federation::run("scored", Some(&dataset))
    })
}

/// An amendment, an abstention and a waiver. Its homes are gone.
pub fn amended() -> &'static Federation {
    static ONCE: OnceLock<Federation> = OnceLock::new();
    ONCE.get_or_init(|| {
        let evidence = fedaudit_tests::absent::evidence();
        let folder = fresh("amended");
        let (out, files, bundle) = (folder.join("out"), folder.join("bundle"), evidence.bundle());
        put(&out.join("trust.json"), &evidence.trust);
        write_bundle(&bundle, &files);
        Federation { out, files, bundle }
    })
}

/// Those with homes.
pub fn federations() -> [&'static Federation; 2] {
    [admissions(), scored()]
}

/// All of them; the last has scores, labels and hidden cells.
pub fn all() -> [&'static Federation; 3] {
    [amended(), admissions(), scored()]
}

/// The statement in an envelope; its signature is others' business.
pub fn statement(envelope: &[u8]) -> Value {
    let envelope: Value = serde_json::from_slice(envelope).expect("an envelope is JSON");
    let payload = STANDARD.decode(text(&envelope["payload"])).expect("a payload is base64");
    serde_json::from_slice(&payload).expect("a statement is JSON")
}

/// A JSON text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn write_bundle(bundle: &Bundle, folder: &Path) {
    let write_part = |name: &str, part: &LogPart| {
        put(&folder.join(name).join("checkpoint"), &part.checkpoint);
        for (index, entry) in part.entries.iter().enumerate() {
            put(&folder.join(format!("{name}/entries/{index}.dsse.json")), entry);
        }
        for (digest, artifact) in &part.artifacts {
            put(&folder.join(format!("{name}/artifacts/{digest}.json")), artifact);
        }
    };
    write_part("registry", &bundle.registry);
    write_part("plan", &bundle.plan);
    put(&folder.join("report.json"), &bundle.report_json);
    put(&folder.join("report.html"), &bundle.report_html);
    put(&folder.join("report.dsse.json"), &bundle.report_envelope);
    for (path, bytes) in &bundle.not_evidence {
        put(&folder.join(path), bytes);
    }
}

fn write_scored(folder: &Path) {
    put(&folder.join("contract.toml"), CONTRACT.as_bytes());
    put(&folder.join("plan.toml"), PLAN.as_bytes());
    for (site, share) in [("north", 3), ("south", 5), ("west", 7)] {
        let mut csv =
            "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,gender,home\n".to_owned();
        for event in 0..400_u64 {
            // Any fixed scatter does.
            let scatter = (event * 7_919 + share * 104_729) % 1_000;
            let (month, day) = (1 + event % 2, 1 + event % 28);
            let gender = if scatter % share == 0 { "f" } else { "m" };
            // Three events at one place in the north: an intersection that has to be withheld.
            let home = if site == "north" && event < 3 { "far" } else { "near" };
            // Three scores, so that histograms hold enough in each bin to be seen.
            let score = [150, 550, 850][usize::try_from(scatter % 3).expect("below 3")];
            let decision = u8::from(score > 500);
            let label = u8::from((scatter * 31 + event) % 1_000 > 300);
            let at = format!("2024-{month:02}-{day:02}T08:00:00Z");
            writeln!(
                csv,
                "{site}-{event},{at},scorecard,v1,0.{score:03},{decision},{label},2024-{month:02}-28T20:00:00Z,{gender},{home}"
            )
            .expect("text grows");
        }
        put(&folder.join(format!("sites/{site}.csv")), csv.as_bytes());
    }
}

const CONTRACT: &str = r#"
contract = "loan"
version = 1
title = "Loans to private customers"
task = "binary"
model = "scorecard"

[decision]
values = ["0", "1"]
favourable = "1"

[label]
values = ["0", "1"]
positive = "1"

[score]
min = 0.0
max = 1.0
bins = 160

[[attribute]]
name = "gender"
categories = ["f", "m"]

[[attribute]]
name = "home"
categories = ["near", "far"]

[[feature]]
name = "income"
type = "number"
min = 0
max = 1e6
edges = [2e4]
missing = true
"#;

const PLAN: &str = r#"
plan = "parity"
version = 1
title = "Are loans granted as often to women as to men?"
contract = "loan"
model_versions = ["v1"]
required_sites = ["north", "south", "west"]

[windows]
start = "2024-01-01T00:00:00Z"
end = "2024-03-01T00:00:00Z"
every = "month"
release_after_hours = 24

[disclosure]
k = 5

[[slice]]
attributes = ["gender"]
reference = ["m"]

[[slice]]
attributes = ["gender", "home"]
reference = ["m", "near"]
"#;
