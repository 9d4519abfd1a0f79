//! Runs and memory together are one map, whatever was sealed, merged, reloaded or erased in between.

use super::*;
use proptest::prelude::*;

fn sidecar(folder: &Path) -> Sidecar {
    let path = folder.join("sidecar.sqlite");
    Sidecar::create(&path, &[7; 16]).expect("made");
    Sidecar::open(&path).expect("opened")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_was_put_last_is_found(puts in proptest::collection::vec((0..200_u16, any::<u64>()), 1..400), gone in 0..200_u16) {
        let folder = tempfile::tempdir().expect("a folder");
        let sidecar = sidecar(folder.path());
        let mut ids = Ids::load(&folder.path().join("ids"), &sidecar, 20).expect("loaded");
        let key = |ids: &Ids, n: u16| ids.key(Kind::Event, 1, &n.to_be_bytes());
        let mut known = BTreeMap::new();
        for (n, value) in &puts {
            let of = key(&ids, *n);
            ids.put(of, *value);
            known.insert(*n, *value);
            ids.seal_if_full(&sidecar).expect("sealed");
        }
        prop_assert!(ids.runs.len() < 8 + puts.len() / 160);
        let check = |ids: &Ids, known: &BTreeMap<u16, u64>| {
            (0..200).all(|n| ids.get(&key(ids, n)).expect("read") == known.get(&n).copied())
        };
        prop_assert!(check(&ids, &known));
        let erased = key(&ids, gone);
        ids.erase(&sidecar, &[erased]).expect("erased");
        ids.clear_strays();
        known.remove(&gone);
        prop_assert!(check(&ids, &known));
        prop_assert!(!ids.is_stale(&sidecar).expect("read"));
        Ids::verify(&folder.path().join("ids"), &sidecar).expect("whole");
        // What is in memory only is gone; what is in runs is found again.
        let open: Vec<_> = ids.open.keys().copied().collect();
        let again = Ids::load(&folder.path().join("ids"), &sidecar, 20).expect("loaded");
        for n in 0..200 {
            if !open.contains(&key(&ids, n)) {
                prop_assert_eq!(again.get(&key(&ids, n)).expect("read"), known.get(&n).copied());
            }
        }
        for file in std::fs::read_dir(folder.path().join("ids")).into_iter().flatten().flatten() {
            let bytes = std::fs::read(file.path()).expect("read");
            prop_assert!(!bytes.windows(16).any(|window| window == erased));
        }
    }
}

#[test]
fn a_damaged_run_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let sidecar = sidecar(folder.path());
    let ids_folder = folder.path().join("ids");
    let mut ids = Ids::load(&ids_folder, &sidecar, 1).expect("loaded");
    ids.put([3; 16], 9);
    ids.seal_if_full(&sidecar).expect("sealed");
    let file = path(&ids_folder, 1);
    let mut bytes = std::fs::read(&file).expect("read");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&file, &bytes).expect("written");
    assert!(Ids::verify(&ids_folder, &sidecar).expect_err("damaged").what.contains("00000001.ids"));
    std::fs::write(&file, &bytes[..20]).expect("written");
    assert!(Ids::load(&ids_folder, &sidecar, 1).expect_err("cut").what.contains("is cut"));
}
