/* Preloaded into the agent: a store that lets a file be written once. Below the folder FEDAUDIT_ONCE new files and folders
 * may be made; what is there is not opened for writing, renamed, linked, removed, cut, or given another mode. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The agent names files by whole paths. */
static int kept(const char *path) {
    const char *folder = getenv("FEDAUDIT_ONCE");
    if (!folder) abort();
    if (strncmp(path, folder, strlen(folder)) || syscall(SYS_faccessat, AT_FDCWD, path, F_OK)) return 0;
    errno = EPERM;
    return 1;
}

static int kept_file(int fd) {
    char link[64] = "/proc/self/fd/", name[PATH_MAX] = {0};
    char digits[16], *at = digits + sizeof digits;
    *--at = 0;
    do *--at = '0' + fd % 10; while (fd /= 10);
    strcat(link, at);
    return readlink(link, name, PATH_MAX - 1) > 0 && kept(name);
}

static int do_open(int folder, const char *path, int flags, mode_t mode) {
    if ((flags & O_ACCMODE) != O_RDONLY && kept(path)) return -1;
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE_OF(flags, mode)              \
    mode_t mode = 0;                      \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest;                     \
        va_start(rest, flags);            \
        mode = va_arg(rest, mode_t);      \
        va_end(rest);                     \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return do_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return do_open(AT_FDCWD, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return do_open(folder, path, flags, mode);
}

int rename(const char *from, const char *to) {
    /* A store of objects has no other names for what is there, and none for what comes from elsewhere. */
    const char *folder = getenv("FEDAUDIT_ONCE");
    if (kept(from) || kept(to)) return -1;
    if (!strncmp(to, folder, strlen(folder))) {
        errno = EXDEV;
        return -1;
    }
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int link(const char *from, const char *to) {
    return kept(from) ? -1 : syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    return kept(from) ? -1 : syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) { return kept(path) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

int rmdir(const char *path) { return kept(path) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }

int chmod(const char *path, mode_t mode) { return kept(path) ? -1 : syscall(SYS_fchmodat, AT_FDCWD, path, mode); }

int fchmod(int fd, mode_t mode) { return kept_file(fd) ? -1 : syscall(SYS_fchmod, fd, mode); }

int ftruncate64(int fd, off_t length) { return kept_file(fd) ? -1 : syscall(SYS_ftruncate, fd, length); }
