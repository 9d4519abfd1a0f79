use super::*;

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
