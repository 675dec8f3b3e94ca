//! A task of a runtime that waits for the socket of a lane, in place of the lane's own thread.
//!
//! What arrives then wakes nobody but the runtime, and tasks that wait for it run next on the same
//! thread. A task that reads the same stream again and again is woken before what has arrived is looked
//! at, and looks at it: bytes go from the datagram to where it wants them. The lane's own thread keeps
//! the time, since runtimes count in milliseconds, and waits for the socket again when the task is gone,
//! be it with its runtime.

use ::core::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use alloc::sync::{Arc, Weak};
use std::{io, sync::MutexGuard};

use rustix::fd::OwnedFd;
use tokio::{
    io::unix::AsyncFd,
    runtime::{Handle, RuntimeFlavor},
    task::yield_now,
};

use super::{Ask, Core, Hold, Lane, nobody, release};
use crate::{
    net::spin::Spin,
    sys::ready,
    time::Instant,
    wire::transport::{ConnectionId, StreamId},
};

/// The task.
struct Watch {
    lane: Weak<Lane>,
    /// For what can be read only: that there is room to send is news after each datagram that the
    /// system has passed on, and would end every wait.
    socket: AsyncFd<OwnedFd>,
    /// Whether nothing else runs while it does. It may look for a while then, which in a runtime of
    /// several threads would wake another to take the task over; and whom it wakes runs before it runs
    /// again.
    alone: bool,
    state: State,
}

/// What a task does that waits for a socket.
#[derive(Clone, Copy)]
enum State {
    /// Something came: there may be more, but those whom it was for come first.
    Drives,
    /// Looks again and again, until then, and lets other tasks run in between.
    Looks(Instant),
    /// Waits, since then.
    Waits(Instant),
}

impl Hold {
    /// Lets a task of the runtime that this is called in wait for the socket; without a runtime the
    /// lane's own thread goes on.
    pub(in crate::net) fn watch(&self) -> io::Result<()> {
        let Ok(runtime) = Handle::try_current() else { return Ok(()) };
        let socket = self.lane.socket.try_clone()?;
        let socket = ready::readable(socket)?;
        let lane = Arc::downgrade(&self.lane);
        let alone = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        runtime.spawn(Watch { lane, socket, alone, state: State::Drives });
        Ok(())
    }
}

impl Lane {
    /// Asks for a task, which is woken when there may be an answer. What a task `reads` again and again
    /// it takes from what arrives, when it gets to it before the one that waits for the socket.
    pub(in crate::net) fn poll<A: Ask>(
        &self,
        waker: &Waker,
        reads: Option<(ConnectionId, StreamId)>,
        ask: &mut A,
    ) -> Poll<A::Answer> {
        let mut core = self.lock();
        let mut answer = ask.ask(&mut core, None);
        if answer.is_pending() {
            core.look_for(ask);
            answer = ask.ask(&mut core, Some(waker));
        }
        if let (Poll::Ready(_), Some(stream)) = (&answer, reads) {
            core.watching.favourite.on_read(stream);
        }
        if core.driver.has_arrivals() {
            core.call_watcher();
        }
        self.settle(&mut core);
        release(core);
        answer
    }

    /// Has the lane's own thread wait for the socket again.
    pub(in crate::net) fn unwatch(&self) {
        let mut core = self.lock();
        core.watching.dismissed = true;
        self.hand_back(core);
    }

    fn hand_back(&self, mut core: MutexGuard<'_, Core>) {
        core.wake_watcher();
        self.call_sleeper(&mut core);
        release(core);
    }
}

impl Watch {
    /// Forgets that the socket was ready, and has the task woken when it is again. Says whether it was;
    /// `None` when the runtime ends.
    fn listen(&self, context: &mut Context<'_>) -> Option<bool> {
        let mut heard = false;
        loop {
            match self.socket.poll_read_ready(context) {
                Poll::Pending => return Some(heard),
                Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
                Poll::Ready(Err(_)) => return None,
            }
            heard = true;
        }
    }

    /// Looks at what has arrived, or has it looked at.
    fn look(&mut self, core: &mut Core, heard: bool, now: Instant) {
        if !self.alone {
            // Whoever is woken runs at once, elsewhere: there may be more for it already.
            let news = core.turn(&mut nobody) && core.turn(&mut nobody);
            self.state = if news { State::Drives } else { State::Waits(now) };
            return;
        }
        let may_have_come = heard || core.driver.may_have_arrivals();
        let news = may_have_come && (core.let_favourite_look() || core.turn(&mut nobody));
        self.state = self.state.after(news, now, &mut core.spin);
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(lane) = self.lane.upgrade() else { return Poll::Ready(()) };
        // Before the socket is looked at: what comes after that is heard of.
        let Some(heard) = self.listen(context) else { return Poll::Ready(()) };
        let mut core = lane.lock();
        if core.watching.dismissed {
            return Poll::Ready(());
        }
        if !core.watching.is_on() {
            // From now on it need not wait for the socket.
            lane.call_sleeper(&mut core);
        }
        core.set_watcher(context.waker());
        core.watching.may_leave = self.alone;
        self.look(&mut core, heard, lane.clock.now());
        lane.settle(&mut core);
        let (over, waits) = (core.is_over(), matches!(self.state, State::Waits(_)));
        core.watching.called = !waits;
        release(core);
        if over {
            return Poll::Ready(());
        }
        match (waits, self.alone) {
            (true, _) => {}
            (false, false) => context.waker().wake_by_ref(),
            (false, true) => let_others_run(context),
        }
        Poll::Pending
    }
}

/// Has the task run again when all others have that can, those that the runtime hears of at its sockets
/// now and the one it was started with included. Simply to be woken would put that one off.
fn let_others_run(context: &mut Context<'_>) {
    let _ = pin!(yield_now()).poll(context);
}

impl State {
    /// What it does after the socket was looked at.
    fn after(self, news: bool, now: Instant, spin: &mut Spin) -> Self {
        if news {
            match self {
                Self::Drives => {}
                Self::Looks(_) => spin.on_met(),
                Self::Waits(since) => spin.on_slept(now - since),
            }
            return Self::Drives;
        }
        match self {
            Self::Drives if !spin.length().is_zero() => Self::Looks(now + spin.length()),
            Self::Looks(until) if until > now => self,
            Self::Drives | Self::Looks(_) => {
                spin.on_waited_in_vain();
                Self::Waits(now)
            }
            Self::Waits(_) => self,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.upgrade() {
            lane.hand_back(lane.lock());
        }
    }
}
