"""Take away what only Linux has, and give what macOS has instead, in every Python that is started from here.

Python imports this module at each start, before anything else, if its directory is on PYTHONPATH; worker processes and
programs inherit that. tests/process/test_without_linux.py runs other tests so.

It makes no Mac: the kernel below is still Linux, and sys.platform says so.
"""

import builtins
import ctypes
import errno
import fcntl
import io
import os
import select
import signal
import time

fdatasync, readlink = os.fdatasync, os.readlink
GONE = {
    os: (
        "fdatasync memfd_create pidfd_open sched_getaffinity sched_setaffinity posix_fallocate posix_fadvise eventfd "
        "eventfd_read eventfd_write O_TMPFILE O_PATH O_DIRECT O_NOATIME splice copy_file_range getrandom pipe2 waitid "
        "getresuid getresgid setresuid setresgid getxattr setxattr listxattr removexattr setns unshare timerfd_create "
        "login_tty posix_openpt unlockpt ptsname sched_yield sched_setscheduler sched_getscheduler"
    ),
    select: "epoll EPOLLIN EPOLLOUT",
    signal: "pidfd_send_signal sigtimedwait sigwaitinfo SIGRTMIN SIGRTMAX SIGPOLL SIGPWR SIGSTKFLT",
    fcntl: "F_OFD_SETLK F_OFD_SETLKW F_OFD_GETLK F_ADD_SEALS F_GET_SEALS F_SETSIG F_SETPIPE_SZ F_NOTIFY F_SETLEASE",
    time: "CLOCK_BOOTTIME CLOCK_TAI",
}
for module, names in GONE.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
# Only now, as it imports selectors, which looks for epoll then.
import socket  # noqa: E402

for name in "AF_NETLINK AF_VSOCK SO_PEERCRED SOCK_CLOEXEC SOCK_NONBLOCK SO_DOMAIN SO_PROTOCOL MSG_CMSG_CLOEXEC".split():
    if hasattr(socket, name):
        delattr(socket, name)

# ---- no /proc ---------------------------------------------------------------------------------------------


def without_proc(call):
    def refusing(path=".", *args, **kwargs):
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if (text + "/").startswith("/proc/") or (call is readlink and text.startswith("/dev/fd/")):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)
        return call(path, *args, **kwargs)

    return refusing


for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink", "access"):
    for supported in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if getattr(os, name) in supported:
            supported.add(without := without_proc(getattr(os, name)))
            setattr(os, name, without)
            break
    else:
        setattr(os, name, without_proc(getattr(os, name)))
builtins.open = io.open = without_proc(io.open)

# ---- no calls of Linux's C library, and one of macOS's ----------------------------------------------------


def sysctlbyname(name, value, size, *_):
    if name != b"kern.bootsessionuuid":
        return -1
    value.value = b"0F5C0E1B-0B1E-4D5A-9F63-6E1B2D1C7A11"
    return 0


found_by = ctypes.CDLL.__getattr__


def found(library, name):
    if name == "sysctlbyname":
        return sysctlbyname
    if name in ("prctl", "memfd_create", "renameat2", "inotify_init1", "eventfd", "epoll_create", "pidfd_open"):
        raise AttributeError(name)
    return found_by(library, name)


ctypes.CDLL.__getattr__ = found

# ---- fcntl of macOS ---------------------------------------------------------------------------------------

fcntl.F_GETPATH, fcntl.F_FULLFSYNC = 50, 51
control = fcntl.fcntl


def fcntl_of_macos(fd, command, argument=0):
    if command == fcntl.F_FULLFSYNC:
        return fdatasync(fd) or 0
    if command == fcntl.F_GETPATH:
        path = os.fsencode(readlink(f"/proc/self/fd/{fd if isinstance(fd, int) else fd.fileno()}"))
        if not path.startswith(b"/"):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return path.ljust(len(argument), b"\0")
    return control(fd, command, argument)


fcntl.fcntl = fcntl_of_macos
