use super::*;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

#[test]
fn a_parcel_survives_and_nothing_else_is_read() {
    let content = Content::Governance(Governance { documents: vec![Document::new(vec![0, 1, 255], b"{}".to_vec())] });
    let parcel = Parcel::new(ParcelText::new(name("f"), content)).expect("keeps its rules");
    let bytes = codec::to_json(&parcel).expect("encodes");
    assert_eq!(read(&bytes), Ok(parcel));
    let text = String::from_utf8(bytes).expect("text");
    for (from, to) in [
        ("\"format\": 1", "\"format\": 2"),
        ("\"AAH/\"", "\"AAH_\""),
        ("\"AAH/\"", "\"AAH\""),
        ("\"governance\"", "\"orders\""),
        ("\"federation\": \"f\"", "\"federation\": \"F\""),
        ("\"federation\": \"f\"", "\"federation\": \"f\", \"note\": 1"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        assert_eq!(read(bad.as_bytes()).expect_err(to).check, "parcel");
    }
    assert!(read(format!("{text}x").as_bytes()).is_err());
}
