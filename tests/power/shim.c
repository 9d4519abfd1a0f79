/* Preloaded into the agent: writes down, in order and with the data, every change that it makes to files and every
 * sync that came through, so that a test can say what a disk without power would still hold.
 *
 * A record is four 64-bit numbers (what, inode, offset, length) and `length` bytes. It is written after the call, under a
 * lock that the call is made under as well: the order of the records is the order of the calls. What this file does not
 * know it does not let pass.
 *
 * It makes trouble as well, where FEDAUDIT_POWER_TROUBLE names a folder: while a file `read-only` is in it nothing can be
 * written, and each file `sync` in it is one sync that fails. The clock is ahead by as many seconds as the file says that
 * FEDAUDIT_POWER_CLOCK names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, RENAME, LINK, UNLINK, FOLDER };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static char read_only[PATH_MAX], bad_sync[PATH_MAX];

static void die(const char *what) {
    dprintf(2, "power/shim.c: %s\n", what);
    abort();
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FEDAUDIT_POWER_LOG");
    if (path) out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) die("FEDAUDIT_POWER_LOG names no file");
    const char *folder = getenv("FEDAUDIT_POWER_TROUBLE");
    if (!folder) return;
    snprintf(read_only, sizeof read_only, "%s/read-only", folder);
    snprintf(bad_sync, sizeof bad_sync, "%s/sync", folder);
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, which, time);
    const char *path = which == CLOCK_REALTIME ? getenv("FEDAUDIT_POWER_CLOCK") : 0;
    if (failed || !path) return failed;
    char ahead[32] = "";
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_read, fd, ahead, sizeof ahead - 1) < 0) die("FEDAUDIT_POWER_CLOCK names no file");
    syscall(SYS_close, fd);
    time->tv_sec += atol(ahead);
    return 0;
}

/* Whether the call that changes something is to fail. */
static int refused(void) {
    if (!*read_only || syscall(SYS_faccessat, AT_FDCWD, read_only, F_OK)) return 0;
    errno = EROFS;
    return 1;
}

/* The same of a sync: each file is one that fails. */
static int sync_refused(void) {
    if (refused()) return 1;
    if (!*bad_sync || syscall(SYS_unlinkat, AT_FDCWD, bad_sync, 0)) return 0;
    errno = EIO;
    return 1;
}

static void put(uint64_t what, uint64_t inode, uint64_t offset, const void *bytes, size_t length) {
    uint64_t head[4] = {what, inode, offset, length};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    if (syscall(SYS_writev, out, parts, 2) != (long)(sizeof head + length)) die("the log cannot be written");
}

static struct stat facts(int fd) {
    struct stat facts;
    if (fstat(fd, &facts)) memset(&facts, 0, sizeof facts);
    return facts;
}

/* What an open file is called, or the folder that relative paths begin at. */
static void name_of(int fd, char *name) {
    char link[64];
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, PATH_MAX - 1);
    if (length < 0) die("a file has no name");
    name[length] = 0;
}

static void absolute(int folder, const char *path, char *name) {
    *name = 0;
    if (*path != '/') {
        name_of(folder, name);
        strcat(name, "/");
    }
    if (strlen(name) + strlen(path) >= PATH_MAX) die("a path is too long");
    strcat(name, path);
}

static void put_name(uint64_t what, int folder, const char *path, uint64_t inode, uint64_t offset) {
    char name[2 * PATH_MAX];
    absolute(folder, path, name);
    put(what, inode, offset, name, strlen(name));
}

static void put_names(uint64_t what, int from_folder, const char *from, int to_folder, const char *to) {
    char names[4 * PATH_MAX];
    absolute(from_folder, from, names);
    size_t first = strlen(names) + 1;
    absolute(to_folder, to, names + first);
    put(what, 0, 0, names, first + strlen(names + first));
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) && strncmp(path, "/dev/", 5) && refused()) return -1;
    if (!(flags & (O_CREAT | O_TRUNC))) return syscall(SYS_openat, folder, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE) die("O_TMPFILE");
    pthread_mutex_lock(&lock);
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0) {
        struct stat file = facts(fd);
        if (S_ISREG(file.st_mode)) put_name(CREATE, folder, path, file.st_ino, (flags & O_TRUNC) != 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    va_list more; \
    va_start(more, flags); \
    if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(more, mode_t); \
    va_end(more)

int open(const char *path, int flags, ...) { MODE(flags); return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags); return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags); return opened(folder, path, flags, mode); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat file = facts(fd);
    if (!S_ISREG(file.st_mode)) return syscall(SYS_writev, fd, parts, count);
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_writev, fd, parts, count);
    off_t at = written > 0 ? lseek(fd, 0, SEEK_CUR) - written : 0;
    for (ssize_t left = written; left > 0; parts++) {
        size_t length = (ssize_t)parts->iov_len < left ? (ssize_t)parts->iov_len : left;
        put(WRITE, file.st_ino, at, parts->iov_base, length);
        at += length;
        left -= length;
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    return writev(fd, &part, 1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    struct stat file = facts(fd);
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (written > 0 && S_ISREG(file.st_mode)) put(WRITE, file.st_ino, offset, bytes, written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

int ftruncate64(int fd, off_t length) {
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_ftruncate, fd, length);
    if (!failed) put(TRUNCATE, facts(fd).st_ino, length, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, long call) {
    struct stat file = facts(fd);
    if (sync_refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(call, fd);
    if (!failed && S_ISREG(file.st_mode)) put(SYNC, file.st_ino, 0, "", 0);
    if (!failed && S_ISDIR(file.st_mode)) put_name(SYNC_FOLDER, fd, "", file.st_ino, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (flags & ~1u) die("a rename that is none"); /* 1: RENAME_NOREPLACE */
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (!failed) put_names(RENAME, from_folder, from, to_folder, to);
    pthread_mutex_unlock(&lock);
    return failed;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return renameat2(from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (!failed) put_names(LINK, from_folder, from, to_folder, to);
    pthread_mutex_unlock(&lock);
    return failed;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *path, int flags) {
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_unlinkat, folder, path, flags);
    if (!failed) put_name(UNLINK, folder, path, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_mkdirat, folder, path, mode);
    if (!failed) put_name(FOLDER, folder, path, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* Calls that change files and that the agent does not make, or can do without. */
ssize_t copy_file_range(int in, off64_t *from, int to, off64_t *at, size_t length, unsigned flags) {
    (void)in, (void)from, (void)to, (void)at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int to, int in, off64_t *offset, size_t length) {
    (void)to, (void)in, (void)offset, (void)length;
    errno = ENOSYS;
    return -1;
}

int posix_fallocate64(int fd, off_t from, off_t length) { (void)fd, (void)from, (void)length; return EOPNOTSUPP; }
int fallocate64(int fd, int mode, off_t from, off_t length) {
    (void)fd, (void)mode, (void)from, (void)length;
    errno = EOPNOTSUPP;
    return -1;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    (void)fd, (void)parts, (void)count, (void)offset;
    die("pwritev");
    return -1;
}

/* Memory that is written through to a file is lost to this log; of SQLite's index of its write-ahead log (-shm) nothing
 * needs to last. */
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
        char name[PATH_MAX];
        name_of(fd, name);
        size_t end = strlen(name);
        if (end < 4 || strcmp(name + end - 4, "-shm")) die("a file is written through memory");
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap64(at, length, protection, flags, fd, offset);
}
