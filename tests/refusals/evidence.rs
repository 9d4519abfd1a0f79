//! What others can make of kept evidence, with the trust file and nothing else.

use fedaudit_core::codec;
use fedaudit_core::parcel::{Conflict, Content, Parcel, ParcelText, read};
use fedaudit_tests::forge::{Signed, payload};
use fedaudit_tests::world::World;
use fedaudit_tests::{Said, run};
use std::path::Path;

/// Exports a conflict and has it verified: proven as `proof` says, or undecidable; and nothing altered is evidence.
#[track_caller]
pub fn check(world: &World, id: &str, refused: &Signed, logged: Option<&Signed>, proof: Option<&str>) {
    let (out, trust) = (world.scratch("conflict"), world.home().join("trust.json"));
    world.aggregator(&["conflict", "export", &id[..8], "--out", &out.to_string_lossy()]).good();
    let conflict = open(&out);
    let signed = |envelope: &[u8], artifact: &[u8]| Signed { envelope: envelope.to_vec(), artifact: artifact.to_vec() };
    assert_eq!(signed(&conflict.refused.envelope.0, &conflict.refused.artifact.0), *refused);
    let found = conflict.logged.as_ref().map(|document| signed(&document.envelope.0, &document.artifact.0));
    assert_eq!(found.as_ref(), logged);
    let said = verify(&out, &trust);
    match proof {
        Some(proof) => {
            assert_eq!(said.code, Some(0), "{said:?}");
            assert!(said.out.starts_with("verified: ") && said.out.contains(proof), "{proof}: {said:?}");
        }
        None => {
            assert_eq!(said.code, Some(2), "{said:?}");
            assert!(said.out.starts_with("undecidable: ") && said.out.contains("contradiction"), "{said:?}");
        }
    }
    altered(world, &conflict, &trust);
}

fn verify(file: &Path, trust: &Path) -> Said {
    run("fedaudit-verify", &["conflict".as_ref(), file.as_os_str(), "--trust".as_ref(), trust.as_os_str()])
}

fn open(path: &Path) -> Conflict {
    match &read(&std::fs::read(path).expect("reads")).expect("a parcel").content {
        Content::Conflict(conflict) => (**conflict).clone(),
        other => panic!("{other:?}"),
    }
}

/// Evidence that somebody changed, or that lacks a part.
fn altered(world: &World, conflict: &Conflict, trust: &Path) {
    type Edit = fn(&mut Conflict);
    let claim = &payload(&conflict.refused.envelope.0)["predicate"]["claim"];
    let kind = if claim["abstention"].is_null() { "release: dept-b" } else { "abstention: dept-b" };
    let edits: [(i32, &str, Edit); 6] = [
        (2, "missing", |c| c.registry = None),
        (1, "registry", |c| drop(c.registry.as_mut().expect("there").entries.pop())),
        (1, "artifact", |c| c.refused.artifact.0.push(b' ')),
        (1, "signature", |c| {
            let text = String::from_utf8(c.refused.envelope.0.clone()).expect("text");
            let at = text.find("\"sig\":\"").expect("a signature") + 20;
            c.refused.envelope.0[at] = if c.refused.envelope.0[at] == b'A' { b'B' } else { b'A' };
        }),
        (1, kind, |c| c.site = fedaudit_tests::world::name("dept-a")),
        (3, "envelope", |c| c.refused.envelope.0.truncate(20)),
    ];
    let path = world.scratch("altered");
    for (code, word, edit) in edits {
        let mut altered = conflict.clone();
        edit(&mut altered);
        let federation = fedaudit_tests::world::name("admissions");
        let parcel = ParcelText::new(federation, Content::Conflict(Box::new(altered)));
        let parcel = Parcel::new(parcel).expect("keeps its rules");
        std::fs::write(&path, codec::to_json(&parcel).expect("encodes")).expect("writes");
        let said = verify(&path, trust);
        assert_eq!(said.code, Some(code), "{word}: {said:?}");
        assert!(said.out.contains(word), "{word}: {said:?}");
    }
    std::fs::write(&path, b"{}").expect("writes");
    assert_eq!(verify(&path, trust).code, Some(3));
}
