//! Many seeds, one after the other, until one fails.

use alloc::boxed::Box;
use core::{fmt, net::SocketAddr};

use super::transfer::{Report, Transfer};
use crate::{
    classic::{ConfigError, Conversation, Protocol, Role, Verdict},
    link::Profile,
};

/// What a campaign without failure added up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs, one for each seed.
    pub runs: u64,
    /// Datagrams sent by both sides.
    pub datagrams: u64,
    /// Datagrams that the network lost.
    pub lost: u64,
    /// Copies that the network made.
    pub copies: u64,
    /// Datagrams that the network damaged.
    pub damaged: u64,
    /// Datagrams that arrived after others that were sent later.
    pub overtaken: u64,
    /// Data packets that the sender sent again.
    pub resent: u64,
}

impl Tally {
    fn add(&mut self, report: &Report) {
        let network = report.up.total().plus(&report.down.total());
        self.runs += 1;
        self.datagrams += report.datagrams;
        self.lost += network.lost + network.outage + network.queue_full + network.link_full;
        self.copies += network.copies;
        self.damaged += network.corrupted + network.truncated;
        self.overtaken += network.overtaken;
        self.resent += report.sender.data_resent;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs intact: {} datagrams, {} of them lost, {} damaged and {} overtaken, {} \
             copies; {} packets sent again",
            self.runs,
            self.datagrams,
            self.lost,
            self.damaged,
            self.overtaken,
            self.copies,
            self.resent
        )
    }
}

/// The run that ended a campaign. With this seed and this network it can be repeated to the byte.
#[derive(Clone, Debug)]
pub struct CampaignFailure<E = ConfigError> {
    /// The seed of the run.
    pub seed: u64,
    /// The network.
    pub profile: Box<Profile>,
    /// How many runs before it were intact.
    pub intact: u64,
    /// What went wrong.
    pub cause: Cause<E>,
}

/// Why a campaign ended.
#[derive(Clone, Debug)]
pub enum Cause<E = ConfigError> {
    /// There was no run: the endpoints could not be made.
    Setup(E),
    /// The run was not [intact](Verdict::Intact).
    Run(Box<Report>),
}

impl<E: fmt::Display> fmt::Display for CampaignFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, profile, intact, .. } = self;
        match &self.cause {
            Cause::Setup(error) => write!(f, "no endpoint: {error}"),
            Cause::Run(report) => write!(
                f,
                "seed {seed} over {profile}: {} ({intact} runs before it were intact)",
                report.verdict
            ),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for CampaignFailure<E> {}

impl Transfer {
    /// Runs it once for each of these seeds, with any protocol, until one run is not intact.
    ///
    /// ```
    /// use rdtp::{classic::rdt22::Rdt22, sim::Transfer};
    ///
    /// let transfer = Transfer::new(vec![b"one".to_vec(), b"two".to_vec()]);
    /// let tally = transfer.clone().over("corrupt=10%,delay=5ms".parse()?).campaign(&Rdt22, 0..50)?;
    /// assert!(tally.runs == 50 && tally.damaged > 0);
    ///
    /// let failure = transfer.over("loss=10%,delay=5ms".parse()?).campaign(&Rdt22, 0..50).unwrap_err();
    /// assert!(failure.to_string().contains("loss=10%,delay=5ms: deadlock"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn campaign<P: Protocol>(
        &self,
        protocol: &P,
        seeds: impl IntoIterator<Item = u64>,
    ) -> Result<Tally, CampaignFailure> {
        self.campaign_with(seeds, |role, peer| self.side(protocol, role, peer))
    }

    /// The same with any endpoints; see [`run_with`](Self::run_with).
    pub fn campaign_with<C: Conversation, E>(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
    ) -> Result<Tally, CampaignFailure<E>> {
        let mut tally = Tally::default();
        for seed in seeds {
            let failed = |cause| CampaignFailure {
                seed,
                profile: Box::new(self.profile().clone()),
                intact: tally.runs,
                cause,
            };
            let run = self.clone().seed(seed).run_with(&mut make, &mut ());
            let report = run.map_err(|error| failed(Cause::Setup(error)))?;
            if report.verdict != Verdict::Intact {
                return Err(failed(Cause::Run(Box::new(report))));
            }
            tally.add(&report);
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Classic, Config, rdt22::Rdt22};
    use crate::wire::Codec;
    use alloc::{string::ToString, vec, vec::Vec};

    fn transfer(profile: &str) -> Transfer {
        let messages: Vec<Vec<u8>> = (0..20).map(|n| vec![n; 10]).collect();
        Transfer::new(messages).over(profile.parse().unwrap())
    }

    #[test]
    fn a_failure_can_be_repeated_with_what_it_says() {
        let failure = transfer("loss=1%,delay=5ms").campaign(&Rdt22, 0..1000).unwrap_err();
        let Cause::Run(report) = &failure.cause else { panic!("{failure}") };
        let again = transfer("").over((*failure.profile).clone()).seed(failure.seed);
        let again = again.run_protocol(&Rdt22, &mut ()).unwrap();
        assert_eq!(again.verdict, report.verdict);
        assert_eq!(again.datagrams, report.datagrams);
        assert!(failure.intact == failure.seed, "the seeds before it: {failure}");
    }

    #[test]
    fn what_cannot_start_says_so() {
        let config = |role| Config { role, codec: Codec::Bare, ..Config::default() };
        let failure = transfer("")
            .campaign_with(0..2, |role, peer| Classic::new(&Rdt22, config(role), peer))
            .unwrap_err();
        assert!(matches!(failure.cause, Cause::Setup(_)));
        assert!(failure.to_string().contains("needs a header"), "{failure}");
    }
}
