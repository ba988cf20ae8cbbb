# The root is mounted read-only and repaired without asking; the kernel keeps off the screen; and memory can be limited, which
# the firmware has the kernel not do unless it is asked to. In another distribution nothing changes.
# nooelint: oelint.vars.mispell
CMDLINE:append:ossuaryos = " ro fsck.repair=yes cgroup_enable=memory console=tty3 quiet loglevel=3 vt.global_cursor_default=0 systemd.show_status=false"
