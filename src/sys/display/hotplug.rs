//! Hears from the kernel that something was plugged (uevents, by netlink(7), NETLINK_KOBJECT_UEVENT).

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use smol::Async;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The group that the kernel itself speaks to; what udev has made of it goes to another one.
const KERNEL: u32 = 1;

/// The longest uevent (`UEVENT_BUFFER_SIZE` and the header before it, Linux's `include/linux/kobject.h`).
const LONGEST: usize = 4096;

/// A line to the kernel.
#[derive(Debug)]
pub(in crate::sys) struct HotplugEvents(Async<OwnedFd>);

impl HotplugEvents {
    /// Opens it.
    ///
    /// # Errors
    /// The system grants none, as in some containers.
    pub(in crate::sys) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            flags,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
        Ok(Self(Async::new(socket)?))
    }

    /// Resolves once something has happened that may be about a screen.
    pub(in crate::sys) async fn about_screens(&self) -> io::Result<()> {
        let mut buffer = [0; LONGEST];
        loop {
            let length = self.0.read_with(|socket| {
                recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(io::Error::from)
            });
            match length.await {
                Ok(length) if is_about_screens(&buffer[..length]) => return Ok(()),
                Ok(_) => {}
                // Some were lost: perhaps one about a screen.
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a uevent is about graphics: `change@/devices/…\0ACTION=change\0SUBSYSTEM=drm\0HOTPLUG=1\0…`.
fn is_about_screens(message: &[u8]) -> bool {
    let mut parts = message.split(|byte| *byte == 0);
    let from_kernel = parts.next().is_some_and(|head| head.contains(&b'@'));
    from_kernel && parts.any(|part| part == b"SUBSYSTEM=drm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hotplug_event_is_distinguished_from_all_others() {
        let plugged: &[u8] = b"change@/devices/platform/gpu/drm/card1\0ACTION=change\0\
            DEVPATH=/devices/platform/gpu/drm/card1\0SUBSYSTEM=drm\0HOTPLUG=1\0SEQNUM=2041\0";
        assert!(is_about_screens(plugged));
        let mouse: &[u8] = b"add@/devices/usb1\0ACTION=add\0SUBSYSTEM=input\0SEQNUM=7\0";
        assert!(!is_about_screens(mouse));
        let by_udev: &[u8] = b"libudev\0\xfe\xed\xca\xfeSUBSYSTEM=drm\0";
        assert!(!is_about_screens(by_udev));
        assert!(!is_about_screens(b""));
        assert!(!is_about_screens(b"change@/x\0NOTSUBSYSTEM=drm\0"));
    }

    #[test]
    fn rubbish_is_about_nothing() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..100_000 {
            let length = random.usize(..200);
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            assert!(!is_about_screens(&bytes));
        }
    }

    #[test]
    fn a_line_to_the_kernel_can_be_opened() {
        HotplugEvents::open().unwrap();
    }
}
