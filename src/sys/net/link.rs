//! Notices whether this machine has a network, the moment that changes.
//!
//! The kernel reports every change of links, addresses and routes by rtnetlink(7). The messages are not even read:
//! it is reason enough to look at the addresses that there are. A machine is connected when it has one by which
//! others could reach it.

use crate::supervisor::Event;
use crate::sys::machine;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use smol::Async;
use smol::channel::Sender;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The groups that matter (linux/rtnetlink.h): links, IPv4 and IPv6 addresses.
const GROUPS: u32 =
    (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32;

/// Watches the network.
#[derive(Debug)]
pub struct NetworkWatch {
    news: Async<OwnedFd>,
}

impl NetworkWatch {
    /// Prepares to watch; [`NetworkWatch::watch`] does.
    ///
    /// # Errors
    /// The kernel, or the sandbox of this process, has no rtnetlink.
    pub fn new() -> io::Result<Self> {
        let news = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(news.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self {
            news: Async::new_nonblocking(news)?,
        })
    }

    /// Sends whether there is a network, at first and whenever that changes, while the receiver exists.
    pub async fn watch(self, reports: Sender<Event>) {
        let mut reported = None;
        loop {
            let connected = !machine::addresses().is_empty();
            if reported != Some(connected) {
                reported = Some(connected);
                if reports.send(Event::Network { connected }).await.is_err() {
                    return;
                }
            }
            if let Err(error) = self.news.readable().await {
                return log::warn!("the network is not watched any more: {error}");
            }
            self.drain();
        }
    }

    /// Takes away what has come. That some of it was lost (`ENOBUFS`) does not matter: it is looked at anyway.
    fn drain(&self) {
        let mut any = [0; 4096];
        loop {
            match recv(self.news.as_raw_fd(), &mut any, MsgFlags::empty()) {
                Ok(0) => return,
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::channel::bounded;

    #[test]
    fn it_is_reported_once_at_first() {
        let (reports, events) = bounded(4);
        let network = NetworkWatch::new().unwrap();
        smol::block_on(smol::future::or(
            async {
                network.watch(reports).await;
                panic!("it watches for ever");
            },
            async {
                let event = events.recv().await.unwrap();
                let connected = !machine::addresses().is_empty();
                assert_eq!(
                    format!("{event:?}"),
                    format!("Network {{ connected: {connected} }}")
                );
            },
        ));
    }
}
