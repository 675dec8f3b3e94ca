//! The files of S0-27 and S0-28, 1200 and 2000 bytes, under every fault a protocol tolerates. Which
//! protocol must bear which network is read from the protocol's own `tolerates()`.

use rdtp::{
    classic::Spec,
    link::Profile,
    rng::Seed,
    sim::{Transfer, Verdict},
};

use crate::{SEEDS, config};

/// Protocols with all kinds of parameters.
const SPECS: [&str; 13] = [
    "rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:16", "gbn", "gbn:7/8", "gbn:4/64", "sr",
    "sr:8/16", "sr:4/64", "gbn:1/2",
];

fn file(bytes: usize, seed: u64) -> Vec<u8> {
    let mut file = vec![0; bytes];
    Seed::new(seed).split("file").rng().fill(&mut file);
    file
}

fn transfer(file: &[u8], profile: &Profile, seed: u64) -> Transfer {
    let messages = file.chunks(80).map(<[u8]>::to_vec).collect();
    Transfer::new(messages).over(profile.clone()).config(config()).seed(seed)
}

/// Runs both files through `network` on `seeds` seeds with every protocol that tolerates it;
/// returns the names of those.
fn campaign(network: &str, seeds: u64) -> Vec<&'static str> {
    let profile: Profile = network.parse().unwrap();
    let bears = |name: &&str| {
        let spec: Spec = name.parse().unwrap();
        profile.channel().exceeds(spec.tolerates()).is_empty()
    };
    let names: Vec<_> = SPECS.into_iter().filter(bears).collect();
    for &name in &names {
        for seed in 0..seeds {
            for bytes in [1200, 2000] {
                let file = file(bytes, seed);
                let report =
                    transfer(&file, &profile, seed).run(name.parse().unwrap(), &mut ()).unwrap();
                let context = format!("{name}, {bytes} bytes, seed {seed}, --link {network}");
                assert_eq!(report.verdict, Verdict::Intact, "{context}");
                let got: Vec<u8> = report.delivered.iter().flat_map(|m| m.to_vec()).collect();
                assert_eq!(blake3::hash(&got), blake3::hash(&file), "{context}");
            }
        }
    }
    println!("{network}: intact on {seeds} seeds: {}", names.join(", "));
    names
}

#[test]
fn s0_27_28_files_survive_loss_copies_and_damage() {
    let names = campaign("loss=20%,dup=10%,corrupt=10%,truncate=2%,delay=10ms±5ms", SEEDS);
    assert_eq!(names, SPECS[4..], "everything with a timer");
}

#[test]
fn s0_27_28_files_survive_shuffling_where_numbers_are_large_enough() {
    let names = campaign("loss=10%,corrupt=5%,reorder=20%:3,delay=10ms", SEEDS);
    assert_eq!(names, ["saw:16", "gbn", "gbn:4/64", "sr", "sr:4/64"]);
    let names =
        campaign("loss=20%,dup=10%,corrupt=10%,reorder=30%,delay=10ms±9ms,jitter=reorder", SEEDS);
    assert_eq!(names, ["gbn", "sr"], "numbers that never repeat");
}

#[test]
fn files_survive_damage_alone_without_a_timer() {
    let names = campaign("corrupt=20%,delay=10ms", SEEDS);
    assert_eq!(names, &SPECS[2..], "rdt 2.0 cannot bear damaged feedback");
}

#[test]
fn the_perfect_channel_is_enough_for_all() {
    assert_eq!(campaign("delay=10ms", 1), SPECS);
}

#[test]
fn rdt30_delivers_a_wrong_file_under_shuffling_and_the_digest_tells() {
    let profile: Profile = "loss=20%,dup=20%,reorder=30%,delay=10ms".parse().unwrap();
    assert_eq!(
        profile.channel().exceeds("rdt3.0".parse::<Spec>().unwrap().tolerates()).len(),
        1,
        "only the shuffling is too much for it"
    );
    let (mut wrong, mut first) = (0, None);
    for seed in 0..SEEDS {
        let file = file(2000, seed);
        let report =
            transfer(&file, &profile, seed).run("rdt3.0".parse().unwrap(), &mut ()).unwrap();
        let got: Vec<u8> = report.delivered.iter().flat_map(|m| m.to_vec()).collect();
        if report.verdict != Verdict::Intact {
            assert_ne!(blake3::hash(&got), blake3::hash(&file), "seed {seed}");
            wrong += 1;
            first = first.or(Some((seed, report.verdict)));
        }
    }
    let (seed, verdict) = first.unwrap();
    println!("rdt 3.0 under shuffling: wrong on {wrong} of {SEEDS} seeds; seed {seed}: {verdict}");
    assert!(wrong > SEEDS / 10, "an alternating bit cannot bear this: {wrong}");
    assert!(matches!(verdict, Verdict::Wrong { .. }), "{verdict}");
}

#[test]
fn rdt22_deadlocks_under_loss_and_says_so() {
    let profile: Profile = "loss=20%,delay=10ms".parse().unwrap();
    for seed in 0..100 {
        let file = file(2000, seed);
        let report =
            transfer(&file, &profile, seed).run("rdt2.2".parse().unwrap(), &mut ()).unwrap();
        assert!(matches!(report.verdict, Verdict::Deadlock { .. }), "{}", report.verdict);
    }
}

#[test]
fn packets_that_answer_each_other_in_no_time_do_not_stop_the_world() {
    let profile: Profile = "corrupt=100%".parse().unwrap();
    let report =
        transfer(&file(80, 1), &profile, 1).run("rdt2.2".parse().unwrap(), &mut ()).unwrap();
    assert_eq!(report.verdict, Verdict::OutOfTime { after: 0 });
}

#[test]
fn a_wide_window_is_not_given_up_while_anything_is_confirmed() {
    let messages = vec![vec![7; 100]; 1000];
    let transfer =
        Transfer::new(messages).over("loss=20%,delay=10ms".parse().unwrap()).config(config());
    let report = transfer.run("gbn:512".parse().unwrap(), &mut ()).unwrap();
    assert_eq!(report.verdict, Verdict::Intact);
}

#[test]
fn a_run_is_identical_to_the_byte() {
    let network = "loss=20%,dup=10%,corrupt=10%,reorder=20%,delay=10ms±9ms,jitter=reorder";
    let run = |seed| {
        let mut records = Vec::new();
        let profile = network.parse().unwrap();
        let report =
            transfer(&file(2000, 1), &profile, seed).run("sr".parse().unwrap(), &mut records);
        (records, format!("{:?}", report.unwrap()))
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).1, run(6).1);
}

#[test]
fn a_peer_that_is_gone_is_given_up() {
    let profile: Profile = "loss=100%".parse().unwrap();
    let report =
        transfer(&file(1200, 1), &profile, 1).run("rdt3.0".parse().unwrap(), &mut ()).unwrap();
    assert_eq!(report.verdict, Verdict::GaveUp { after: 0 });
}
