//! A task of a runtime that waits for the socket of a lane, in place of the lane's own thread.
//!
//! What arrives then wakes nobody but the runtime, and tasks that wait for it run next on the same
//! thread. The lane's own thread keeps the time, since runtimes count in milliseconds, and waits for
//! the socket again when the task is gone, be it with its runtime.

use ::core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use alloc::sync::{Arc, Weak};
use std::{io, sync::MutexGuard};

use tokio::{
    io::Interest,
    net::UdpSocket,
    runtime::{Handle, RuntimeFlavor},
};

use super::{Core, Hold, Lane, nobody, release};
use crate::{net::spin::Spin, time::Instant};

/// The task.
struct Watch {
    lane: Weak<Lane>,
    socket: UdpSocket,
    /// Whether it may look for a while: a runtime of several threads would wake another to take the
    /// task over.
    may_look: bool,
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
        let socket = std::net::UdpSocket::from(self.lane.socket.try_clone()?);
        // The runtime wants it so; nobody else ever waits in a call for it.
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let lane = Arc::downgrade(&self.lane);
        let may_look = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        runtime.spawn(Watch { lane, socket, may_look, state: State::Drives });
        Ok(())
    }
}

impl Lane {
    /// Has the lane's own thread wait for the socket again.
    pub(in crate::net) fn unwatch(&self) {
        let mut core = self.lock();
        core.dismissed = true;
        self.hand_back(core);
    }

    fn hand_back(&self, mut core: MutexGuard<'_, Core>) {
        core.wake_watcher();
        self.call_sleeper(&mut core);
        release(core);
    }
}

impl Watch {
    /// Forgets that the socket was ready, and has the task woken when it is again; false when the
    /// runtime ends.
    fn listen(&self, context: &mut Context<'_>) -> bool {
        let blocked = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        loop {
            match self.socket.poll_recv_ready(context) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) => _ = self.socket.try_io(Interest::READABLE, blocked),
                Poll::Ready(Err(_)) => return false,
            }
        }
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(lane) = self.lane.upgrade() else { return Poll::Ready(()) };
        // Before the socket is looked at: what comes after that is heard of.
        if !self.listen(context) {
            return Poll::Ready(());
        }
        let mut core = lane.lock();
        if core.dismissed {
            return Poll::Ready(());
        }
        if core.watcher.is_none() {
            // From now on it need not wait for the socket.
            lane.call_sleeper(&mut core);
        }
        core.set_watcher(context.waker());
        let news = core.turn(&mut nobody);
        if self.may_look {
            self.state = self.state.after(news, core.turned_at, &mut core.spin);
        } else if !news || !core.turn(&mut nobody) {
            self.state = State::Waits(core.turned_at);
        } else {
            self.state = State::Drives;
        }
        lane.settle(&mut core);
        let over = core.is_over();
        release(core);
        if over {
            return Poll::Ready(());
        }
        if !matches!(self.state, State::Waits(_)) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
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
