//! A counterexample of the checker, played to real endpoints.

use alloc::{format, vec::Vec};

use crate::{
    check::{Played, Schedule, Trace},
    classic::{Config, ConfigError, Protocol, Verdict},
    sim::{Report, Transfer},
    trace::Observer,
    wire::Codec,
};

/// Plays a counterexample to endpoints in the simulator, with bytes, checksums, timers and queues:
/// each datagram and each timer does at its time what `schedule` says.
/// [`Trace::is_reproduced`] tells whether what is seen is the same failure; the report says what
/// else came of it. Fails when the packets cannot carry the protocol's numbers.
///
/// ```
/// use rdtp::{
///     channel::Channel,
///     check::{Model, Schedule},
///     classic::rdt22::Rdt22,
///     harness,
/// };
///
/// let report = Model::over(Channel::PERFECT.losing()).check(&Rdt22);
/// let trace = report.trace.expect("rdt 2.2 does not bear loss");
/// let schedule = trace.schedule(Schedule::GAP).expect("it has no timers");
/// let (seen, _) = harness::replay(&Rdt22, &trace, &schedule, &mut ())?;
/// assert!(trace.is_reproduced(&seen));
/// # Ok::<(), rdtp::classic::ConfigError>(())
/// ```
pub fn replay<P: Protocol, O: Observer>(
    protocol: &P,
    trace: &Trace,
    schedule: &Schedule,
    observer: &mut O,
) -> Result<(Played, Report), ConfigError> {
    let codec = if P::FIELDS.checksum { Codec::default() } else { Codec::Bare };
    let messages: Vec<Vec<u8>> =
        (0..trace.messages).map(|number| format!("message {number}").into_bytes()).collect();
    let report = Transfer::new(messages.clone())
        .config(schedule.config(Config { codec, ..Config::default() }))
        .over(schedule.profile())
        .along(schedule.up.clone(), schedule.down.clone())
        .sending_at(schedule.sends.clone())
        .limit(schedule.until.since_epoch())
        .run_protocol(protocol, observer)?;
    let number = |message: &[u8]| messages.iter().position(|sent| sent[..] == *message);
    let seen = Played {
        delivered: report.delivered.iter().map(|message| number(message)).collect(),
        believed: report.sender.messages_acknowledged,
        finished: report.verdict == Verdict::Intact,
    };
    Ok((seen, report))
}
