//! A newcomer's folder, and a site that imports from it.

use fedaudit_core::codec;
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::report::Report;
use fedaudit_examples::dataset::Dataset;
use fedaudit_examples::federation::Federation;
use fedaudit_examples::process::{Programs, Running};
use fedaudit_tests::{Said, programs, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Drafts from the files of `folder/sites` into `folder`.
pub fn draft(folder: &Path) -> Said {
    let mut files: Vec<_> = std::fs::read_dir(folder.join("sites")).expect("lists").flatten().collect();
    files.sort_by_key(|file| file.file_name());
    let mut args = vec!["contract".to_owned(), "draft".to_owned(), "--out".to_owned(), text(folder)];
    args.extend(files.iter().map(|file| text(&file.path())));
    run("fedaudit-agent", &args)
}

/// Packs a file into one with `.gz` behind its name.
pub fn pack(file: &Path) {
    let packed = std::fs::File::create(file.with_extension("csv.gz")).expect("creates");
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(&std::fs::read(file).expect("reads")).expect("packs");
    packed.finish().expect("packs");
    std::fs::remove_file(file).expect("removes");
}

pub fn documents(folder: &Path) -> (Contract, Plan) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("written");
    let contract = contract::from_toml(&read("contract.toml")).expect("a contract");
    let plan = plan::from_toml(&read("plan.toml"), |_| Some(Digest([0; 32]))).expect("a plan");
    plan.check_against(&contract).expect("they fit");
    (contract, plan)
}

/// A folder of one site's file, and what a draft of it leaves.
pub struct Newcomer {
    pub dir: TempDir,
}

impl Newcomer {
    pub fn new(name: &str, bytes: impl AsRef<[u8]>) -> Newcomer {
        let newcomer = Newcomer { dir: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir_all(newcomer.folder().join("sites")).expect("makes");
        std::fs::write(newcomer.folder().join("sites").join(name), bytes).expect("writes");
        newcomer
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("mine")
    }

    /// Everything beside the sites' files.
    pub fn drafted(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.folder())
            .expect("lists")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != "sites")
            .collect();
        names.sort();
        names
    }

    /// A draft that is refused writes nothing.
    #[track_caller]
    pub fn refused(&self, what: &[&str]) -> Said {
        let said = draft(&self.folder()).fault("input", what);
        assert_eq!((said.out.as_str(), self.drafted()), ("", Vec::new()));
        said
    }

    pub fn federation(&self) -> Said {
        run("federation", &[text(&self.folder()), "--out".to_owned(), text(&self.dir.path().join("out"))])
    }

    pub fn report(&self) -> Report {
        let json = std::fs::read(self.dir.path().join("out/report.json")).expect("written");
        codec::from_json(&json).expect("a report")
    }
}

/// A site, enrolled in a federation with the drafted contract, whose imports are looked at one by one.
pub struct Site {
    federation: Federation,
    dataset: Dataset,
    _aggregator: Running,
}

impl Site {
    pub fn new(newcomer: &Newcomer) -> Site {
        let dataset = Dataset::open(&newcomer.folder()).expect("a data set");
        let homes = newcomer.dir.path().join("homes");
        let federation = Federation::init(Programs::in_folder(&programs()), &homes, &dataset.federation).expect("made");
        let aggregator = federation.start_aggregator().expect("starts");
        federation.publish(&dataset).expect("published");
        federation.enrol(&dataset.sites[0].0, 1).expect("enrolled");
        Site { federation, dataset, _aggregator: aggregator }
    }

    pub fn agent(&self, args: &[&str]) -> Said {
        let home = text(&self.federation.site_dir(&self.dataset.sites[0].0));
        run("fedaudit-agent", &[&["--home", &home], args].concat())
    }

    pub fn import(&self, file: &Path, map: Option<&Path>) -> Said {
        let (file, map) = (text(file), map.map(text));
        let mut args = vec!["import", file.as_str()];
        args.extend(map.iter().flat_map(|map| ["--map", map.as_str()]));
        self.agent(&args)
    }

    /// What the journal holds of events; none if it never held one.
    pub fn events(&self) -> Option<String> {
        let said = self.agent(&["journal", "verify"]).good();
        let line = said.out.lines().find_map(|line| line.strip_prefix("predictions/").map(str::to_owned));
        line.and_then(|line| Some(line.split(": ").nth(1)?.split(',').next()?.to_owned()))
    }
}
