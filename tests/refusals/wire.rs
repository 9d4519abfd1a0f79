//! Frames and requests that are none.

use super::Hostile;
use fedaudit_core::codec;
use fedaudit_core::fault::Blame;
use fedaudit_core::limits;
use fedaudit_link::frame::{REFUSED_TOO_LARGE, REFUSED_TRAILING_BYTES, REFUSED_TRUNCATED, encode_frame};
use fedaudit_link::protocol::{Hello, PROTOCOL, Request};
use fedaudit_tests::client::{hello, key};
use fedaudit_tests::raw::Raw;

#[test]
fn frames_that_are_none_are_given_up_with_a_reason() {
    let hostile = Hostile::new();
    let world = &hostile.world;
    let (address, _) = world.address().expect("an address");
    let site = Raw::connect(&address, &key(world, "dept-b", "transport"));
    let frame = encode_frame(&codec::encode(&hello("dept-b")).expect("encodes"));
    let too_large = u32::try_from(limits::FRAME_BYTES + 1).expect("fits").to_be_bytes();
    let cases: [(Vec<u8>, u32, &str); 7] = [
        (too_large.to_vec(), REFUSED_TOO_LARGE, "are allowed"),
        (u32::MAX.to_be_bytes().to_vec(), REFUSED_TOO_LARGE, "the frame has 4294967295 bytes"),
        (vec![0, 0], REFUSED_TRUNCATED, "the frame is cut off"),
        (Vec::new(), REFUSED_TRUNCATED, "the frame is cut off"),
        (frame[..frame.len() - 1].to_vec(), REFUSED_TRUNCATED, "the frame is cut off"),
        ([&frame[..], &[0]].concat(), REFUSED_TRAILING_BYTES, "bytes follow the frame"),
        ([&frame[..], &frame[..]].concat(), REFUSED_TRAILING_BYTES, "bytes follow the frame"),
    ];
    for (bytes, code, said) in cases {
        let before = world.log().matches("request refused").count();
        assert_eq!(site.given_up(&bytes), u64::from(code), "{said}");
        // Several cases say the same: each has to say it anew.
        world.logged_times("request refused", before + 1);
        let log = world.log();
        assert_eq!(log.matches("request refused").count(), before + 1);
        assert!(
            log.lines().rev().find(|line| line.contains("request refused")).is_some_and(|line| line.contains(said))
        );
    }
    // The client's own library tells its operator.
    let fault = hostile.client.frame(&vec![0; limits::FRAME_BYTES + 1]).expect_err("too long");
    assert!(fault.what.contains("longer than this peer may send") && !fault.hint.is_empty(), "{fault}");
    hostile.end();
}

#[test]
fn requests_that_are_none_are_refused() {
    let mut hostile = Hostile::new();
    let world = &hostile.world;
    let greeting = codec::encode(&hello("dept-b")).expect("encodes");
    let mut overlong = codec::encode(&Request::Registry { from: 1 }).expect("encodes");
    // The number 1 in two bytes instead of one.
    overlong.splice(1.., [0x81, 0x00]);
    let frames: [(&[u8], &str); 6] = [
        (b"", "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (&[99], "malformed"),
        (&[0xff; 1000], "malformed"),
        (&[&greeting[..], &[0]].concat(), "after the end"),
        (&overlong, "not the canonical encoding"),
    ];
    for (frame, found) in frames {
        let refused = hostile.client.frame_refused(world, frame, Blame::Site, "frame");
        assert!(refused.refusal.found.contains(found), "{refused:?}");
        assert!(refused.hint.contains("versions"), "{refused:?}");
    }
    let Request::Hello(greeting) = hello("dept-b") else { panic!("a hello") };
    for protocol in [0, PROTOCOL + 1, u32::MAX] {
        let request = Request::Hello(Hello { protocol, ..greeting.clone() });
        let refused = hostile.client.refused(world, &request, Blame::Operator, "protocol");
        assert!(refused.refusal.expected.contains(&PROTOCOL.to_string()), "{refused:?}");
    }
    // A checkpoint that the aggregator never signed stops nobody.
    for seen in ["", "admissions/registry\n999\nAAAA\n\n", "no note"] {
        let request = Request::Hello(Hello { seen: vec![seen.to_owned()], ..greeting.clone() });
        assert!(hostile.client.ask(&request).is_ok(), "{seen}");
    }
    let release = hostile.forger.release(0, None, |_| {});
    hostile.received(&release);
    hostile.end();
}
