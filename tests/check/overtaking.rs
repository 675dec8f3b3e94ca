//! How much overtaking a protocol bears with M numbers: what `tolerates` says, from both sides.
//!
//! Stop-and-wait needs M >= d + 2, go-back-N M >= N(d + 1) + 1, selective repeat
//! M >= 2N + d + min(d, N - 1), where d is by how many later packets one may be overtaken.

use super::*;

fn depth<P: Protocol>(protocol: &P) -> u64 {
    match protocol.tolerates().overtake {
        Overtake::AtMost(depth) => depth,
        Overtake::Any => panic!("{protocol:?} bears any reordering"),
    }
}

/// Enough messages for the numbers to wrap around and for a window more.
fn enough<P: Protocol>(protocol: &P) -> u16 {
    (protocol.modulus().count() + protocol.window()).try_into().unwrap()
}

/// All that the protocol claims to bear, at once, it bears.
fn inside<P: Protocol>(protocol: &P, capacity: usize) {
    holds(protocol, model(protocol.tolerates(), enough(protocol), capacity));
}

/// One packet more that may overtake breaks it, with a loss at most.
fn outside<P: Protocol>(protocol: &P, capacity: usize) {
    let deeper = LOSES.overtaking(Overtake::AtMost(depth(protocol) + 1));
    let report = model(deeper, enough(protocol) + 1, capacity).check(protocol);
    assert!(matches!(report.verdict, Verdict::Unsafe(_)), "{protocol:?}: {}", report.verdict);
    let trace = report.trace.unwrap();
    let overtaking = trace.steps.iter().filter(
        |step| matches!(step.event, rdtp::check::Event::Arrive { overtakes, .. } if overtakes > 0),
    );
    assert!(overtaking.count() > 0, "without overtaking it holds");
}

#[test]
fn stop_and_wait() {
    for numbers in 2..=4 {
        assert_eq!(depth(&saw(numbers)), numbers - 2);
        inside(&saw(numbers), 3);
        outside(&saw(numbers), 3);
    }
    outside(&saw(8), 3);
}

#[test]
fn go_back_n() {
    for (window, numbers, expected) in
        [(1, 2, 0), (1, 3, 1), (1, 4, 2), (2, 3, 0), (2, 4, 0), (2, 5, 1), (3, 4, 0)]
    {
        let protocol = gbn(window, numbers);
        assert_eq!(depth(&protocol), expected);
        inside(&protocol, 3);
        outside(&protocol, 3);
    }
    for (window, numbers) in [(2, 6), (2, 7), (3, 6), (3, 7)] {
        outside(&gbn(window, numbers), 3);
    }
}

/// The least modulus with which selective repeat claims to bear overtaking by `depth`.
fn least(window: u64, depth: u64) -> SelectiveRepeat {
    let claims = |numbers: &u64| self::depth(&sr(window, *numbers)) >= depth;
    sr(window, (2 * window..=64).find(claims).unwrap())
}

#[test]
fn selective_repeat_claims_what_its_law_says() {
    for window in 1..=6 {
        for depth in 0..=12 {
            let law = 2 * window + depth + depth.min(window - 1);
            assert_eq!(least(window, depth), sr(window, law), "window {window}, depth {depth}");
        }
    }
}

#[test]
fn selective_repeat() {
    for (window, numbers, expected) in [(1, 2, 0), (1, 3, 1), (1, 4, 2), (2, 4, 0), (2, 5, 0)] {
        let protocol = sr(window, numbers);
        assert_eq!(depth(&protocol), expected);
        inside(&protocol, 3);
        outside(&protocol, 3);
    }
}

/// The modulus that selective repeat asks for is enough, and one less is not. Over loss and
/// overtaking alone: copies and damage as well make spaces that do not close in this time.
#[track_caller]
fn sharp(window: u64, depth: u64, capacity: usize) {
    let enough = least(window, depth);
    let channel = LOSES.overtaking(Overtake::AtMost(depth));
    holds(&enough, model(channel, self::enough(&enough), capacity));
    outside(&sr(window, enough.modulus().count() - 1), capacity);
}

#[test]
fn selective_repeat_needs_every_number_of_its_law() {
    for (window, depth) in [(1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (2, 4), (3, 1)] {
        sharp(window, depth, 2);
    }
}

#[test]
fn selective_repeat_2_of_6_bears_one_overtaking() {
    holds(&sr(2, 6), model(LOSES.overtaking(Overtake::AtMost(1)), 8, 3));
}

#[test]
#[ignore = "takes minutes: cargo test --release --test check overtaking -- --ignored"]
fn selective_repeat_with_more_room_and_larger_windows() {
    for (window, depth) in [(2, 5), (3, 2), (3, 3), (3, 4), (4, 1), (4, 2)] {
        sharp(window, depth, 2);
    }
    for (window, depth) in [(2, 2), (2, 3), (3, 1)] {
        sharp(window, depth, 3);
    }
    outside(&sr(3, 9), 3);
    holds(&sr(2, 6), model(LOSES.overtaking(Overtake::AtMost(1)), 8, 4));
}

#[test]
#[ignore = "takes minutes: cargo test --release --test check overtaking -- --ignored"]
fn larger_windows_and_more_numbers() {
    // Loss and overtaking alone: with copies and damage as well, these do not close in 20 million
    // states.
    for (window, numbers) in [(2, 7), (3, 7), (4, 9)] {
        let protocol = gbn(window, numbers);
        let channel = LOSES.overtaking(protocol.tolerates().overtake);
        holds(&protocol, model(channel, enough(&protocol), 3));
        outside(&protocol, 3);
    }
    inside(&saw(5), 3);
    outside(&saw(5), 3);
}
