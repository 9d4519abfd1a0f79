//! Signing and opening.

use super::*;

fn head() -> Head {
    Head { federation: Name::new("f").expect("a name"), issued_at: Time(0), seen: None, replaces: None }
}

fn contract() -> Contract {
    crate::contract::from_toml(crate::contract::tests::ADMISSION).expect("valid")
}

#[test]
fn the_signed_bytes_are_those_of_dsse() {
    // DSSE protocol, test vectors.
    let signed = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn what_was_signed_is_read_back() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let attestation = attest_contract(&contract(), head(), &[&key]).expect("signs");
    let claimed = Claimed::parse(&attestation.envelope).expect("an envelope");
    let statement = claimed.verify(&[PublicKey::of(&key)], 1).expect("verifies");
    assert_eq!(statement.check_artifacts(&[&attestation.artifacts[0]]), Ok(()));
    assert_eq!(statement.only_subject(), Ok(Digest::of(&attestation.artifacts[0])));
    assert_eq!(statement.check_artifacts(&[b"{}"]).expect_err("another file").check, "artifact");
}

#[test]
fn unknown_few_and_bad_signatures_are_told_apart() {
    let keys = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let public = keys.each_ref().map(PublicKey::of);
    let attestation = attest_contract(&contract(), head(), &[&keys[0], &keys[1]]).expect("signs");
    let claimed = Claimed::parse(&attestation.envelope).expect("an envelope");
    assert!(claimed.verify(&public, 2).is_ok());
    assert_eq!(claimed.verify(&public, 3).map(|_| ()).expect_err("two of three").check, "signer");
    assert_eq!(claimed.verify(&public[2..], 1).map(|_| ()).expect_err("unknown").check, "signer");
    let twice = Claimed { payload: claimed.payload.clone(), signatures: vec![claimed.signatures[0].clone(); 2] };
    assert_eq!(twice.verify(&public, 2).map(|_| ()).expect_err("one key twice").check, "signer");
    let mut altered = Claimed { payload: claimed.payload.clone(), signatures: claimed.signatures.clone() };
    altered.payload[10] ^= 1;
    assert_eq!(altered.verify(&public, 1).map(|_| ()).expect_err("altered").check, "signature");
}

#[test]
fn every_flipped_bit_of_an_envelope_is_noticed() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let attestation = attest_contract(&contract(), head(), &[&key]).expect("signs");
    let whole = Claimed::parse(&attestation.envelope).and_then(|c| c.verify(&[PublicKey::of(&key)], 1)).expect("good");
    for at in 0..attestation.envelope.len() {
        let mut bytes = attestation.envelope.clone();
        bytes[at] ^= 1;
        let opened = Claimed::parse(&bytes).and_then(|claimed| claimed.verify(&[PublicKey::of(&key)], 1));
        assert!(opened.is_err() || opened == Ok(whole.clone()), "byte {at} changed the statement unseen");
    }
}
