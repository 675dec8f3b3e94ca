//! S0's experiments 4 to 6 over every carrier: register, list, five messages to everybody, one in
//! private, a file of 1200 bytes and one of 2000, on a perfect network and on one that loses 20 %.

use std::fs;

use crate::{
    CARRIERS, pause,
    person::{Person, Server},
    program::Directory,
};

/// What arrived of what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arrived {
    messages: usize,
    private: usize,
    files: usize,
}

const ALL: Arrived = Arrived { messages: 5, private: 1, files: 2 };

fn session(over: &str, loss: &str, seed: u32) -> Arrived {
    let directory = Directory::new(&format!("chat-s0-{over}-{loss}-{seed}"));
    for size in [1200, 2000] {
        fs::write(directory.path(&format!("{size}.txt")), vec![b'x'; size]).expect("a file");
    }
    let into = directory.path("in");
    fs::create_dir(&into).expect("a directory");
    let server = Server::start(over, &[]);
    let link = format!("loss={loss}");
    let [first, second] = [seed, seed + 1000].map(|seed| seed.to_string());
    let network = |seed: &str| -> Vec<String> {
        // Over TCP the system sends the datagrams, and none of them here is lost.
        let none = over == "tcp";
        if none { Vec::new() } else { ["--link", &link, "--seed", seed].map(String::from).to_vec() }
    };
    let (one, two) = (network(&first), network(&second));
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    let into = into.to_str().expect("UTF-8").to_owned();
    let taker = Person::join("34", &server, &[&two[..], &["--accept", "--into", &into]].concat());
    let mut teller = Person::join("12", &server, &one);
    teller.say("/LIST");
    for n in 1..=5 {
        teller.say(&format!("/S MENSAGEM {n}"));
    }
    teller.say("/MSG 34 oi!");
    for size in [1200, 2000] {
        let path = directory.path(&format!("{size}.txt"));
        teller.say(&format!("/FILE 34 {}", path.to_str().expect("UTF-8")));
    }
    if over == "udp" {
        // What is not there now will never be.
        pause(2_500);
    } else {
        teller.heard.wait_for("* Here (2): 12, 34");
        teller.shut();
        assert_eq!(teller.ends(), Some(0), "{over}: {:?}", teller.heard.lines());
    }
    let said = |text: &str| usize::from(taker.heard.has(text));
    if over != "udp" {
        taker.heard.wait_for("MENSAGEM 5");
        taker.heard.wait_for("oi!");
    }
    let stored = |size: usize| {
        let path = directory.path(&format!("in/{size}.txt"));
        fs::read(path).is_ok_and(|bytes| bytes == vec![b'x'; size])
    };
    Arrived {
        messages: (1..=5).map(|n| said(&format!("[all] 12: MENSAGEM {n}"))).sum(),
        private: said("[private] 12: oi!"),
        files: [1200, 2000].into_iter().filter(|&size| stored(size)).count(),
    }
}

fn row(over: &str, loss: &str, arrived: Arrived) {
    let Arrived { messages, private, files } = arrived;
    println!("{over:8} {loss:>4}   {messages} of 5    {private} of 1    {files} of 2");
}

/// Run with `--nocapture` for the table.
#[test]
fn the_message_that_udp_loses_arrives_over_everything_else() {
    println!("carrier  loss   messages  private   files");
    for over in CARRIERS {
        let arrived = session(over, "0%", 1);
        row(over, "0%", arrived);
        assert_eq!(arrived, ALL, "{over} on a perfect network");
    }
    for over in CARRIERS.into_iter().filter(|&over| over != "udp") {
        let arrived = session(over, "20%", 4);
        row(over, "20%", arrived);
        assert_eq!(arrived, ALL, "{over} with loss");
    }
    // Two links in the way, each with a fifth lost: 64 of 100, about 3 of 5.
    let mut messages = 0;
    for seed in 1..=4 {
        let arrived = session("udp", "20%", seed);
        row("udp", "20%", arrived);
        messages += arrived.messages;
    }
    assert!((5..20).contains(&messages), "{messages} of 20 over raw UDP");
}
