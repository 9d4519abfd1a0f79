use super::*;
use serde::Deserialize;

/// A vector of `schemas/vectors/cosignature`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "check", rename_all = "lowercase")]
enum Vector {
    Cosignature { about: String, keys: Vec<String>, note: String, expect: Expect },
    Cosigner { about: String, key: String, expect: Expect },
    Request { about: String, body: String, expect: Expect },
}

#[derive(Deserialize, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    verdict: String,
    error: Option<String>,
    /// Verifier key and time of each cosignature.
    cosigned: Option<Vec<(String, String)>>,
    old: Option<u64>,
    proof: Option<Vec<Digest>>,
}

fn found(result: Result<Expect, NoteError>) -> Expect {
    let error = match result {
        Ok(expect) => return Expect { verdict: "accept".to_owned(), ..expect },
        Err(NoteError::Malformed { .. }) => "malformed",
        Err(NoteError::BadSignature { .. }) => "bad_signature",
        Err(error) => panic!("{error}"),
    };
    Expect { verdict: "reject".to_owned(), error: Some(error.to_owned()), ..Expect::default() }
}

fn run(vector: Vector) -> (String, Expect, Expect) {
    match vector {
        Vector::Cosignature { about, keys, note, expect } => {
            let keys: Vec<_> = keys.iter().map(|key| Cosigner::parse(key).expect("a key")).collect();
            let cosigned = cosignatures(note.as_bytes(), &keys).map(|cosigned| {
                let row = |(of, time): &(&Cosigner, Time)| (of.to_string(), time.to_string());
                Expect { cosigned: Some(cosigned.iter().map(row).collect()), ..Expect::default() }
            });
            (about, found(cosigned), expect)
        }
        Vector::Cosigner { about, key, expect } => {
            let parsed = Cosigner::parse(&key).inspect(|parsed| assert_eq!(parsed.to_string(), key));
            (about, found(parsed.map(|_| Expect::default())), expect)
        }
        Vector::Request { about, body, expect } => {
            let parsed = WitnessRequest::parse(&body).inspect(|parsed| assert_eq!(parsed.to_text(), body));
            let parsed = parsed.map(|r| Expect { old: Some(r.old), proof: Some(r.proof), ..Expect::default() });
            (about, found(parsed), expect)
        }
    }
}

#[test]
fn vectors() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/cosignature");
    let paths = std::fs::read_dir(folder).expect("the folder of vectors").map(|file| file.expect("an entry").path());
    let mut count = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "json")) {
        let text = std::fs::read_to_string(&path).expect("a file");
        let vector: Vector = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (about, result, expect) = run(vector);
        assert_eq!(result, expect, "{}: {about}", path.display());
        count += 1;
    }
    assert!(count >= 40, "{count} vectors");
}

#[test]
fn a_cosignature_is_by_its_key_at_its_time_over_its_text() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let witness = Cosigner { name: "w.example".to_owned(), key: PublicKey::of(&key) };
    let text = "f/registry\n1\nrY0iuBUj0nfHGWtA2nA1/vZxBBCdrbLkvdvBQwLr7j0=\n";
    let line = witness.cosign(text, Time(12_345_678_901_234_567), &key).expect("signs");
    let note = |line: &str| format!("{text}\n{line}");
    let known = [witness];
    let at = |note: &str| cosignatures(note.as_bytes(), &known).map(|found| found.first().map(|(_, time)| *time));
    assert_eq!(at(&note(&line)), Ok(Some(Time(12_345_678_000_000_000))));
    let bits = note(&line).into_bytes();
    for bit in 0..bits.len() * 8 {
        let mut bent = bits.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let found = String::from_utf8(bent).ok().and_then(|bent| at(&bent).ok().flatten());
        assert_eq!(found, None, "bit {bit}");
    }
    assert!(known[0].cosign(text, Time(-1), &key).is_err());
}
